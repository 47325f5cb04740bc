//! The one place that starts programs. A failure names the program, its exit and the end of its
//! stderr; secrets never travel as arguments (use [`Cmd::input`]).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
#[expect(clippy::disallowed_types, reason = "this is the wrapper the lint asks for")]
use std::process::Command;
use std::process::{Child, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::term::WithHint;

/// How many trailing lines of a program's output an error shows.
const TAIL_LINES: usize = 20;

/// A program to run, with its arguments.
#[derive(Debug)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    clear_env: bool,
    cwd: Option<PathBuf>,
    input: Option<Vec<u8>>,
    log: Option<PathBuf>,
    hint: Option<String>,
    shown: Option<String>,
}

impl Cmd {
    /// Names the program; it is looked up in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            clear_env: false,
            cwd: None,
            input: None,
            log: None,
            hint: None,
            shown: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn clean_env(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_owned());
        self
    }

    /// Feeds `bytes` to the program's standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Appends stdout and stderr to a log file; an error quotes its end and names it.
    #[must_use]
    pub fn log(mut self, path: impl AsRef<Path>) -> Self {
        self.log = Some(path.as_ref().to_owned());
        self
    }

    /// Says what to do when the program is missing, such as which package holds it.
    #[must_use]
    pub fn when_missing(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the program in errors by what matters to the reader, when `program` only starts it.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.shown = Some(name.into());
        self
    }

    /// Runs the program and requires success; its stdout is dropped.
    pub fn run(self) -> Result<()> {
        self.output().map(drop)
    }

    /// Runs the program, requires success and returns its stdout as text.
    pub fn output(self) -> Result<String> {
        let bytes = self.output_bytes()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Runs the program, requires success and returns its stdout.
    pub fn output_bytes(self) -> Result<Vec<u8>> {
        let name = self.name();
        let log = self.log.clone();
        let done = self.finish()?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let tail = tail(&String::from_utf8_lossy(&done.stderr));
        let place = log.map(|p| format!(" (full log: {})", p.display())).unwrap_or_default();
        if tail.is_empty() {
            bail!("{name} failed: {}{place}", done.status);
        }
        bail!("{name} failed: {}{place}:\n{tail}", done.status)
    }

    /// Runs the program to its end, whatever its exit status.
    pub fn finish(mut self) -> Result<Finished> {
        let input = self.input.take();
        let mut log = self.open_log()?;
        let mut command = self.command();
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some((file, _)) = &log {
            command.stdout(file.try_clone()?).stderr(file.try_clone()?);
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = self.started(command.spawn())?;
        let writer = input.zip(child.stdin.take()).map(|(bytes, mut pipe)| {
            // A program that does not read all its input says so by its exit status.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)))
        });
        let out =
            child.wait_with_output().with_context(|| format!("cannot wait for {}", self.name()))?;
        if let Some(thread) = writer {
            thread.join().map_err(|_panic| anyhow!("writing to {} failed", self.name()))?;
        }
        let mut stderr = out.stderr;
        if let Some((file, start)) = &mut log {
            file.seek(SeekFrom::Start(*start))?;
            file.read_to_end(&mut stderr)?;
        }
        Ok(Finished { status: out.status, stdout: out.stdout, stderr })
    }

    /// Starts the program with inherited terminal and waits; for programs a person talks to.
    pub fn interactive(self) -> Result<ExitStatus> {
        let mut command = self.command();
        let mut child = self.started(command.spawn())?;
        child.wait().with_context(|| format!("cannot wait for {}", self.name()))
    }

    /// Starts the program in the background with the given standard streams.
    pub fn spawn(self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child> {
        let mut command = self.command();
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        self.started(command.spawn())
    }

    fn name(&self) -> String {
        self.shown.clone().unwrap_or_else(|| self.program.to_string_lossy().into_owned())
    }

    #[expect(clippy::disallowed_types, reason = "this is the wrapper the lint asks for")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        if self.clear_env {
            command.env_clear();
        }
        command.envs(self.envs.iter().map(|(k, v)| (k, v)));
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        command
    }

    fn open_log(&self) -> Result<Option<(File, u64)>> {
        let Some(path) = &self.log else { return Ok(None) };
        let open = || -> std::io::Result<(File, u64)> {
            let file = File::options().create(true).read(true).append(true).open(path)?;
            let start = file.metadata()?.len();
            Ok((file, start))
        };
        open().map(Some).with_context(|| format!("cannot open the log {}", path.display()))
    }

    fn started(&self, spawned: std::io::Result<Child>) -> Result<Child> {
        match spawned {
            Ok(child) => Ok(child),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let missing = Err(anyhow!("cannot run {}: {e}", self.name()));
                match &self.hint {
                    Some(hint) => missing.hint(hint.clone()),
                    None => missing,
                }
            }
            Err(e) => Err(e).with_context(|| format!("cannot run {}", self.name())),
        }
    }
}

/// A program that ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to stdout; empty when a log took it.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr, or to the log.
    pub stderr: Vec<u8>,
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let skip = lines.len().saturating_sub(TAIL_LINES);
    lines[skip..].iter().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_reaches_the_program_and_stdout_comes_back() {
        assert_eq!(Cmd::new("tr").args(["a-z", "A-Z"]).input("abc").output().unwrap(), "ABC");
    }

    #[test]
    fn failure_names_the_program_and_quotes_its_stderr() {
        let err = Cmd::new("sh").args(["-c", "echo no such thing >&2; exit 3"]).run().unwrap_err();
        assert_eq!(err.to_string(), "sh failed: exit status: 3:\n    no such thing");
    }

    #[test]
    fn a_program_that_only_starts_another_stays_out_of_the_error() {
        let err = Cmd::new("sh").args(["-c", "exit 3"]).named("mkfs.xfs").run().unwrap_err();
        assert_eq!(err.to_string(), "mkfs.xfs failed: exit status: 3");
    }

    #[test]
    fn a_missing_program_comes_with_advice() {
        let err = Cmd::new("no-such-prog").when_missing("install no-such").run().unwrap_err();
        assert!(crate::term::error_lines(&err).contains(&"hint: install no-such".to_owned()));
    }

    #[test]
    fn a_log_keeps_everything_and_the_error_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        Cmd::new("sh").args(["-c", "echo first"]).log(&log).run().unwrap();
        let err = Cmd::new("sh").args(["-c", "echo second; exit 1"]).log(&log).run().unwrap_err();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "first\nsecond\n");
        let text = err.to_string();
        assert!(text.contains("second") && !text.contains("first") && text.contains("/log"));
    }
}
