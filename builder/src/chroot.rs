//! Running programs of the target in the target's own tree: private mount, process, IPC and host
//! name spaces, and no network. Nothing it mounts outlives it or is seen outside.

use std::path::{Path, PathBuf};

use nestos_host::cmd::Cmd;

/// Mounts what programs expect and enters the root. Arguments: root, number of binds, then
/// source and target of each, then the command. A script on stdin is copied into the tree's
/// private /run when the command is `-`.
const ENTER: &str = r#"
set -e
root=$1; binds=$2; shift 2
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=0755,size=1m tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    : > "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$binds" -gt 0 ]; do
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    shift 2; binds=$((binds - 1))
done
if [ "$1" = - ]; then
    cat > "$root/run/nosa-script"
    chmod 0700 "$root/run/nosa-script"
    exec chroot "$root" /run/nosa-script
fi
exec chroot "$root" "$@"
"#;

/// Prepares a program whose mounts are its own and which dies with nosa, and all it started with
/// it: nothing may work in a directory that the next nosa removes. `more` are options of
/// unshare(1).
pub(crate) fn confined(more: &[&str]) -> Cmd {
    Cmd::new("setpriv")
        .when_missing("install the package util-linux")
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"])
        .args(more)
}

/// A tree to run programs in.
#[derive(Debug, Clone)]
pub(crate) struct Chroot {
    root: PathBuf,
    binds: Vec<(PathBuf, String)>,
}

impl Chroot {
    /// Names the tree.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), binds: Vec::new() }
    }

    /// Shows the host directory `source` at `target`, which must be below /run or /tmp.
    pub(crate) fn bind(mut self, source: &Path, target: &str) -> Self {
        self.binds.push((source.to_owned(), target.to_owned()));
        self
    }

    /// Prepares a program of the tree; add its arguments to the result.
    pub(crate) fn cmd(&self, program: &str) -> Cmd {
        self.enter().named(program).arg(program)
    }

    /// Prepares a script, which may name any interpreter of the tree.
    pub(crate) fn script(&self, text: &str) -> Cmd {
        self.enter().named("the script").arg("-").input(text)
    }

    fn enter(&self) -> Cmd {
        let mut cmd = confined(&["--net", "--ipc", "--uts"])
            .clean_env()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .args(["sh", "-c", ENTER, "nosa"])
            .arg(&self.root)
            .arg(self.binds.len().to_string());
        for (source, target) in &self.binds {
            cmd = cmd.arg(source).arg(target);
        }
        cmd
    }
}
