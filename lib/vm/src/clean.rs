//! Turns what a serial console sends into plain text: no escape sequences, no carriage returns,
//! no other control characters. Sequences and characters may be split between reads.

/// Where in an escape sequence (ECMA-48) the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte: one more byte ends it.
    Intermediate,
    /// In a control sequence, up to a byte in `@`..`~`.
    Control,
    /// In a string (title, device control), up to BEL or ESC `\`.
    String,
    /// After ESC within a string.
    StringEscape,
}

/// A stream of console bytes on its way to text.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    state: State,
    /// The bytes of a character whose end has not come yet.
    pending: Vec<u8>,
}

impl Cleaner {
    /// Returns the text in the next bytes of the stream.
    pub(crate) fn clean(&mut self, bytes: &[u8]) -> String {
        for &byte in bytes {
            self.step(byte);
        }
        self.take_text()
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Text | State::Escape, 0x1b) => State::Escape,
            (State::Text, b'\n' | b'\t' | 0x20..=0x7e | 0x80..) => {
                self.pending.push(byte);
                State::Text
            }
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape, 0x20..=0x2f) => State::Intermediate,
            (State::Control, 0x40..=0x7e) => State::Text,
            (State::Control, 0x1b) => State::Escape,
            (State::Control, b'\n') => self.newline(),
            (State::Control, _) => State::Control,
            (State::String, 0x07) => State::Text,
            (State::String, 0x1b) => State::StringEscape,
            // A string that was cut off must not swallow the rest of the boot.
            (State::String | State::StringEscape, b'\n') => self.newline(),
            (State::String, _) => State::String,
            (State::Text | State::Escape | State::Intermediate | State::StringEscape, _) => {
                State::Text
            }
        };
    }

    fn newline(&mut self) -> State {
        self.pending.push(b'\n');
        State::Text
    }

    fn take_text(&mut self) -> String {
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.pending.clear();
                    return text;
                }
                Err(e) => {
                    let valid = e.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    let Some(wrong) = e.error_len() else {
                        self.pending.drain(..valid);
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending.drain(..valid + wrong);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_codes_and_carriage_returns_go() {
        let cases: [(&[u8], &str); 9] = [
            (b"plain\r\n", "plain\n"),
            (b"\x1b[0;1;31mred\x1b[0m", "red"),
            (b"[\x1b[0;32m  OK  \x1b[0m] Started", "[  OK  ] Started"),
            (b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS", "SeaBIOS"),
            (b"\x1b]0;title\x07host login:", "host login:"),
            (b"\x1b]3008;start=1\x1b\\# ", "# "),
            (b"\x1b(Bx\x00\x08y", "xy"),
            (b"\x1b]broken\nnext", "\nnext"),
            ("\u{4f60}\u{597d}".as_bytes(), "\u{4f60}\u{597d}"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Cleaner::default().clean(bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn sequences_and_characters_may_be_split_anywhere() {
        let whole = "a\x1b[1;31mb\x1b]0;t\x07c\u{4f60}d\r\n".as_bytes();
        for cut in 0..=whole.len() {
            let mut cleaner = Cleaner::default();
            let text = cleaner.clean(&whole[..cut]) + &cleaner.clean(&whole[cut..]);
            assert_eq!(text, "abc\u{4f60}d\n", "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_become_a_mark() {
        assert_eq!(Cleaner::default().clean(b"a\xffb"), "a\u{fffd}b");
    }
}
