//! The shape libostree deploys (ostree-prepare-root(1)): defaults in /usr/etc, everything mutable
//! below /var, an empty /var that tmpfiles.d fills on the machine, the package database in /usr.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};

use super::{remove_if_there, symlink};

/// Top-level directories that are links, and their targets.
const LINKS: [(&str, &str); 8] = [
    ("home", "var/home"),
    ("root", "var/roothome"),
    ("srv", "var/srv"),
    ("opt", "var/opt"),
    ("mnt", "var/mnt"),
    ("media", "run/media"),
    ("ostree", "sysroot/ostree"),
    ("usr/local", "../var/usrlocal"),
];

/// Directories of an empty /var that the links need.
const VAR_DIRS: [(&str, u32); 12] = [
    ("home", 0o755),
    ("roothome", 0o700),
    ("srv", 0o755),
    ("opt", 0o755),
    ("mnt", 0o755),
    ("usrlocal", 0o755),
    ("usrlocal/bin", 0o755),
    ("usrlocal/etc", 0o755),
    ("usrlocal/lib", 0o755),
    ("usrlocal/sbin", 0o755),
    ("usrlocal/share", 0o755),
    ("usrlocal/src", 0o755),
];

/// What a machine must make for itself, and what tells of the machine that installed the packages;
/// below /etc.
const MACHINE_FILES: [&str; 11] = [
    "apt/sources.list",
    "apt/apt.conf.d/99mmdebstrap",
    "machine-id",
    "hostname",
    "resolv.conf",
    "fstab",
    ".pwd.lock",
    "passwd-",
    "group-",
    "shadow-",
    "gshadow-",
];

/// Where the package database lives in an image.
const DPKG: &str = "usr/lib/sysimage/dpkg";

/// Converts a freshly composed tree.
pub(super) fn convert(root: &Path) -> Result<()> {
    for name in MACHINE_FILES {
        remove_if_there(&root.join("etc").join(name))?;
    }
    remove_host_keys(&root.join("etc/ssh"))?;
    let mut tmpfiles =
        String::from("# Made by nosa from the directories that packages ship in /var.\n");
    for (dir, mode) in VAR_DIRS {
        tmpfiles.push_str(&format!("d /var/{dir} {mode:04o} root root -\n"));
    }
    if root.join("var/lib/dpkg").is_dir() {
        fs::create_dir_all(root.join("usr/lib/sysimage"))
            .context("cannot create usr/lib/sysimage")?;
        fs::rename(root.join("var/lib/dpkg"), root.join(DPKG))
            .context("cannot move the package database")?;
        tmpfiles.push_str(&format!("L+ /var/lib/dpkg - - - - ../../{DPKG}\n"));
    }
    let users = Users::of(root)?;
    var_directories(&root.join("var"), "/var", &users, &mut tmpfiles)?;
    fs::create_dir_all(root.join("usr/lib/tmpfiles.d")).context("cannot create tmpfiles.d")?;
    fs::write(root.join("usr/lib/tmpfiles.d/nosa-autovar.conf"), tmpfiles)
        .context("cannot write nosa-autovar.conf")?;
    for (name, target) in LINKS {
        remove_if_there(&root.join(name))?;
        symlink(target, &root.join(name))?;
    }
    empty_directories(root)?;
    remove_if_there(&root.join("usr/etc"))?;
    fs::rename(root.join("etc"), root.join("usr/etc")).context("cannot move /etc to /usr/etc")
}

fn empty_directories(root: &Path) -> Result<()> {
    for (name, mode) in [
        ("var", 0o755),
        ("tmp", 0o1777),
        ("run", 0o755),
        ("dev", 0o755),
        ("proc", 0o755),
        ("sys", 0o755),
        ("sysroot", 0o755),
    ] {
        let dir = root.join(name);
        remove_if_there(&dir)?;
        fs::create_dir(&dir)
            .and_then(|()| fs::set_permissions(&dir, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("cannot create {}", dir.display()))?;
    }
    Ok(())
}

fn remove_host_keys(ssh: &Path) -> Result<()> {
    if ssh.is_dir() {
        let list = fs::read_dir(ssh).with_context(|| format!("cannot list {}", ssh.display()))?;
        for entry in list {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("ssh_host_") {
                remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}

/// Adds a tmpfiles.d line for each directory below `dir`. Package caches and lists are no state.
fn var_directories(dir: &Path, inside: &str, users: &Users, out: &mut String) -> Result<()> {
    const LEFT_OUT: [&str; 5] =
        ["/var/lib/apt", "/var/cache/apt", "/var/lib/dpkg", "/var/log/apt", "/var/local"];
    let list = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut names: Vec<_> = list.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    for name in names {
        let path = dir.join(&name);
        let inside = format!("{inside}/{}", name.to_string_lossy());
        let meta =
            path.symlink_metadata().with_context(|| format!("cannot read {}", path.display()))?;
        // White space cannot stand in a tmpfiles.d path; no package ships such a directory.
        let listed = meta.is_dir() && !LEFT_OUT.contains(&inside.as_str());
        if listed && !inside.contains(char::is_whitespace) {
            let mode = meta.permissions().mode() & 0o7777;
            let (user, group) = (users.user(meta.uid()), users.group(meta.gid()));
            out.push_str(&format!("d {inside} {mode:04o} {user} {group} -\n"));
            var_directories(&path, &inside, users, out)?;
        }
    }
    Ok(())
}

/// Names for the numbers in the tree.
#[derive(Debug)]
struct Users {
    passwd: Vec<(u32, String)>,
    group: Vec<(u32, String)>,
}

impl Users {
    fn of(root: &Path) -> Result<Self> {
        let read = |file: &str| -> Result<Vec<(u32, String)>> {
            let path = root.join(file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok(text.lines().filter_map(entry).collect())
        };
        Ok(Self { passwd: read("etc/passwd")?, group: read("etc/group")? })
    }

    fn user(&self, id: u32) -> String {
        name(&self.passwd, id)
    }

    fn group(&self, id: u32) -> String {
        name(&self.group, id)
    }
}

fn entry(line: &str) -> Option<(u32, String)> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    Some((fields.nth(1)?.parse().ok()?, name))
}

fn name(list: &[(u32, String)], id: u32) -> String {
    list.iter().find(|(n, _)| *n == id).map_or_else(|| id.to_string(), |(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_converted_tree_has_the_shape_that_is_deployed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for d in ["etc/ssh", "var/lib/x", "var/lib/dpkg", "usr/lib", "home/u", "usr/local/bin"] {
            fs::create_dir_all(root.join(d)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
        fs::write(root.join("etc/machine-id"), "").unwrap();
        fs::write(root.join("etc/ssh/ssh_host_rsa_key"), "secret").unwrap();
        convert(root).unwrap();
        assert_eq!(fs::read_link(root.join("home")).unwrap(), Path::new("var/home"));
        assert!(root.join("usr/etc/passwd").is_file() && !root.join("etc").exists());
        assert!(!root.join("usr/etc/machine-id").exists());
        assert!(!root.join("usr/etc/ssh/ssh_host_rsa_key").exists());
        assert_eq!(fs::read_dir(root.join("var")).unwrap().count(), 0);
        assert!(root.join(DPKG).is_dir());
        let conf = fs::read_to_string(root.join("usr/lib/tmpfiles.d/nosa-autovar.conf")).unwrap();
        assert!(conf.contains("d /var/lib/x 0755 "), "{conf}");
        assert!(conf.contains("L+ /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg\n"));
    }
}
