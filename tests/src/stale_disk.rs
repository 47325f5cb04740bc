//! A disk with a past: a partition table at both ends, an LVM physical volume and a swap area.
//! An installer must neither trip over them nor leave them to confuse the new system.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;
use nestos_host::term::{self, WithHint};

const SECTOR: u64 = 512;
/// First sectors of the stale partitions.
const LVM_START: u64 = 2048;
const SWAP_START: u64 = 2_099_200;
const PARTITIONS: &str = "label: gpt\n\
    start=2048, size=2097152, type=E6D6D379-F507-44C2-A23C-238F2A3DF928, name=old-lvm\n\
    start=2099200, size=2097152, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F, name=old-swap\n\
    start=4196352, name=old-data\n";

/// A sparse file with such a past.
#[derive(Debug)]
pub struct StaleDisk {
    path: PathBuf,
}

impl StaleDisk {
    /// Makes a disk of `bytes`.
    pub fn create(path: &Path, bytes: u64) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        file.set_len(bytes)?;
        Cmd::new("sfdisk").arg("--quiet").arg(path).input(PARTITIONS).run()?;
        // LVM keeps its label in the second sector of the volume, swap at the end of a page.
        file.write_all_at(&lvm_label(), (LVM_START + 1) * SECTOR)?;
        file.write_all_at(&swap_header(), SWAP_START * SECTOR + 1024)?;
        file.write_all_at(b"SWAPSPACE2", SWAP_START * SECTOR + 4096 - 10)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows the file as a block device, old partitions included.
    pub fn attach(&self) -> Result<LoopDevice> {
        let path = Cmd::new("losetup")
            .args(["--find", "--show", "--partscan"])
            .arg(&self.path)
            .output()
            .hint("loop devices need root")?;
        Ok(LoopDevice { path: PathBuf::from(path.trim()) })
    }
}

/// A loop device, detached when it goes out of scope.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    /// Returns the path of the device.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(e) = Cmd::new("losetup").arg("--detach").arg(&self.path).run() {
            term::warning(format_args!("{} stays attached: {e:#}", self.path.display()));
        }
    }
}

/// Version 1, last page 1000, as `struct swap_header` in include/linux/swap.h of the kernel.
fn swap_header() -> [u8; 8] {
    let mut header = [0; 8];
    header[..4].copy_from_slice(&1_u32.to_le_bytes());
    header[4..].copy_from_slice(&1000_u32.to_le_bytes());
    header
}

/// `struct label_header` of LVM's lib/label/label.h, with its checksum, and an identifier.
fn lvm_label() -> [u8; 512] {
    let mut sector = [0; 512];
    sector[..8].copy_from_slice(b"LABELONE");
    sector[8..16].copy_from_slice(&1_u64.to_le_bytes());
    sector[20..24].copy_from_slice(&32_u32.to_le_bytes());
    sector[24..32].copy_from_slice(b"LVM2 001");
    sector[32..64].copy_from_slice(b"abcdefABCDEFghijklGHIJKLmnopqrst");
    let crc = lvm_crc(&sector[20..]);
    sector[16..20].copy_from_slice(&crc.to_le_bytes());
    sector
}

fn lvm_crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xf597_a6cf, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _bit| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(disk: &StaleDisk, first_sector: u64) -> String {
        Cmd::new("blkid")
            .args(["--probe", "--output", "value", "--match-tag", "TYPE", "--offset"])
            .arg((first_sector * SECTOR).to_string())
            .arg(disk.path())
            .output()
            .unwrap()
    }

    #[test]
    fn the_past_is_what_other_tools_take_for_real() {
        let dir = tempfile::tempdir().unwrap();
        let disk = StaleDisk::create(&dir.path().join("disk"), 4 << 30).unwrap();
        assert_eq!(signature(&disk, LVM_START), "LVM2_member\n");
        assert_eq!(signature(&disk, SWAP_START), "swap\n");
        let table = Cmd::new("sfdisk").arg("--dump").arg(disk.path()).output().unwrap();
        assert!(table.contains("label: gpt") && table.contains("name=\"old-swap\""));
    }
}
