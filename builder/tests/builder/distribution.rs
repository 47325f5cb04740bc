//! A distribution of three packages, repacked from programs of the host in seconds: enough to
//! compose, commit and make images. GRUB and dracut are stubs, so nothing made of it boots.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nestos_host::cmd::Cmd;
use nix::fcntl::{Flock, FlockArg};

/// Suite of the repository.
pub(crate) const SUITE: &str = "test";
/// Release of the kernel that `tiny-boot` brings.
pub(crate) const KERNEL: &str = "1.0-tiny";

const PROGRAMS: [&str; 37] = [
    "sh",
    "bash",
    "env",
    "cat",
    "mkdir",
    "rmdir",
    "cp",
    "mv",
    "rm",
    "ln",
    "ls",
    "chmod",
    "chown",
    "touch",
    "tail",
    "head",
    "date",
    "sleep",
    "true",
    "false",
    "id",
    "find",
    "sed",
    "grep",
    "tar",
    "diff",
    "dpkg",
    "dpkg-deb",
    "dpkg-split",
    "dpkg-query",
    "ldconfig",
    "start-stop-daemon",
    "mke2fs",
    "e2fsck",
    "debugfs",
    "readlink",
    "dd",
];

/// Programs of the host that making and using the distribution takes.
const NEEDED: [&str; 10] = [
    "gpg",
    "dpkg-deb",
    "apt-get",
    "mmdebstrap",
    "ostree",
    "mcopy",
    "mkfs.vfat",
    "qemu-img",
    "debugfs",
    "ldd",
];

const DRACUT: &str = "#!/bin/sh\nfor last; do :; done\necho initramfs > \"$last\"\n";

/// Writes two sectors with the block list of a core image where GRUB has it; for CDs, more.
const GRUB_MKIMAGE: &str = "#!/bin/sh\nmore=512\n\
    case \"$*\" in *eltorito*) more=4096 ;; esac\n\
    while [ \"$1\" != -o ]; do shift; done\n\
    { head -c 508 /dev/zero; printf '\\001\\000\\000\\000'; head -c $more /dev/zero; } > \"$2\"\n";

/// A repository in a directory, signed with a key made for it.
#[derive(Debug)]
pub(crate) struct Distribution(PathBuf);

impl Distribution {
    /// Returns the distribution, made when it is missing or the host changed; `None` on a host
    /// that cannot make it, after saying so.
    pub(crate) fn get() -> Option<Self> {
        if !crate::workshop::is_root() {
            crate::workshop::skip("composing needs root");
            return None;
        }
        let missing: Vec<&str> = NEEDED.into_iter().filter(|p| which(p).is_none()).collect();
        if !missing.is_empty() {
            crate::workshop::skip(&format!("the host lacks {}", missing.join(", ")));
            return None;
        }
        let mut key = DefaultHasher::new();
        include_str!("distribution.rs").hash(&mut key);
        fs::metadata("/var/lib/dpkg/status").unwrap().mtime().hash(&mut key);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("distribution");
        let lock = fs::File::create(dir.with_extension("lock")).unwrap();
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
        let key = format!("{:x}", key.finish());
        if fs::read_to_string(dir.join("key")).is_ok_and(|k| k == key) {
            return Some(Self(dir));
        }
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        make(&dir);
        fs::write(dir.join("key"), key).unwrap();
        Some(Self(dir))
    }

    /// Returns a stanza for the config folder.
    pub(crate) fn sources(&self) -> String {
        let dir = self.0.display();
        format!(
            "Types: deb\nURIs: copy:{dir}\nSuites: {SUITE}\nComponents: main\n\
             Signed-By: {dir}/keyring.gpg\n"
        )
    }
}

fn make(dir: &Path) {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.join("pool")).unwrap();
    base(&work.path().join("base"));
    boot(&work.path().join("boot"));
    app(&work.path().join("app"));
    for (name, fields) in
        [("base", "Essential: yes\n"), ("boot", ""), ("app", "Depends: tiny-lib\n"), ("lib", "")]
    {
        package(&work.path().join(name), name, fields, &dir.join("pool"));
    }
    publish(dir, work.path());
}

fn base(root: &Path) {
    for (link, target) in
        [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")]
    {
        fs::create_dir_all(root.join(target)).unwrap();
        symlink(target, root.join(link)).unwrap();
    }
    for program in PROGRAMS {
        add_program(root, &which(program).unwrap());
    }
    file(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
    file(root, "etc/group", "root:x:0:\n", 0o644);
    file(root, "usr/lib/os-release", "NAME=Tiny\nID=tiny\nPRETTY_NAME=\"Tiny\"\n", 0o644);
    symlink("../usr/lib/os-release", root.join("etc/os-release")).unwrap();
    for dir in ["proc", "sys", "dev", "run", "tmp", "var/lib", "var/tmp", "root", "boot"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
}

fn boot(root: &Path) {
    file(root, &format!("boot/vmlinuz-{KERNEL}"), "kernel", 0o644);
    file(root, &format!("usr/lib/modules/{KERNEL}/modules.dep"), "", 0o644);
    file(root, "usr/bin/dracut", DRACUT, 0o755);
    file(root, "usr/bin/grub-mkimage", GRUB_MKIMAGE, 0o755);
    for platform in ["i386-pc", "x86_64-efi", "arm64-efi"] {
        file(root, &format!("usr/lib/grub/{platform}/normal.mod"), "module", 0o644);
    }
    file(root, "usr/lib/grub/i386-pc/boot.img", &"b".repeat(512), 0o644);
    file(root, "usr/lib/grub/i386-pc/boot_hybrid.img", &"h".repeat(512), 0o644);
}

fn app(root: &Path) {
    file(root, "etc/app.conf", "from the package\n", 0o644);
    fs::create_dir_all(root.with_file_name("lib")).unwrap();
}

fn package(root: &Path, name: &str, fields: &str, pool: &Path) {
    let arch = Cmd::new("dpkg").arg("--print-architecture").output().unwrap();
    let arch = arch.trim();
    let control = format!(
        "Package: tiny-{name}\nVersion: 1:1.0\nArchitecture: {arch}\nMaintainer: nosa tests\n\
         Priority: optional\n{fields}Description: part of a tiny distribution\n"
    );
    file(root, "DEBIAN/control", &control, 0o644);
    let deb = pool.join(format!("tiny-{name}_1.0_{arch}.deb"));
    Cmd::new("dpkg-deb")
        .args(["--build", "--root-owner-group", "-Znone"])
        .arg(root)
        .arg(deb)
        .run()
        .unwrap();
}

fn publish(dir: &Path, work: &Path) {
    let arch = Cmd::new("dpkg").arg("--print-architecture").output().unwrap();
    let arch = arch.trim();
    let mut index = String::new();
    for deb in fs::read_dir(dir.join("pool")).unwrap() {
        let deb = deb.unwrap().path();
        let control = Cmd::new("dpkg-deb").arg("--field").arg(&deb).output().unwrap();
        let name = deb.file_name().unwrap().to_str().unwrap();
        let size = deb.metadata().unwrap().len();
        index.push_str(&format!(
            "{}\nFilename: pool/{name}\nSize: {size}\nSHA256: {}\n\n",
            control.trim_end(),
            sha256(&deb)
        ));
    }
    let inside = format!("main/binary-{arch}/Packages");
    let suite = dir.join("dists").join(SUITE);
    file(&suite, &inside, &index, 0o644);
    let date = Cmd::new("date").args(["--utc", "--rfc-email"]).output().unwrap();
    let digest = sha256(&suite.join(&inside));
    let release = format!(
        "Suite: {SUITE}\nCodename: {SUITE}\nArchitectures: {arch}\nComponents: main\nDate: {}\n\
         SHA256:\n {digest} {} {inside}\n",
        date.trim(),
        index.len()
    );
    let gpg = || Cmd::new("gpg").args(["--batch", "--quiet", "--homedir"]).arg(work);
    fs::set_permissions(work, fs::Permissions::from_mode(0o700)).unwrap();
    gpg()
        .args([
            "--passphrase",
            "",
            "--quick-generate-key",
            "nosa tests",
            "rsa3072",
            "sign",
            "never",
        ])
        .run()
        .unwrap();
    gpg().args(["--export", "--output"]).arg(dir.join("keyring.gpg")).run().unwrap();
    gpg()
        .args(["--clearsign", "--output"])
        .arg(suite.join("InRelease"))
        .input(release)
        .run()
        .unwrap();
    drop(Cmd::new("gpgconf").arg("--homedir").arg(work).args(["--kill", "all"]).finish());
}

/// Copies a program of the host and the libraries it is linked with.
pub(crate) fn add_program(root: &Path, program: &Path) {
    copy(program, &root.join("usr").join(place(program)));
    let listed = Cmd::new("ldd").arg(program).finish().unwrap();
    for word in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        if word.starts_with('/') && !word.ends_with(':') {
            copy(Path::new(word), &root.join("usr").join(place(Path::new(word))));
        }
    }
}

/// Returns the place below /usr that a path of the host has in a tree with merged directories.
fn place(path: &Path) -> &Path {
    let path = path.strip_prefix("/").unwrap();
    path.strip_prefix("usr").unwrap_or(path)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// Returns the path of a program of the host.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.exists())
}

/// Writes a file and the directories above it.
pub(crate) fn file(root: &Path, inside: &str, text: &str, mode: u32) {
    let path = root.join(inside);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn sha256(path: &Path) -> String {
    let out = Cmd::new("sha256sum").arg(path).output().unwrap();
    out.split(' ').next().unwrap().to_owned()
}
