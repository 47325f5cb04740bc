//! Asks UEFI firmware to boot the installed disk once, whatever comes first in its order. The
//! order stays as it is: a disk that has no boot option gets one, at the end.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_formats::efi_boot::{self, ATTRIBUTES, GLOBAL_VARIABLE, LoadOption};
use nestos_host::term::WithHint;

const ORDER: &str = "BootOrder";
const NEXT: &str = "BootNext";
const CURRENT: &str = "BootCurrent";

/// The variables of the firmware as files: the first four bytes are their attributes
/// (Documentation/filesystems/efivarfs.rst).
#[derive(Debug)]
pub(crate) struct Variables {
    dir: PathBuf,
}

impl Variables {
    /// Returns the variables of the system at `root`; nothing if it was not booted by UEFI.
    pub(crate) fn of(root: &Path) -> Option<Self> {
        let firmware = root.join("sys/firmware/efi");
        firmware.exists().then(|| Self { dir: firmware.join("efivars") })
    }

    /// Makes the next boot that of `wanted`, and returns the number of the option.
    pub(crate) fn boot_once(&self, wanted: &LoadOption) -> Result<u16> {
        let number = self.option_for(wanted)?;
        self.write(NEXT, &efi_boot::order_bytes(&[number]))?;
        Ok(number)
    }

    /// Makes the next boot the same as this one.
    pub(crate) fn boot_again(&self) -> Result<()> {
        let current = self.read(CURRENT)?.context("the firmware does not say what it booted")?;
        self.write(NEXT, &current)
    }

    /// Returns whether an earlier wish is still there: the firmware did not fulfil it.
    pub(crate) fn is_pending(&self) -> Result<bool> {
        Ok(self.read(NEXT)?.is_some())
    }

    fn option_for(&self, wanted: &LoadOption) -> Result<u16> {
        let there = self.options()?;
        if let Some((number, _)) = there.iter().find(|(_, option)| option.boots_the_same(wanted)) {
            return Ok(*number);
        }
        let taken: Vec<u16> = self.numbers()?;
        let number =
            efi_boot::free_number(&taken).context("the firmware has no free boot option")?;
        self.write(&efi_boot::option_name(number), &wanted.to_bytes())?;
        let mut order = efi_boot::order(&self.read(ORDER)?.unwrap_or_default());
        order.push(number);
        self.write(ORDER, &efi_boot::order_bytes(&order))?;
        Ok(number)
    }

    fn numbers(&self) -> Result<Vec<u16>> {
        let suffix = format!("-{GLOBAL_VARIABLE}");
        let entries = fs::read_dir(&self.dir)
            .with_context(|| format!("cannot read {}", self.dir.display()))
            .hint("mount efivarfs there")?;
        let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        let mut numbers: Vec<u16> =
            names.filter_map(|name| efi_boot::option_number(name.strip_suffix(&suffix)?)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn options(&self) -> Result<Vec<(u16, LoadOption)>> {
        let mut options = Vec::new();
        for number in self.numbers()? {
            let bytes = self.read(&efi_boot::option_name(number))?;
            options.extend(bytes.and_then(|b| Some((number, LoadOption::parse(&b)?))));
        }
        Ok(options)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}-{GLOBAL_VARIABLE}"))
    }

    /// Returns the value of a variable; one that cannot be read is not one that is not there.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(bytes.get(4..).map(<[u8]>::to_vec)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read the firmware's variable {name}")),
        }
    }

    /// Writes a variable with one call, as efivarfs wants it.
    fn write(&self, name: &str, value: &[u8]) -> Result<()> {
        let bytes = [&ATTRIBUTES.to_le_bytes(), value].concat();
        let write = || File::create(self.path(name))?.write_all(&bytes);
        write().with_context(|| format!("cannot write the firmware's variable {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_formats::efi_boot::HardDrive;

    fn option(description: &str, start: u64) -> LoadOption {
        let drive = HardDrive { number: 2, start, sectors: 100, guid: [7; 16] };
        LoadOption::new(description, drive, "\\EFI\\BOOT\\BOOTX64.EFI")
    }

    fn firmware(options: &[(u16, LoadOption)], order: &[u16]) -> (tempfile::TempDir, Variables) {
        let root = tempfile::tempdir().unwrap();
        assert!(Variables::of(root.path()).is_none());
        fs::create_dir_all(root.path().join("sys/firmware/efi/efivars")).unwrap();
        let vars = Variables::of(root.path()).unwrap();
        for (number, option) in options {
            vars.write(&efi_boot::option_name(*number), &option.to_bytes()).unwrap();
        }
        vars.write(ORDER, &efi_boot::order_bytes(order)).unwrap();
        (root, vars)
    }

    #[test]
    fn a_disk_without_an_option_gets_one_behind_all_others() {
        let (root, vars) = firmware(&[(0, option("CD", 1)), (1, option("PXE", 2))], &[1, 0]);
        assert!(!vars.is_pending().unwrap());
        assert_eq!(vars.boot_once(&option("NestOS", 3)).unwrap(), 2);
        assert_eq!(efi_boot::order(&vars.read(ORDER).unwrap().unwrap()), [1, 0, 2]);
        assert_eq!(vars.read("Boot0002").unwrap().unwrap(), option("NestOS", 3).to_bytes());
        let next = root
            .path()
            .join("sys/firmware/efi/efivars")
            .join("BootNext-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        assert_eq!(fs::read(next).unwrap(), [7, 0, 0, 0, 2, 0]);
        assert!(vars.is_pending().unwrap());
    }

    #[test]
    fn the_option_of_an_earlier_installation_serves_again_and_the_order_stays() {
        let (_root, vars) = firmware(&[(0, option("CD", 1)), (5, option("mine", 3))], &[0]);
        assert_eq!(vars.boot_once(&option("NestOS", 3)).unwrap(), 5);
        assert_eq!(efi_boot::order(&vars.read(ORDER).unwrap().unwrap()), [0]);
        assert_eq!(vars.numbers().unwrap(), [0, 5]);
    }

    #[test]
    fn the_same_can_be_booted_again() {
        let (_root, vars) = firmware(&[], &[]);
        assert!(vars.boot_again().is_err());
        vars.write(CURRENT, &[3, 0]).unwrap();
        vars.boot_again().unwrap();
        assert_eq!(vars.read(NEXT).unwrap().unwrap(), [3, 0]);
    }

    #[test]
    fn a_boot_order_that_cannot_be_read_is_not_written() {
        let (root, vars) = firmware(&[], &[1, 0]);
        let order = root
            .path()
            .join("sys/firmware/efi/efivars")
            .join("BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        fs::remove_file(&order).unwrap();
        fs::create_dir(&order).unwrap();
        let err = vars.boot_once(&option("NestOS", 3)).unwrap_err();
        assert!(format!("{err:#}").contains("cannot read the firmware's variable BootOrder"));
        assert!(order.is_dir() && !vars.is_pending().unwrap());
    }
}
