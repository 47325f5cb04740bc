//! A shell on the serial console, used the way a person at it does, with the results of commands.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nestos_vm::Vm;

/// How long a prompt may take to come after the machine offered it.
const PROMPT_TIME: Duration = Duration::from_secs(120);
/// How long a command may take unless said otherwise.
const COMMAND_TIME: Duration = Duration::from_secs(120);

/// Bytes of a file that go into one line; a terminal takes 4095 characters.
const PIECE: usize = 800;

/// A shell that waits for a command.
#[derive(Debug)]
pub struct Shell<'a> {
    vm: &'a Vm,
    commands: Cell<u32>,
}

impl<'a> Shell<'a> {
    /// Takes over a shell that somebody is logged in to.
    pub fn of(vm: &'a Vm) -> Result<Self> {
        let shell = Self { vm, commands: Cell::new(0) };
        // What was typed before the shell listened may be lost.
        vm.serial().press_until("\necho re''ady\n", "ready\n", PROMPT_TIME)?;
        shell.run("stty cols 500 -echo; PS1='# '; unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off' 2>/dev/null; true")?;
        Ok(shell)
    }

    /// Logs in at the prompt with a password.
    pub fn log_in(vm: &'a Vm, user: &str, password: &str, timeout: Duration) -> Result<Self> {
        let console = vm.serial();
        console.press_until("\n", "login:", timeout)?;
        console.send_line(user)?;
        console.expect("assword:", PROMPT_TIME)?;
        console.send_line(password)?;
        Self::of(vm).with_context(|| format!("logging in as {user}"))
    }

    /// Runs a command, requires success and returns what it printed, without surrounding space.
    pub fn check(&self, command: &str) -> Result<String> {
        let (status, printed) = self.run_for(command, COMMAND_TIME)?;
        ensure!(status == 0, "`{command}` exited with {status} and printed {printed:?}");
        Ok(printed)
    }

    /// Writes a file; a line of a terminal has a limit, so it goes in pieces.
    pub fn write_file(&self, path: &str, content: &str) -> Result<()> {
        self.check(&format!(": > {path}"))?;
        for piece in content.as_bytes().chunks(PIECE) {
            let octal: String = piece.iter().map(|byte| format!("\\{byte:03o}")).collect();
            self.check(&format!("printf '{octal}' >> {path}"))?;
        }
        Ok(())
    }

    /// Runs a command and returns its exit status and what it printed.
    pub fn run(&self, command: &str) -> Result<(i32, String)> {
        self.run_for(command, COMMAND_TIME)
    }

    /// Runs a command that may take `timeout`.
    pub fn run_for(&self, command: &str, timeout: Duration) -> Result<(i32, String)> {
        let number = self.commands.get() + 1;
        self.commands.set(number);
        let console = self.vm.serial();
        console.skip_to_end();
        // An echo of the line holds the markers in pieces only. It is one line, because sudo hands
        // what was typed ahead to the program it runs.
        console.send_line(&format!(
            "printf '<%s-{number}>\\n' from; {command}; printf '<%s-{number}:%d>\\n' to $?"
        ))?;
        console.expect(&format!("<from-{number}>\n"), timeout)?;
        console.expect(&format!("<to-{number}:"), timeout)?;
        console.expect(">", PROMPT_TIME)?;
        let text = console.transcript();
        let (from, to) = (format!("<from-{number}>\n"), format!("<to-{number}:"));
        let start = text.rfind(&from).context("the first marker is gone")? + from.len();
        let end = text.rfind(&to).context("the second marker is gone")?;
        let status = text[end + to.len()..].split('>').next().unwrap_or_default();
        let status = status.trim().parse().with_context(|| format!("no status in {status:?}"))?;
        let lines = text[start..end].lines().filter(|line| !line.contains("printf '<%s"));
        let printed: Vec<_> = lines.map(|line| line.trim_start_matches("# ")).collect();
        Ok((status, printed.join("\n").trim().to_owned()))
    }
}
