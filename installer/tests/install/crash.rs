//! An installer that is killed at any of its system calls leaves the old system, nothing, or the
//! complete new one. strace finds the calls and kills at the chosen ones.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use nestos_host::term;

use crate::chance::Chance;
use crate::judge::{self, Verdict};
use crate::scene::{self, DISK_SIZE, Scene};
use crate::strace::{Call, traced};
use crate::support::{MIB, len, loop_devices, program};

/// Moments in all, and those during the edits of `/boot`.
const MOMENTS: usize = 50;
const IN_EDITS: usize = 5;
/// Moments while the disk is sealed, at least: every call there is one.
const IN_SEAL: usize = 5;

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
        let expected: &[_] = if at <= boot_sector {
            &[Verdict::Nothing, Verdict::WithoutCode]
        } else {
            &[Verdict::Complete]
        };
        chosen.push(Moment { call: (*call).clone(), expected });
    }
    chosen
}

/// Calls at distances of equally many bytes, from a random start on.
fn by_bytes(body: &[&Call], count: usize, chance: &mut Chance) -> Vec<Call> {
    let total: u64 = body.iter().map(|c| c.bytes).sum();
    let step = total / count as u64;
    let start = chance.below(step);
    let mut chosen: Vec<Call> = Vec::new();
    let mut written = 0;
    for call in body {
        written += call.bytes;
        if written > start + chosen.len() as u64 * step && chosen.len() < count {
            chosen.push((*call).clone());
        }
    }
    // Large calls hold several places.
    while chosen.len() < count {
        chosen.push(body[len(chance.below(body.len() as u64))].clone());
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
    for scene in Scene::all() {
        let calls = traced(&scene, &scene.fresh_disk("traced"), &[]).calls;
        let moments = moments(&calls, &mut chance);
        assert_eq!(moments.len(), MOMENTS);
        let mut seen: HashMap<Verdict, usize> = HashMap::new();
        for Moment { call, expected } in &moments {
            let verdict = killed_at(&scene, call);
            *seen.entry(verdict).or_default() += 1;
            assert!(expected.contains(&verdict), "killed at {call:?}: {verdict:?}");
        }
        term::status(format!("{test}: {:?}: {seen:?}", scene.others));
        assert!(seen[&Verdict::Nothing] > 40 && seen.contains_key(&Verdict::Complete), "{seen:?}");
    }
}

/// How often a moment is tried: a trace now and then lacks calls that strace counted.
const TRIES: usize = 3;

fn killed_at(scene: &Scene, call: &Call) -> Verdict {
    let mut tries = 0..TRIES;
    loop {
        let (made, verdict) = kill_at(scene, call);
        let last = made.iter().rev().find(|c| c.name == call.name).unwrap();
        if (last.nth, last.offset) == (call.nth, call.offset) {
            return verdict;
        }
        let text = format!("killed elsewhere than at {call:?}: {made:#?}");
        assert!(tries.next().is_some(), "{text}");
        term::status(text);
    }
}

/// Kills an installation; wherever that was, the disk is not half a system and nothing is left
/// behind.
fn kill_at(scene: &Scene, call: &Call) -> (Vec<Call>, Verdict) {
    let disk = scene.fresh_disk("killed");
    let kill = format!("inject={}:signal=KILL:when={}", call.name, call.nth);
    let mut options = vec!["-e".to_owned(), kill];
    if call.on_disk {
        // Calls on other files do not count.
        options.extend(["-P".to_owned(), disk.display().to_string()]);
    }
    let made = traced(scene, &disk, &options).calls;
    let tmp = scene.tmp();
    scene::assert_released(&disk, &tmp);
    let left: Vec<PathBuf> = fs::read_dir(&tmp).unwrap().map(|e| e.unwrap().path()).collect();
    for dir in left {
        // The place of a mount that is gone: empty.
        fs::remove_dir(dir).unwrap();
    }
    let verdict = scene.judge(&disk).unwrap_or_else(|half| panic!("killed at {call:?}: {half}"));
    (made, verdict)
}
