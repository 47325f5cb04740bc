//! The system calls of an installation, seen by strace, which can also make one of them fail.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nestos_host::cmd::Cmd;

use crate::scene::Scene;
use crate::support::Run;

/// Calls that change the disk, and calls that edit `/boot` on it.
const CALLS: &str = "pwrite64,pwritev,fallocate,fsync,fdatasync,mount,umount2,chroot,mkdir,\
                     fchmod,rename,renameat,write";

/// One system call of an installation.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) thread: String,
    pub(crate) name: String,
    /// Its number among the calls of this name and thread; on the disk, if it is one on the disk.
    pub(crate) nth: usize,
    /// Whether it is a call on the disk itself.
    pub(crate) on_disk: bool,
    /// Bytes it writes or zeroes.
    pub(crate) bytes: u64,
    /// Where, for a call that writes.
    pub(crate) offset: u64,
}

/// An installation under strace.
pub(crate) struct Traced {
    pub(crate) run: Run,
    pub(crate) calls: Vec<Call>,
}

/// Runs the installer under strace with more options.
pub(crate) fn traced(scene: &Scene, disk: &Path, options: &[String]) -> Traced {
    let log = scene.bench.dir.path().join("trace");
    let cmd = Cmd::new("strace").args(["-f", "-y", "-s", "0", "-qq", "-o"]).arg(&log);
    let cmd = cmd.args(["-e", &format!("trace={CALLS}"), "-e", "signal=none"]).args(options);
    let cmd = cmd.env("LC_ALL", "C").env("TMPDIR", scene.tmp());
    let cmd = cmd.arg(env!("CARGO_BIN_EXE_nestos-installer")).arg("install").arg(disk);
    let run = Run::from(cmd.args(&scene.args).finish().unwrap());
    Traced { run, calls: parse(&fs::read_to_string(&log).unwrap(), disk) }
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

#[test]
fn a_trace_tells_what_is_written_where() {
    let log = "7 fallocate(3</d>, FALLOC_FL_PUNCH_HOLE, 10, 20) = 0\n\
               7 pwrite64(3</d>, \"\"..., 5, 6 <unfinished ...>\n7 <... pwrite64 resumed>) = 5\n\
               8 pwrite64(4</e>, \"\"..., 5, 6) = 5\n7 pwrite64(3</d>, \"\"..., 7, 8) = ?\n";
    let calls = parse(log, Path::new("/d"));
    let told: Vec<_> = calls.iter().map(|c| (c.nth, c.on_disk, c.bytes, c.offset)).collect();
    assert_eq!(told, [(1, true, 20, 10), (1, true, 5, 6), (1, false, 5, 6), (2, true, 7, 8)]);
}
