//! An installer that is killed at any of its system calls leaves the old system, nothing, or the
//! complete new one. strace finds the calls and kills at the chosen ones.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use nestos_host::cmd::Cmd;
use nestos_host::term;

use crate::chance::Chance;
use crate::judge::{self, DISK_SIZE, Scene, Verdict};
use crate::support::{MIB, loop_devices, program};

/// Calls that change the disk, and calls that edit `/boot` on it.
const CALLS: &str = "pwrite64,pwritev,fallocate,fsync,fdatasync,mount,umount2,chroot,mkdir,\
                     fchmod,rename,renameat,write";

/// Moments in all, and those during the edits of `/boot`.
const MOMENTS: usize = 50;
const IN_EDITS: usize = 5;
/// Moments while the disk is sealed, at least: every call there is one.
const IN_SEAL: usize = 5;

/// One system call of an installation.
#[derive(Debug, Clone)]
struct Call {
    thread: String,
    name: String,
    /// Its number among the calls of this name and thread; on the disk, if it is one on the disk.
    nth: usize,
    /// Whether it is a call on the disk itself.
    on_disk: bool,
    /// Bytes it writes or zeroes.
    bytes: u64,
    /// Where, for a call that writes.
    offset: u64,
}

/// Runs the installer under strace with more options and returns the calls it made.
fn traced(scene: &Scene, disk: &Path, options: &[String]) -> Vec<Call> {
    let log = scene.bench.dir.path().join("trace");
    let cmd = Cmd::new("strace").args(["-f", "-y", "-s", "0", "-qq", "-o"]).arg(&log);
    let cmd = cmd.args(["-e", &format!("trace={CALLS}"), "-e", "signal=none"]).args(options);
    let cmd = cmd.env("LC_ALL", "C").env("TMPDIR", scene.tmp());
    let cmd = cmd.arg(env!("CARGO_BIN_EXE_nestos-installer")).arg("install").arg(disk);
    cmd.args(&scene.args).finish().unwrap();
    parse(&fs::read_to_string(&log).unwrap(), disk)
}

fn parse(log: &str, disk: &Path) -> Vec<Call> {
    let target = format!("<{}>", disk.display());
    let mut seen: HashMap<(String, String, bool), usize> = HashMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, args)) = call.trim_start().split_once('(') else { continue };
        let args = args.split(" <unfinished").next().unwrap();
        let args = args.rsplit_once(" = ").map_or(args, |(args, _)| args).trim_end();
        let numbers: Vec<u64> =
            args.trim_end_matches(')').rsplit(", ").map_while(|a| a.parse().ok()).collect();
        // The last two arguments: pwrite64(fd, "", LENGTH, OFFSET), fallocate(fd, mode, OFFSET, LENGTH).
        let (bytes, offset) = match (name, &numbers[..]) {
            ("fallocate", [length, offset, ..]) => (*length, *offset),
            ("pwrite64", [offset, length, ..]) => (*length, *offset),
            _ => (0, 0),
        };
        let on_disk = args.contains(&target);
        let (thread, name) = (thread.to_owned(), name.to_owned());
        let mut count = |of: bool| {
            let n = seen.entry((thread.clone(), name.clone(), of)).or_default();
            *n += 1;
            *n
        };
        let among_all = count(false);
        let nth = if on_disk { count(true) } else { among_all };
        calls.push(Call { thread, name, nth, on_disk, bytes, offset });
    }
    calls
}

/// A moment at which the installer is killed, before the call is done.
struct Moment {
    call: Call,
    expected: &'static [Verdict],
}

/// Moments of an installation whose calls are known.
fn moments(calls: &[Call], chance: &mut Chance) -> Vec<Moment> {
    let disk: Vec<&Call> = calls.iter().filter(|c| c.on_disk).collect();
    let backup = disk.iter().rposition(|c| c.offset >= DISK_SIZE - MIB && c.bytes > 0).unwrap();
    let (body, seal) = disk.split_at(backup);
    assert!(seal.len() >= IN_SEAL, "the disk is sealed with {seal:?}");
    let mut chosen = Vec::new();
    for call in by_bytes(body, MOMENTS - IN_EDITS - seal.len(), chance) {
        let expected: &[_] = if call.nth == 1 && call.name == body[0].name {
            &[Verdict::Old]
        } else {
            &[Verdict::Nothing, Verdict::Old]
        };
        chosen.push(Moment { call, expected });
    }
    for call in chance.pick(edits(calls), IN_EDITS) {
        chosen.push(Moment { call, expected: &[Verdict::Nothing] });
    }
    let boot_sector = seal.iter().position(|c| c.offset == 0 && c.bytes > 0).unwrap();
    for (at, call) in seal.iter().enumerate() {
        let expected: &[_] =
            if at <= boot_sector { &[Verdict::Nothing] } else { &[Verdict::Complete] };
        chosen.push(Moment { call: (*call).clone(), expected });
    }
    chosen
}

/// Calls at distances of equally many bytes, from a random start on.
fn by_bytes(body: &[&Call], count: usize, chance: &mut Chance) -> Vec<Call> {
    let total: u64 = body.iter().map(|c| c.bytes).sum();
    let step = total / count as u64;
    let start = chance.below(step);
    let mut chosen = Vec::new();
    let mut written = 0;
    for call in body {
        if written >= start + chosen.len() as u64 * step && chosen.len() < count {
            chosen.push((*call).clone());
        }
        written += call.bytes;
    }
    chosen
}

/// Calls that edit `/boot`: those strace can tell from all before them.
fn edits(calls: &[Call]) -> Vec<Call> {
    let entered = calls.iter().position(|c| c.name == "chroot").expect("/boot is edited");
    let thread = &calls[entered].thread;
    let left = calls.iter().rposition(|c| c.name == "umount2").unwrap();
    let first = |call: &Call| {
        let same = |c: &&Call| c.name == call.name && c.nth == call.nth;
        calls.iter().find(same).is_some_and(|c| c.thread == call.thread)
    };
    let inside = calls[entered..=left].iter().filter(|c| c.thread == *thread);
    inside.filter(|c| first(c)).cloned().collect()
}

#[test]
fn an_installer_killed_at_any_moment_leaves_nothing_or_everything() {
    let test = "an_installer_killed_at_any_moment_leaves_nothing_or_everything";
    if !loop_devices(test) || !judge::judges(test) || !program("strace", test) {
        return;
    }
    let mut chance = Chance::of(test);
    let scene = Scene::set();
    let calls = traced(&scene, &scene.fresh_disk("traced"), &[]);
    let moments = moments(&calls, &mut chance);
    assert_eq!(moments.len(), MOMENTS);
    let mut seen: HashMap<Verdict, usize> = HashMap::new();
    for (at, moment) in moments.iter().enumerate() {
        let verdict = killed_at(&scene, moment);
        *seen.entry(verdict).or_default() += 1;
        assert!(moment.expected.contains(&verdict), "moment {at}, {:?}: {verdict:?}", moment.call);
    }
    term::status(format!("{test}: {} moments, {seen:?}", moments.len()));
    assert!(seen[&Verdict::Nothing] > 40 && seen.contains_key(&Verdict::Complete), "{seen:?}");
}

fn killed_at(scene: &Scene, moment: &Moment) -> Verdict {
    let call = &moment.call;
    let disk = scene.fresh_disk("killed");
    let kill = format!("inject={}:signal=KILL:when={}", call.name, call.nth);
    let mut options = vec!["-e".to_owned(), kill];
    if call.on_disk {
        // Calls on other files do not count.
        options.extend(["-P".to_owned(), disk.display().to_string()]);
    }
    let made = traced(scene, &disk, &options);
    let (last, tmp) = (made.iter().rev().find(|c| c.name == call.name).unwrap(), scene.tmp());
    assert_eq!((last.nth, last.offset), (call.nth, call.offset), "killed elsewhere: {last:?}");
    judge::assert_released(&disk, &tmp);
    let left: Vec<PathBuf> = fs::read_dir(&tmp).unwrap().map(|e| e.unwrap().path()).collect();
    for dir in left {
        // The place of a mount that is gone: empty.
        fs::remove_dir(dir).unwrap();
    }
    scene.judge(&disk).unwrap_or_else(|half| panic!("killed at {call:?}: {half}"))
}

#[test]
fn a_trace_tells_what_is_written_where() {
    let log = "7 fallocate(3</d>, FALLOC_FL_PUNCH_HOLE, 10, 20) = 0\n\
               7 pwrite64(3</d>, \"\"..., 5, 6 <unfinished ...>\n7 <... pwrite64 resumed>) = 5\n\
               8 pwrite64(4</e>, \"\"..., 5, 6) = 5\n7 pwrite64(3</d>, \"\"..., 7, 8) = ?\n";
    let calls = parse(log, Path::new("/d"));
    let told: Vec<_> = calls.iter().map(|c| (c.nth, c.on_disk, c.bytes, c.offset)).collect();
    assert_eq!(told, [(1, true, 20, 10), (1, true, 5, 6), (1, false, 5, 6), (2, true, 7, 8)]);
}
