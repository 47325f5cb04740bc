//! Memory: a root file system in RAM is refused before it is copied or fetched, not half-way.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_host::term::WithHint;
use nix::mount::{MsFlags, mount};

/// What the live system needs beside its root file system to come up and install.
const HEADROOM: u64 = 256 * MIB;
const MIB: u64 = 1024 * 1024;

/// Makes room for a file of this size in RAM.
pub(super) fn reserve(dir: &Path, size: u64) -> Result<()> {
    let meminfo = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    check(&meminfo, size)?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    // Not the default, half of the memory.
    let options = format!("mode=0700,size={},nr_inodes=64", size.next_multiple_of(MIB) + MIB);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("nestos-rootfs"), dir, Some("tmpfs"), flags, Some(options.as_str()))
        .with_context(|| format!("cannot mount a tmpfs on {}", dir.display()))
}

fn check(meminfo: &str, size: u64) -> Result<()> {
    let available =
        kilobytes(meminfo, "MemAvailable:").context("no MemAvailable in /proc/meminfo")?;
    let total = kilobytes(meminfo, "MemTotal:").unwrap_or_default();
    let needed = size.saturating_add(HEADROOM);
    if available >= needed {
        return Ok(());
    }
    Err(anyhow!(
        "not enough memory to run from RAM: the root file system has {} MiB, and the system needs \
         {} MiB beside it, but of {} MiB only {} MiB are available",
        size.div_ceil(MIB),
        HEADROOM / MIB,
        total / MIB,
        available / MIB
    ))
    .hint(format!(
        "give the machine {} MiB more, or start from an ISO without nestos.liveiso.fromram",
        (needed - available).div_ceil(MIB)
    ))
}

fn kilobytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str =
        "MemTotal:        1048576 kB\nMemFree: 1 kB\nMemAvailable:     819200 kB\n";

    #[test]
    fn too_little_memory_is_said_in_figures() {
        check(MEMINFO, 500 * MIB).unwrap();
        let err = check(MEMINFO, 600 * MIB).unwrap_err();
        let text = nestos_host::term::error_lines(&err).join("\n");
        assert!(text.contains("has 600 MiB"), "{text}");
        assert!(text.contains("of 1024 MiB only 800 MiB are available"), "{text}");
        assert!(text.contains("hint: give the machine 56 MiB more"), "{text}");
        assert!(check("", 1).is_err());
    }
}
