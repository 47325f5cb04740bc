//! Questions and answers. On a terminal a wrong answer is asked again, a secret is not shown, and
//! `<` goes back; from a pipe a wrong answer ends the conversation, because the next line answers
//! another question.
//!
//! Lines are edited by the terminal's driver, as at a login: that works at any speed, with pasted
//! keys of many hundred characters and with what was typed ahead. Menus are moved through with the
//! arrow keys where the terminal can move its cursor, and are numbered elsewhere.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use anyhow::{Context, Result, bail};
use dialoguer::console::Term;
use dialoguer::theme::SimpleTheme;
use dialoguer::{Error, Select};
use nestos_host::term;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use super::lang::{Lang, Told, say, told};
use super::layout::{COLUMNS, wrap};
use super::tty::{self, Mode};

/// What is typed to go back.
const BACK: &str = "<";

/// Longest line that a terminal's driver edits.
const LINE: usize = 4096;

/// Most bytes of a menu's line: dialoguer takes longer ones for several lines.
pub(super) const MENU_BYTES: usize = 76;

/// Where answers come from.
pub(super) struct Asker {
    input: File,
    source: Source,
    lang: Lang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A terminal whose cursor can be moved.
    Screen,
    /// A terminal that only prints.
    Printer,
    /// Anything else.
    Pipe,
}

impl Asker {
    /// Reads answers from standard input.
    pub(super) fn new(lang: Lang) -> Result<Self> {
        let stdin = io::stdin();
        let input = stdin.as_fd().try_clone_to_owned().context("cannot read standard input")?;
        let moves = env::var("TERM").is_ok_and(|t| !t.is_empty() && t != "dumb");
        let source = match stdin.is_terminal() {
            true if moves && io::stderr().is_terminal() => Source::Screen,
            true => Source::Printer,
            false => Source::Pipe,
        };
        Ok(Self { input: File::from(input), source, lang })
    }

    /// Returns the language of the conversation.
    pub(super) fn lang(&self) -> Lang {
        self.lang
    }

    /// Goes on in another language.
    pub(super) fn speak(&mut self, lang: Lang) {
        self.lang = lang;
        lang.speak();
    }

    /// Returns whether somebody answers who can be asked again.
    pub(super) fn is_person(&self) -> bool {
        self.source != Source::Pipe
    }

    /// Says something, on lines that fit the screen.
    pub(super) fn note(&self, text: impl AsRef<str>) {
        for line in text.as_ref().lines().flat_map(|line| wrap(line, COLUMNS)) {
            term::status(line);
        }
    }

    /// Begins a new part of the conversation.
    pub(super) fn title(&self, text: impl AsRef<str>) {
        term::status("");
        self.note(text);
    }

    /// Asks until `check` takes the answer; an empty answer stands for the default. `None` is the
    /// wish to go back.
    pub(super) fn line<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<T, Told>,
    ) -> Result<Option<T>> {
        let question = match default {
            Some(default) => format!("{question} [{default}]:"),
            None => format!("{question}:"),
        };
        loop {
            self.prompt(&question);
            let Some(line) = self.read()? else { continue };
            let answer = line.trim();
            if self.is_person() && answer == BACK {
                return Ok(None);
            }
            if answer.contains(char::is_control) {
                self.again(&self.not_typed())?;
                continue;
            }
            match check(if answer.is_empty() { default.unwrap_or_default() } else { answer }) {
                Ok(value) => return Ok(Some(value)),
                Err(e) => self.again(&e.say(self.lang))?,
            }
        }
    }

    /// Asks for a secret, which keeps its spaces.
    pub(super) fn secret(&mut self, question: &str) -> Result<Option<Zeroizing<String>>> {
        loop {
            let hidden = match self.source {
                Source::Pipe => None,
                // Nothing that is typed early may be shown or lost: first hide, then ask.
                _ => Some(tty::enter(Mode::Hidden).context("cannot hide what is typed")?),
            };
            self.prompt(&format!("{question}:"));
            let answer = self.read();
            drop(hidden);
            let Some(answer) = answer? else { continue };
            // Nobody sees that a key did not do what it says, and nobody could type it again.
            if self.is_person() && answer.contains(char::is_control) {
                self.again(&self.not_typed())?;
                continue;
            }
            return Ok((!self.is_person() || answer.as_str() != BACK).then_some(answer));
        }
    }

    /// Lets one of several items be chosen and returns its index.
    pub(super) fn menu(&mut self, title: &str, items: &[String], at: usize) -> Result<usize> {
        term::status("");
        if self.source == Source::Screen {
            let _raw = tty::enter(Mode::Menu).context("cannot read keys")?;
            let select = Select::with_theme(&SimpleTheme).with_prompt(title).items(items);
            return match select.default(at).interact_on(&Term::stderr()) {
                Ok(index) => Ok(index),
                Err(Error::IO(e)) if e.kind() == io::ErrorKind::Interrupted => interrupted(),
                Err(Error::IO(e)) => Err(e).context(self.ended()),
            };
        }
        self.note(format!("{title}:"));
        for (number, item) in (1..).zip(items) {
            self.note(format!("  {number}) {item}"));
        }
        let count = items.len();
        let question = say!(self.lang, "Number", "编号");
        let chosen = self.line(&question, Some(&(at + 1).to_string()), |answer| {
            let number = answer.parse::<usize>().ok().filter(|n| (1..=count).contains(n));
            number.map(|n| n - 1).ok_or_else(|| {
                told!("type a number from 1 to {}", "请输入 1 到 {} 之间的编号", count)
            })
        })?;
        // Going back is an item of its own, the last one.
        Ok(chosen.unwrap_or(count - 1))
    }

    /// Says what is wrong with an answer; from a pipe, that is the end.
    pub(super) fn again(&self, reason: &str) -> Result<()> {
        if !self.is_person() {
            bail!("{reason}");
        }
        self.note(format!("  {reason}"));
        Ok(())
    }

    fn prompt(&self, question: &str) {
        let mut lines = wrap(question, COLUMNS - 20);
        let last = lines.pop().unwrap_or_default();
        lines.into_iter().for_each(term::status);
        term::prompt(last);
    }

    fn not_typed(&self) -> String {
        say!(
            self.lang,
            "the answer has control characters, as of an arrow key",
            "输入中含有控制字符(例如方向键)"
        )
    }

    /// Reads up to the end of a line and no further: what follows may be for a menu. `None` is to
    /// be asked again: it is no text.
    fn read(&mut self) -> Result<Option<Zeroizing<String>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(LINE));
        let mut byte = [0];
        loop {
            let n = self.input.read(&mut byte).with_context(|| self.ended())?;
            match byte {
                _ if n == 0 && line.is_empty() => bail!(self.ended()),
                _ if n == 0 => break,
                [b'\n'] => break,
                // What was typed while a menu read keys has ends of lines as keyboards send them.
                [b'\r'] if self.is_person() => break,
                [b] => line.push(b),
            }
        }
        if !self.is_person() {
            term::status("");
            if line.ends_with(b"\r") {
                line.pop();
            }
        }
        if let Ok(text) = std::str::from_utf8(&line) {
            return Ok(Some(Zeroizing::new(text.to_owned())));
        }
        let reason = say!(self.lang, "the answer is not UTF-8 text", "输入的内容不是 UTF-8 文本");
        self.again(&reason).map(|()| None)
    }

    fn ended(&self) -> String {
        say!(self.lang, "the input ended before the last answer", "输入提前结束")
    }
}

/// Ends the program as Ctrl-C does: a terminal that reads keys sends no signal of its own.
fn interrupted() -> ! {
    // The thread that waits for signals says goodbye and ends the program.
    if kill(Pid::this(), Signal::SIGINT).is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}
