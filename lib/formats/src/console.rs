//! Consoles: one value for the kernel (`console=`, Documentation/admin-guide/serial-console.rst)
//! and for GRUB (`serial`, `terminal_input`, `terminal_output`), and the block of the GRUB
//! configuration that holds GRUB's part.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::kargs::{Karg, KargError};

/// Line before the console commands of a GRUB configuration.
pub const START: &str = "# CONSOLE-SETTINGS-START";
/// Line after the console commands of a GRUB configuration.
pub const END: &str = "# CONSOLE-SETTINGS-END";

const GRAPHICAL: [&str; 3] = ["tty0", "hvc0", "ttysclp0"];
const DEFAULT_SPEED: u32 = 9600;

/// Why a text names no console.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConsoleError {
    /// A kernel argument or a path instead of a name.
    #[error("console {0:?}: leave out {1:?}, the name alone is enough")]
    Prefix(String, &'static str),
    /// Not in the grammar.
    #[error(
        "console {0:?} is none of tty0, hvc0, ttysclp0, ttyS<N>[,SPEED[PARITY[BITS]]], \
         ttyAMA<N>[,SPEED[PARITY[BITS]]]"
    )]
    Unknown(String),
}

/// Why a GRUB configuration cannot take console commands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the GRUB configuration lacks the line {0:?}")]
pub struct MissingMarker(pub &'static str);

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Odd parity.
    Odd,
    /// Even parity.
    Even,
}

/// A console for the boot loader and the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Console {
    /// A screen; the name the kernel uses.
    Graphical(&'static str),
    /// A serial line.
    Serial {
        /// Driver: `ttyS` or `ttyAMA`.
        driver: &'static str,
        /// Number of the port.
        port: u8,
        /// Bits per second.
        speed: u32,
        /// Parity.
        parity: Parity,
        /// Bits per character, 5 to 8.
        bits: u8,
    },
}

impl Console {
    /// Returns the kernel argument.
    pub fn karg(&self) -> Result<Karg, KargError> {
        format!("console={self}").parse()
    }

    fn terminal(&self) -> &'static str {
        match self {
            Self::Graphical(_) => "console",
            Self::Serial { .. } => "serial",
        }
    }

    fn serial_command(&self) -> Option<String> {
        let Self::Serial { port, speed, parity, bits, .. } = self else { return None };
        let parity = match parity {
            Parity::None => "no",
            Parity::Odd => "odd",
            Parity::Even => "even",
        };
        Some(format!("serial --unit={port} --speed={speed} --word={bits} --parity={parity}"))
    }
}

impl FromStr for Console {
    type Err = ConsoleError;

    fn from_str(text: &str) -> Result<Self, ConsoleError> {
        for prefix in ["console=", "/dev/"] {
            if text.starts_with(prefix) {
                return Err(ConsoleError::Prefix(text.to_owned(), prefix));
            }
        }
        if let Some(name) = GRAPHICAL.into_iter().find(|name| *name == text) {
            return Ok(Self::Graphical(name));
        }
        serial(text).ok_or_else(|| ConsoleError::Unknown(text.to_owned()))
    }
}

fn serial(text: &str) -> Option<Console> {
    let (driver, rest) = ["ttyAMA", "ttyS"]
        .into_iter()
        .find_map(|driver| Some((driver, text.strip_prefix(driver)?)))?;
    let (port, options) = match rest.split_once(',') {
        Some((port, options)) => (port, Some(options)),
        None => (rest, None),
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let port = port.parse().ok()?;
    let (mut speed, mut parity, mut bits) = (DEFAULT_SPEED, Parity::None, 8);
    if let Some(options) = options {
        let digits = options.find(|c: char| !c.is_ascii_digit()).unwrap_or(options.len());
        speed = options[..digits].parse().ok().filter(|s| *s > 0)?;
        let mut rest = options[digits..].chars();
        if let Some(c) = rest.next() {
            parity = match c {
                'n' => Parity::None,
                'o' => Parity::Odd,
                'e' => Parity::Even,
                _ => return None,
            };
        }
        if let Some(c) = rest.next() {
            bits = u8::try_from(c.to_digit(10)?).ok().filter(|b| (5..=8).contains(b))?;
        }
        if rest.next().is_some() {
            return None;
        }
    }
    Some(Console::Serial { driver, port, speed, parity, bits })
}

impl fmt::Display for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graphical(name) => f.write_str(name),
            Self::Serial { driver, port, speed, parity, bits } => {
                let parity = match parity {
                    Parity::None => 'n',
                    Parity::Odd => 'o',
                    Parity::Even => 'e',
                };
                write!(f, "{driver}{port},{speed}{parity}{bits}")
            }
        }
    }
}

/// Returns GRUB's commands for these consoles.
pub fn grub_commands(consoles: &[Console]) -> Vec<String> {
    let mut commands: Vec<String> = consoles.iter().filter_map(Console::serial_command).collect();
    let mut terminals: Vec<&str> = consoles.iter().map(Console::terminal).collect();
    terminals.sort_unstable();
    terminals.dedup();
    let terminals = terminals.join(" ");
    commands.push(format!("terminal_input {terminals}"));
    commands.push(format!("terminal_output {terminals}"));
    commands
}

/// Returns `config` with the lines between [`START`] and [`END`] replaced by `commands`.
pub fn replace_block(config: &str, commands: &[String]) -> Result<String, MissingMarker> {
    let lines: Vec<&str> = config.lines().collect();
    let find = |marker: &'static str, from: usize| {
        let at = lines.iter().skip(from).position(|line| line.trim() == marker);
        at.map(|at| at + from).ok_or(MissingMarker(marker))
    };
    let start = find(START, 0)?;
    let end = find(END, start)?;
    let before = lines[..=start].iter().copied();
    let after = lines[end..].iter().copied();
    let between = commands.iter().map(String::as_str);
    Ok(before.chain(between).chain(after).map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_are_read_and_printed_with_their_defaults() {
        for (given, printed) in [
            ("tty0", "tty0"),
            ("hvc0", "hvc0"),
            ("ttyS0", "ttyS0,9600n8"),
            ("ttyS1,115200", "ttyS1,115200n8"),
            ("ttyAMA0,115200e", "ttyAMA0,115200e8"),
            ("ttyS0,115200o7", "ttyS0,115200o7"),
        ] {
            assert_eq!(given.parse::<Console>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_console_is_refused() {
        for given in [
            "",
            "tty1",
            "ttyS",
            "ttyS256",
            "ttyS+1",
            "ttyS0,",
            "ttyS0,0",
            "ttyS0,9600x",
            "ttyS0,9600n9",
            "ttyS0,9600n81",
            "ttyS0,n8",
            "console=tty0",
            "/dev/ttyS0",
        ] {
            assert!(given.parse::<Console>().is_err(), "{given}");
        }
    }

    #[test]
    fn grub_gets_one_serial_command_per_line_and_each_terminal_once() {
        let consoles: Vec<Console> =
            ["tty0", "ttyS0,115200", "ttyS1"].iter().map(|c| c.parse().unwrap()).collect();
        assert_eq!(
            grub_commands(&consoles),
            [
                "serial --unit=0 --speed=115200 --word=8 --parity=no",
                "serial --unit=1 --speed=9600 --word=8 --parity=no",
                "terminal_input console serial",
                "terminal_output console serial",
            ]
        );
    }

    #[test]
    fn only_the_lines_between_the_markers_are_replaced() {
        let config = format!("a\n  {START}\nold\nolder\n{END}\nb\n");
        let new = replace_block(&config, &["new".to_owned()]).unwrap();
        assert_eq!(new, format!("a\n  {START}\nnew\n{END}\nb\n"));
        assert_eq!(replace_block("a\n", &[]), Err(MissingMarker(START)));
        assert_eq!(replace_block(&format!("{END}\n{START}\n"), &[]), Err(MissingMarker(END)));
    }
}
