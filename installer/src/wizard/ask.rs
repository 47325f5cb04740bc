//! Questions and answers, a line each. On a terminal a wrong answer is asked again and a secret
//! is not shown; from a pipe a wrong answer ends the conversation, because the next line answers
//! another question.

use std::fmt;
use std::io::{self, BufRead, IsTerminal};
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use nestos_host::term;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::give_up;
use super::messages::Messages;

/// Terminal settings to go back to while a secret is typed.
static HIDDEN: Mutex<Option<Termios>> = Mutex::new(None);

/// Shows what is typed again, if a secret was being typed.
pub(super) fn restore_echo() {
    if let Some(settings) = HIDDEN.lock().ok().and_then(|mut hidden| hidden.take()) {
        // Without a terminal there is nothing to show and nobody to tell.
        drop(tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings).map_err(io::Error::from));
    }
}

/// Where answers come from.
pub(super) struct Answers {
    input: Box<dyn BufRead>,
    source: Source,
    messages: &'static Messages,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Terminal,
    Pipe,
}

impl Answers {
    pub(super) fn from_stdin(messages: &'static Messages) -> Self {
        let source = if io::stdin().is_terminal() { Source::Terminal } else { Source::Pipe };
        Self { input: Box::new(io::stdin().lock()), source, messages }
    }

    /// Asks until `check` takes the answer.
    pub(super) fn until_valid<T, E: fmt::Display>(
        &mut self,
        question: &str,
        check: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T> {
        loop {
            let answer = self.line(question)?;
            match check(answer.trim()) {
                Ok(value) => return Ok(value),
                Err(e) => self.again(&e.to_string())?,
            }
        }
    }

    /// Asks for a secret, which keeps its spaces.
    pub(super) fn secret(&mut self, question: &str) -> Result<String> {
        if self.source == Source::Pipe {
            return self.line(question);
        }
        hide().context("cannot hide what is typed")?;
        let answer = self.line(question);
        restore_echo();
        term::status("");
        answer
    }

    /// Asks for yes or no; anything but a clear yes is no.
    pub(super) fn confirm(&mut self, question: &str) -> Result<bool> {
        let answer = self.line(question)?.trim().to_lowercase();
        Ok(["y", "yes", "go", "是"].contains(&answer.as_str()))
    }

    /// Says what is wrong with an answer; from a pipe, that is the end.
    pub(super) fn again(&self, reason: &str) -> Result<()> {
        match self.source {
            Source::Terminal => {
                term::warning(reason);
                Ok(())
            }
            Source::Pipe => give_up(reason),
        }
    }

    fn line(&mut self, question: &str) -> Result<String> {
        term::prompt(question);
        let mut line = String::new();
        let n = self.input.read_line(&mut line).context("cannot read the answer")?;
        if self.source == Source::Pipe {
            term::status("");
        }
        if n == 0 {
            return Err(anyhow!(self.messages.no_answer));
        }
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }
}

fn hide() -> Result<()> {
    let settings = tcgetattr(io::stdin())?;
    let mut hidden = settings.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    hidden.local_flags.insert(LocalFlags::ECHONL);
    if let Ok(mut saved) = HIDDEN.lock() {
        *saved = Some(settings);
    }
    tcsetattr(io::stdin(), SetArg::TCSADRAIN, &hidden)?;
    Ok(())
}
