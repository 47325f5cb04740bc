//! Commands in the guest through OpenSSH's client. One connection carries all commands of a
//! session: under emulation each new one costs seconds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::clock;
use nestos_host::cmd::Cmd;
use tempfile::TempDir;

const INSTALL: &str = "install openssh-client";
/// How long a command in the guest may take unless said otherwise.
const COMMAND_TIME: Duration = Duration::from_secs(120);
/// What coreutils' timeout exits with when time ran out.
const TIMED_OUT: i32 = 124;
/// What ssh exits with when the connection failed.
const NO_CONNECTION: i32 = 255;

/// A throwaway key pair.
#[derive(Debug, Clone)]
pub struct SshKey {
    dir: Arc<TempDir>,
}

impl SshKey {
    /// Makes a new ed25519 key without a passphrase.
    pub fn generate() -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("nestos-ssh-")
            .tempdir()
            .context("cannot make a directory for an ssh key")?;
        let key = Self { dir: Arc::new(dir) };
        Cmd::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "nestos-vm", "-f"])
            .arg(key.private())
            .when_missing(INSTALL)
            .run()?;
        Ok(key)
    }

    /// Returns the public key as a line of `authorized_keys`.
    pub fn public(&self) -> Result<String> {
        let path = self.private().with_extension("pub");
        let line =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(line.trim().to_owned())
    }

    /// Returns the path of the private key.
    pub fn private(&self) -> PathBuf {
        self.dir.path().join("key")
    }
}

/// What a command in the guest gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// A session of a user in the guest.
#[derive(Debug)]
pub struct Ssh {
    destination: String,
    port: u16,
    key: SshKey,
    /// The socket of the connection that all commands share.
    control: PathBuf,
    master: Child,
    timeout: Duration,
}

impl Ssh {
    /// Tries once to log in; later attempts are more patient, because a connection that was
    /// opened before the guest had a network may never be answered.
    pub(crate) fn connect(user: &str, key: &SshKey, port: u16, attempt: u32) -> Result<Self> {
        let patience = Duration::from_secs(u64::from((5 * attempt).min(30)));
        let destination = format!("{user}@127.0.0.1");
        let id = format!("{port}-{attempt}-{}", clock::unix_seconds(clock::now()));
        let control = key.dir.path().join(format!("c{id}"));
        let log = key.dir.path().join("master.log");
        let stderr =
            File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut master = Cmd::new("ssh")
            .args(options(key, port))
            .arg(format!("-oConnectTimeout={}", patience.as_secs()))
            .args(["-M", "-N", "-S"])
            .arg(&control)
            .arg(&destination)
            .when_missing(INSTALL)
            .spawn(Stdio::null(), Stdio::null(), stderr.into())?;
        // Authentication comes after the handshake that ConnectTimeout is for.
        if let Err(e) = wait_for_master(&mut master, &control, 2 * patience) {
            // It may have ended by itself.
            drop(master.kill());
            drop(master.wait());
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(e.context(format!("cannot log in as {destination}: {}", said.trim())));
        }
        Ok(Self { destination, port, key: key.clone(), control, master, timeout: COMMAND_TIME })
    }

    /// Gives commands `timeout` instead of two minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs a shell command to its end, whatever its exit status.
    pub fn run(&self, command: &str) -> Result<Output> {
        self.finish(self.command(command), command)
    }

    /// Runs a shell command, requires success and returns its stdout without surrounding space.
    pub fn check(&self, command: &str) -> Result<String> {
        let output = self.run(command)?;
        require_success(&output, command)?;
        Ok(output.stdout.trim().to_owned())
    }

    /// Runs a shell command with `bytes` as its standard input and requires success.
    pub fn check_with_input(&self, command: &str, bytes: impl Into<Vec<u8>>) -> Result<String> {
        let output = self.finish(self.command(command).input(bytes), command)?;
        require_success(&output, command)?;
        Ok(output.stdout.trim().to_owned())
    }

    /// Copies a file of the host into the guest.
    pub fn copy_to(&self, from: &Path, to: &str) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.check_with_input(&format!("cat > {}", quoted(to)), bytes).map(drop)
    }

    /// Copies a file of the guest to the host.
    pub fn copy_from(&self, from: &str, to: &Path) -> Result<()> {
        let command = format!("cat {}", quoted(from));
        let bytes = self.command(&command).output_bytes()?;
        fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }

    fn command(&self, command: &str) -> Cmd {
        Cmd::new("timeout")
            .args(["-k", "5", &self.timeout.as_secs().to_string(), "ssh"])
            .args(options(&self.key, self.port))
            .arg("-S")
            .arg(&self.control)
            .args([&self.destination, "--", command])
    }

    fn finish(&self, cmd: Cmd, command: &str) -> Result<Output> {
        let finished = cmd.finish()?;
        let output = Output {
            status: finished.status.code().unwrap_or(TIMED_OUT),
            stdout: String::from_utf8_lossy(&finished.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&finished.stderr).into_owned(),
        };
        match output.status {
            TIMED_OUT => bail!("`{command}` in the guest took over {} s", self.timeout.as_secs()),
            NO_CONNECTION => bail!(
                "lost the connection to {} at `{command}`: {}",
                self.destination,
                output.stderr.trim()
            ),
            _ => Ok(output),
        }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        // The guest may have closed the connection; gone is gone.
        drop(self.master.kill());
        drop(self.master.wait());
    }
}

fn options(key: &SshKey, port: u16) -> Vec<String> {
    let key = key.private().display().to_string();
    [
        "-F/dev/null",
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=no",
        "-oUserKnownHostsFile=/dev/null",
        "-oIdentitiesOnly=yes",
        "-oLogLevel=ERROR",
        "-oServerAliveInterval=15",
        "-oServerAliveCountMax=8",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("-i{key}"), format!("-p{port}")])
    .collect()
}

fn wait_for_master(master: &mut Child, control: &Path, timeout: Duration) -> Result<()> {
    let deadline = clock::instant() + timeout;
    loop {
        // The client makes the socket after it has logged in.
        if control.exists() {
            return Ok(());
        }
        if let Some(status) = master.try_wait().context("cannot wait for ssh")? {
            bail!("ssh ended: {status}");
        }
        if clock::instant() >= deadline {
            bail!("no answer in {} s", timeout.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn require_success(output: &Output, command: &str) -> Result<()> {
    if output.status == 0 {
        return Ok(());
    }
    let said = format!("{}{}", output.stdout, output.stderr);
    Err(anyhow!("`{command}` in the guest exited with {}: {}", output.status, said.trim()))
}

/// Quotes a word for the guest's shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_and_removed() {
        let key = SshKey::generate().unwrap();
        assert!(key.public().unwrap().starts_with("ssh-ed25519 "));
        let path = key.private();
        assert!(path.exists());
        drop(key);
        assert!(!path.exists());
    }

    #[test]
    fn words_are_quoted_for_the_guest() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }

    #[test]
    fn a_failed_command_says_what_and_why() {
        let output =
            Output { status: 1, stdout: String::new(), stderr: "no such unit\n".to_owned() };
        let err = require_success(&output, "systemctl start x").unwrap_err();
        assert_eq!(err.to_string(), "`systemctl start x` in the guest exited with 1: no such unit");
    }
}
