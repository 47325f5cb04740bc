//! Runs the installer: what it says goes to every console, and how it ended is kept.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow};
use nestos_formats::command_line::CommandLine;
use nestos_host::cmd::Cmd;
use nestos_host::{atomic, term};

use super::files::{self, OptionFiles};
use super::options;
use super::state::{self, Failure, State};
use crate::console;

const PROGRAM: &str = "nestos-installer";
const OPTION_FILE: &str = "kernel-arguments.yaml";
const REPORT: &str = "report.json";
/// Exit status of a program that does not understand its arguments.
const USAGE: i32 = 2;
/// Most bytes of a line, and most lines of an error, that are kept.
const LONGEST_LINE: u64 = 4096;
const MOST_LINES: usize = 200;

/// Installs as the command line and the option files of the system at `root` ask.
pub(crate) fn install(root: &Path) -> Result<()> {
    install_with(root, PROGRAM)?;
    // Hooks look for what is on the disk by its labels.
    if let Err(err) = Cmd::new("udevadm").args(["settle", "--timeout=60"]).run() {
        term::warning(format!("the links of the new partitions may not be there yet: {err:#}"));
    }
    Ok(())
}

fn install_with(root: &Path, program: &str) -> Result<()> {
    let failed = |reason: String, written| {
        let failure = Failure { reason, written };
        state::tell(root, &State::Failed(failure.clone()));
        if let Err(e) = state::keep(root, &failure) {
            term::error(&e);
        }
        anyhow!("NestOS was not installed")
    };
    let prepared = prepare(root).and_then(|argv| {
        state::tell(root, &State::Started);
        console::write_below(root, "\nNestOS: the unattended installation begins\n");
        start(root, Cmd::new(program).args(argv))
    });
    let ended = match prepared {
        Ok(ended) => ended,
        Err(e) => return Err(failed(term::error_lines(&e).join("\n"), Some(false))),
    };
    if !ended.status.success() {
        let written = ended.written();
        return Err(failed(ended.reason(), written));
    }
    let disk = installed_disk(root)?;
    files::remove(root)?;
    state::tell(root, &State::Installed(disk));
    Ok(())
}

fn prepare(root: &Path) -> Result<Vec<std::ffi::OsString>> {
    let line = super::command_line(root)?;
    let files = OptionFiles::read(root)?;
    let dir = state::directory(root)?;
    let option_file = dir.join(OPTION_FILE);
    atomic::write(&option_file, options::option_file(&line, &files).as_bytes(), 0o600)?;
    if let Some(advice) = advice(&line) {
        console::write_below(root, &format!("warning: {advice}\n"));
    }
    Ok(options::arguments_of(&line, &files, &option_file, &dir.join(REPORT)))
}

/// What an argument cannot do is said where it would be missed.
fn advice(line: &CommandLine) -> Option<&'static str> {
    line.own_values("inst").next()?;
    Some("nestos.inst does nothing: nestos.inst.install_dev names the disk")
}

/// Returns the disk that the installer's report names.
pub(crate) fn installed_disk(root: &Path) -> Result<PathBuf> {
    let path = state::directory(root)?.join(REPORT);
    let read = || -> Result<PathBuf> {
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
        let disk = report.pointer("/disk/path").and_then(|p| p.as_str());
        disk.map(PathBuf::from).context("it names no disk")
    };
    read().with_context(|| format!("cannot use the installer's report {}", path.display()))
}

/// How the installer ended.
struct Ended {
    status: ExitStatus,
    error: Vec<String>,
}

impl Ended {
    fn reason(&self) -> String {
        if self.error.is_empty() {
            format!("error: {PROGRAM} ended without a reason: {}", self.status)
        } else {
            self.error.join("\n")
        }
    }

    /// The installer says in its first line what became of the disk.
    fn written(&self) -> Option<bool> {
        let text = self.error.join("\n");
        if self.status.code() == Some(USAGE) || text.contains(" was not touched") {
            return Some(false);
        }
        let known = ["left unbootable", "stays as it is", "unknown state", "is installed, but"];
        known.iter().any(|word| text.contains(word)).then_some(true)
    }
}

fn start(root: &Path, program: Cmd) -> Result<Ended> {
    let mut child = program.spawn(Stdio::null(), Stdio::inherit(), Stdio::piped())?;
    let mut error: Vec<String> = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in lines(stderr) {
            term::status(&line);
            console::write_below(root, &format!("{line}\n"));
            let follows = !error.is_empty() && error.len() < MOST_LINES;
            if follows || line.starts_with("error:") {
                error.push(line);
            }
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for {PROGRAM}"))?;
    Ok(Ended { status, error })
}

/// Returns lines as text; overlong ones in pieces.
fn lines(from: impl Read) -> impl Iterator<Item = String> {
    let mut from = BufReader::new(from);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let read = (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        read.is_ok_and(|n| n > 0).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A live system whose installer writes its arguments down and then runs `script`.
    fn live(line: &str, script: &str) -> (tempfile::TempDir, String) {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for dir in ["proc", "sys/class/tty/console", "dev/virtio-ports", "etc/nestos/installer.d"] {
            fs::create_dir_all(path(dir)).unwrap();
        }
        fs::write(path("proc/cmdline"), line).unwrap();
        fs::write(path("sys/class/tty/console/active"), "ttyS0").unwrap();
        for file in ["dev/ttyS0", "dev/virtio-ports/nestos.installer", "dev/kmsg"] {
            fs::write(path(file), "").unwrap();
        }
        let program = path("installer");
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > {0}/argv\n\
             report=$(tail -1 {0}/argv)\n{script}\n",
            root.path().display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let program = program.to_string_lossy().into_owned();
        (root, program)
    }

    fn read(root: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(root.path().join(name)).unwrap()
    }

    #[test]
    fn an_installation_is_told_everywhere_and_leaves_no_option_files() {
        let (root, program) = live(
            "nestos.inst.install_dev=sda nestos.inst.ignition_url=http://u:secret@h/a.ign",
            "echo 'written 1 of 2 MiB' >&2\necho '{\"disk\": {\"path\": \"/dev/sda\"}}' > $report",
        );
        fs::write(root.path().join("etc/nestos/installer.d/a.yaml"), "copy-network: true").unwrap();
        install_with(root.path(), &program).unwrap();
        assert!(!root.path().join("etc/nestos/installer.d").exists());
        assert!(read(&root, "dev/ttyS0").contains("written 1 of 2 MiB\r\n"));
        assert_eq!(
            read(&root, "dev/virtio-ports/nestos.installer"),
            "{\"state\":\"started\"}\n{\"disk\":\"/dev/sda\",\"state\":\"installed\"}\n"
        );
        let argv = read(&root, "argv");
        assert!(argv.starts_with("install\n--config-file\n") && !argv.contains("secret"), "{argv}");
        let options = root.path().join("run/nestos-installer").join(OPTION_FILE);
        assert!(fs::read_to_string(&options).unwrap().contains("secret"));
        assert_eq!(fs::metadata(&options).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_failure_is_kept_with_what_became_of_the_disk() {
        for (script, written) in [
            (
                "echo 'error: cannot install on sda; the disk was not touched' >&2; exit 1",
                Some(false),
            ),
            (
                "echo 'error: cannot install on sda; the disk was left unbootable' >&2; exit 1",
                Some(true),
            ),
            ("echo 'error: unexpected argument' >&2; exit 2", Some(false)),
            ("kill -9 $$", None),
        ] {
            let (root, program) = live("nestos.inst.install_dev=sda", script);
            fs::write(root.path().join("etc/nestos/installer.d/a.yaml"), "").unwrap();
            install_with(root.path(), &program).unwrap_err();
            let failure = state::kept(root.path()).unwrap();
            assert_eq!(failure.written, written, "{script}");
            assert!(root.path().join("etc/nestos/installer.d/a.yaml").exists());
            assert!(read(&root, "dev/virtio-ports/nestos.installer").contains("\"failed\""));
        }
    }

    #[test]
    fn all_lines_of_an_error_are_kept() {
        let script = "echo 'image: x' >&2; echo 'error: a' >&2; echo '  because: b' >&2; \
                      echo 'hint: c' >&2; exit 1";
        let (root, program) = live("nestos.inst.install_dev=sda", script);
        install_with(root.path(), &program).unwrap_err();
        assert_eq!(state::kept(root.path()).unwrap().reason, "error: a\n  because: b\nhint: c");
    }

    #[test]
    fn a_missing_installer_touches_nothing() {
        let (root, _) = live("nestos.inst.install_dev=sda", "");
        install_with(root.path(), "/nonexistent/installer").unwrap_err();
        let failure = state::kept(root.path()).unwrap();
        assert_eq!(failure.written, Some(false));
        assert!(failure.reason.contains("cannot run /nonexistent/installer"), "{}", failure.reason);
    }
}
