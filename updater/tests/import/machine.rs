//! A machine: a file system of its own with a repository, and the program under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nestos_host::cmd::Cmd;
use nestos_host::term;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use crate::tree::Tree;

const UPDATER: &str = env!("CARGO_BIN_EXE_nestos-updater");

/// The file system of one test. It is the test's thread that sees it, and what it starts.
pub(crate) struct Machine {
    dir: TempDir,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it printed on stdout, when it succeeded.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert!(self.success, "{}", self.stderr);
        self.stdout.trim_end()
    }

    /// The lines of its error, when it failed.
    #[track_caller]
    pub(crate) fn failed(&self) -> Vec<&str> {
        assert!(!self.success, "{self:?}");
        self.stderr.lines().collect()
    }
}

impl Machine {
    /// Returns a machine with an empty repository; `None`, said loudly, where there can be none.
    pub(crate) fn new() -> Option<Self> {
        Self::with_disk(1024)
    }

    /// The same, with so many MiB of disk.
    pub(crate) fn with_disk(mib: u32) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            term::warning("SKIPPED: importing images needs root and loop devices");
            return None;
        }
        // The thread of this test leaves the mounts of all others.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).unwrap();
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        // In memory: a sync of the repository waits for nobody else's files.
        mount(Some("tmpfs"), machine.dir.path(), Some("tmpfs"), MsFlags::empty(), none).unwrap();
        let (image, disk) = (machine.dir.path().join("disk.img"), machine.disk());
        fs::File::create(&image).unwrap().set_len(u64::from(mib) << 20).unwrap();
        Cmd::new("mkfs.ext4").args(["-q", "-E", "nodiscard"]).arg(&image).run().unwrap();
        fs::create_dir(&disk).unwrap();
        Cmd::new("mount").args(["-o", "loop"]).arg(&image).arg(&disk).run().unwrap();
        machine.make_containers_config();
        machine.init_repo("repo");
        Some(machine)
    }

    fn make_containers_config(&self) {
        let config = self.dir.path().join("containers");
        fs::create_dir_all(config.join("registries.conf.d")).unwrap();
        fs::write(config.join("policy.json"), r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)
            .unwrap();
        fs::write(config.join("registries.conf"), "").unwrap();
        let none = None::<&str>;
        mount(Some(&config), "/etc/containers", none, MsFlags::MS_BIND, none).unwrap();
    }

    /// Lets the program ask a host without TLS.
    pub(crate) fn trust(&self, host: &str) {
        let rule = format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true\n");
        let file = format!("registries.conf.d/{}.conf", host.replace(':', "-"));
        fs::write(self.dir.path().join("containers").join(file), rule).unwrap();
    }

    /// Returns the folder on which the disk is mounted.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// Returns a repository.
    pub(crate) fn repo(&self, name: &str) -> PathBuf {
        self.disk().join(name)
    }

    /// Makes another repository.
    pub(crate) fn init_repo(&self, name: &str) {
        self.ostree(name, &["init", "--mode=bare"]);
    }

    /// Imports an image into the repository.
    pub(crate) fn pull(&self, image: &str) -> Ran {
        self.pull_into("repo", image)
    }

    /// Imports an image into one of the repositories.
    pub(crate) fn pull_into(&self, repo: &str, image: &str) -> Ran {
        run(Cmd::new(UPDATER).args(["--quiet", "pull", "--repo"]).arg(self.repo(repo)).arg(image))
    }

    /// Begins to import an image.
    pub(crate) fn start_pull(&self, image: &str) -> Child {
        let pull = Cmd::new(UPDATER).args(["--quiet", "pull", "--repo"]);
        pull.arg(self.repo("repo"))
            .arg(image)
            .spawn(Stdio::null(), Stdio::null(), Stdio::null())
            .unwrap()
    }

    /// Runs a verb on the sysroot that [`Self::init_sysroot`] made.
    pub(crate) fn verb(&self, args: &[&str]) -> Ran {
        run(Cmd::new(UPDATER).args(["--quiet", "--sysroot"]).arg(self.disk()).args(args))
    }

    /// Makes a sysroot with one deployment, of the branch `nestos/stable`.
    pub(crate) fn init_sysroot(&self, tree: &Tree) {
        let (disk, content) = (self.disk(), self.dir.path().join("tree"));
        let admin = |args: &[&str]| {
            let sysroot = format!("--sysroot={}", disk.display());
            Cmd::new("ostree").args(["admin", args[0], &sysroot]).args(&args[1..]).run().unwrap();
        };
        Cmd::new("ostree").args(["admin", "init-fs"]).arg(&disk).run().unwrap();
        admin(&["os-init", "nestos"]);
        tree.write(&content);
        let content = format!("--tree=dir={}", content.display());
        let commit = ["commit", "-b", "nestos/stable", "--add-metadata-string=version=0", &content];
        self.ostree("ostree/repo", &commit);
        let kargs = ["--karg=root=LABEL=root", "--karg=quiet"];
        admin(&["deploy", "--os=nestos", kargs[0], kargs[1], "nestos/stable"]);
    }

    /// Returns kernel arguments of the boot entries, in the order of the menu.
    pub(crate) fn menu(&self) -> Vec<String> {
        let found = fs::read_dir(self.disk().join("boot/loader/entries")).unwrap();
        let mut entries: Vec<(u32, String)> = Vec::new();
        let field = |text: &str, key: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap();
            line.trim().to_owned()
        };
        for entry in found {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            entries.push((field(&text, "version").parse().unwrap(), field(&text, "options")));
        }
        entries.sort_by_key(|e| std::cmp::Reverse(e.0));
        entries.into_iter().map(|e| e.1).collect()
    }

    /// Runs `ostree` on a repository.
    #[track_caller]
    pub(crate) fn ostree(&self, repo: &str, args: &[&str]) -> String {
        let (command, rest) = args.split_first().unwrap();
        let repo = format!("--repo={}", self.repo(repo).display());
        Cmd::new("ostree").arg(command).arg(repo).args(rest).output().unwrap()
    }

    /// Checks all objects of the repository.
    #[track_caller]
    pub(crate) fn fsck(&self, repo: &str) {
        self.ostree(repo, &["fsck", "-q"]);
    }

    /// Returns the refs, sorted.
    pub(crate) fn refs(&self, repo: &str) -> Vec<String> {
        let mut refs: Vec<_> = self.ostree(repo, &["refs"]).lines().map(str::to_owned).collect();
        refs.sort();
        refs
    }

    /// Returns what is left of imports that did not end.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.repo("repo").join("tmp")).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| n.starts_with("staging")).collect()
    }

    /// Returns some lines of `ostree ls -R`: those of paths with this start.
    pub(crate) fn tree(&self, commit: &str, below: &str) -> Vec<String> {
        let all = self.ostree("repo", &["ls", "-R", commit]);
        let below = all.lines().filter(|l| l.contains(&format!(" {below}")));
        below.map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Returns the content of a file of a commit.
    pub(crate) fn cat(&self, commit: &str, path: &str) -> String {
        self.ostree("repo", &["cat", commit, path])
    }

    /// Returns dirtree and dirmeta of a commit's root.
    pub(crate) fn root(&self, repo: &str, commit: &str) -> String {
        let line = self.ostree(repo, &["ls", "-d", "-C", commit, "/"]);
        line.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        umount2("/etc/containers", MntFlags::MNT_DETACH).ok();
        umount2(&self.disk(), MntFlags::MNT_DETACH).ok();
        umount2(self.dir.path(), MntFlags::MNT_DETACH).ok();
    }
}

fn run(cmd: Cmd) -> Ran {
    let done = cmd.finish().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { success: done.status.success(), stdout: text(done.stdout), stderr: text(done.stderr) }
}
