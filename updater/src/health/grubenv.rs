//! GRUB's environment block as a file. GRUB finds it by its path and writes into its blocks; we
//! replace it, so that a power cut leaves the old or the new one. See [`nestos_formats::grubenv`].

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_formats::grubenv::Grubenv;

/// Reads the file; a missing one is an empty block.
pub fn read(path: &Path) -> Result<Grubenv> {
    match fs::read(path) {
        Ok(bytes) => {
            Grubenv::parse(&bytes).with_context(|| format!("cannot understand {}", path.display()))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Grubenv::default()),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Replaces the file.
pub fn write(env: &Grubenv, path: &Path) -> Result<()> {
    let bytes = env.to_bytes().with_context(|| format!("cannot fill {}", path.display()))?;
    nestos_host::atomic::write(path, &bytes, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_host::cmd::Cmd;

    #[test]
    fn a_missing_file_is_empty_and_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        let mut env = read(&path).unwrap();
        assert_eq!(env, Grubenv::default());
        env.set("a", "b");
        write(&env, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), env.to_bytes().unwrap());
        assert_eq!(read(&path).unwrap(), env);
    }

    #[test]
    fn grub_editenv_reads_what_is_written_and_the_other_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grubenv");
        let mut env = Grubenv::default();
        env.set("boot_counter", "3");
        env.set("odd", "a\\b");
        write(&env, &path).unwrap();
        let editenv = |args: &[&str]| Cmd::new("grub-editenv").arg(&path).args(args).output();
        let Ok(list) = editenv(&["list"]) else {
            nestos_host::term::warning("SKIPPED: grub-editenv is missing");
            return;
        };
        assert_eq!(list, "boot_counter=3\nodd=a\\b\n");
        editenv(&["set", "boot_counter=-1"]).unwrap();
        assert_eq!(read(&path).unwrap().get("boot_counter").as_deref(), Some("-1"));
    }
}
