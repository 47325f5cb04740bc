//! Health checks that people write: executables in `required.d` and `wanted.d`, as greenboot has
//! them. One in /etc takes the place of one with the same name in /usr/lib; a link to /dev/null
//! takes it away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::clock;
use nestos_host::cmd::Cmd;
use tracing::{info, warn};

use crate::daemon::config::named;

/// How long a script that was told to end may take.
const KILL_AFTER: &str = "--kill-after=10";

/// What a check's failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The deployment is bad.
    Required,
    /// It is logged.
    Wanted,
}

impl Weight {
    fn dir(self) -> &'static str {
        match self {
            Self::Required => "required.d",
            Self::Wanted => "wanted.d",
        }
    }
}

/// Runs the checks in the order of their names and returns what failed, one text each. All are run:
/// the second failure may explain the first.
pub(super) fn run(
    dirs: &[PathBuf],
    weight: Weight,
    limit: Duration,
    env: &[(&str, String)],
) -> Result<Vec<String>> {
    let dirs: Vec<PathBuf> = dirs.iter().map(|d| d.join(weight.dir())).collect();
    let mut failures = Vec::new();
    for (name, path) in named(&dirs, is_check)? {
        let name = name.to_string_lossy();
        info!(check = %name, "running");
        if let Some(why) = check(&path, limit, env) {
            warn!(check = %name, ?weight, why, "check failed");
            failures.push(format!("{name}: {why}"));
        }
    }
    Ok(failures)
}

/// Accepts files that can be executed; what cannot is most likely a mistake, and is named.
fn is_check(path: &Path) -> bool {
    let Ok(meta) = fs::metadata(path) else {
        warn!(check = %path.display(), "cannot be examined: not run");
        return false;
    };
    let executable = meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    if meta.is_file() && !executable {
        warn!(check = %path.display(), "is not executable: not run");
    }
    executable
}

/// Runs one check and returns why it failed, if it did.
fn check(path: &Path, limit: Duration, env: &[(&str, String)]) -> Option<String> {
    let begun = clock::instant();
    match ended(path, limit, env) {
        Ok(status) if status.success() => None,
        Ok(_) if begun.elapsed() >= limit => Some(format!("not done within {} s", limit.as_secs())),
        Ok(status) => Some(status.to_string()),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Runs a check under timeout(1), which ends it with its whole process group.
fn ended(path: &Path, limit: Duration, env: &[(&str, String)]) -> Result<ExitStatus> {
    let mut cmd = Cmd::new("timeout").args([KILL_AFTER, &limit.as_secs().to_string()]).arg(path);
    for (key, value) in env {
        cmd = cmd.env(key, value);
    }
    // The service manager has connected both to the journal.
    let mut child = cmd.spawn(Stdio::null(), Stdio::inherit(), Stdio::inherit())?;
    child.wait().with_context(|| format!("cannot wait for {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(dir: &Path, name: &str, body: &str) {
        fs::create_dir_all(dir).unwrap();
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run_in(root: &Path, weight: Weight, limit: u64) -> Vec<String> {
        let dirs = ["lib", "etc"].map(|d| root.join(d));
        let env = [("NESTOS_TEST", root.display().to_string())];
        run(&dirs, weight, Duration::from_secs(limit), &env).unwrap()
    }

    #[test]
    fn all_checks_run_by_name_and_failures_are_told() {
        let root = tempfile::tempdir().unwrap();
        let (lib, etc) = (root.path().join("lib/required.d"), root.path().join("etc/required.d"));
        script(&lib, "20-b", "echo b >> $NESTOS_TEST/log; exit 3");
        script(&etc, "10-a", "echo a >> $NESTOS_TEST/log; kill -9 $$");
        script(&etc, "30-c", "echo c >> $NESTOS_TEST/log");
        script(&root.path().join("etc/wanted.d"), "40-w", "exit 1");
        assert_eq!(
            run_in(root.path(), Weight::Required, 5),
            ["10-a: signal: 9 (SIGKILL)", "20-b: exit status: 3"]
        );
        assert_eq!(fs::read_to_string(root.path().join("log")).unwrap(), "a\nb\nc\n");
        assert_eq!(run_in(root.path(), Weight::Wanted, 5), ["40-w: exit status: 1"]);
    }

    #[test]
    fn etc_shadows_and_masks_and_other_files_are_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let (lib, etc) = (root.path().join("lib/required.d"), root.path().join("etc/required.d"));
        for name in ["shadowed", "masked", "not-executable"] {
            script(&lib, name, "exit 1");
        }
        script(&etc, "shadowed", "exit 0");
        std::os::unix::fs::symlink("/dev/null", etc.join("masked")).unwrap();
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(lib.join("not-executable"), mode).unwrap();
        fs::create_dir(lib.join("dir")).unwrap();
        assert_eq!(run_in(root.path(), Weight::Required, 5), Vec::<String>::new());
    }

    #[test]
    fn a_check_that_hangs_is_ended_with_its_children() {
        let root = tempfile::tempdir().unwrap();
        let body = "flock $NESTOS_TEST/lock sleep 100000 & wait";
        script(&root.path().join("lib/required.d"), "hang", body);
        assert_eq!(run_in(root.path(), Weight::Required, 1), ["hang: not done within 1 s"]);
        // The lock is free when the child and its own child are gone.
        fs::File::open(root.path().join("lock")).unwrap().lock().unwrap();
    }
}
