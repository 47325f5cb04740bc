//! Disks of QEMU's storage daemon, seen as files through FUSE: they record what is written, fail
//! where they are told to, and vanish.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use nestos_host::cmd::Cmd;
use nestos_host::term;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::program;

/// Where the kernel lists the mounts.
const MOUNTS: &str = "/proc/self/mountinfo";

/// How often and how long apart something is looked for that the daemon does.
const TRIES: u32 = 1200;
const PAUSE: Duration = Duration::from_millis(25);

/// A disk that the storage daemon serves.
pub(crate) struct Storage {
    daemon: Child,
    file: PathBuf,
}

/// Returns whether the daemon can serve files; says loudly when a test is skipped.
pub(crate) fn served_files(test: &str) -> bool {
    let fuse = File::options().read(true).write(true).open("/dev/fuse").is_ok();
    if !fuse {
        term::status(format!("SKIPPED {test}: it needs /dev/fuse"));
    }
    fuse && program("qemu-storage-daemon", test)
}

impl Storage {
    /// Serves the node `disk` of the given block devices as a file of this name.
    pub(crate) fn serve(dir: &Path, nodes: &[String]) -> Self {
        let file = dir.join("served");
        File::create(&file).unwrap();
        let export = "type=fuse,id=export,node-name=disk,writable=on,mountpoint=";
        let nodes = nodes.iter().flat_map(|node| ["--blockdev", node]);
        let daemon = Cmd::new("qemu-storage-daemon")
            .args(nodes)
            .args(["--export", &format!("{export}{}", file.display())])
            .spawn(Stdio::null(), Stdio::null(), Stdio::inherit())
            .unwrap();
        let storage = Self { daemon, file };
        assert!(wait_until(|| storage.is_mounted()), "the storage daemon serves nothing");
        storage
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Takes the disk away from whoever uses it.
    pub(crate) fn vanish(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    /// Ends the daemon once everything is written.
    pub(crate) fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if self.daemon.try_wait().unwrap().is_none() {
            let pid = Pid::from_raw(self.daemon.id().try_into().unwrap());
            kill(pid, Signal::SIGTERM).unwrap();
            self.daemon.wait().unwrap();
        }
        if self.is_mounted() {
            Cmd::new("umount").arg("--lazy").arg(&self.file).run().unwrap();
        }
    }

    fn is_mounted(&self) -> bool {
        let place = format!(" {} ", self.file.display());
        fs::read_to_string(MOUNTS).unwrap().contains(&place)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits for something and returns whether it came.
pub(crate) fn wait_until(mut came: impl FnMut() -> bool) -> bool {
    (0..TRIES).any(|_| {
        let there = came();
        if !there {
            thread::sleep(PAUSE);
        }
        there
    })
}
