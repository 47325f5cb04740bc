//! Reads systemd unit files as the library in Ignition does, limits and all.

use std::collections::HashSet;

/// systemd cuts longer lines; the reader refuses text that may hold one.
const LONGEST_LINE: usize = 2048;

/// How much the reader of the reference holds at once; decides when it sees a long line.
const BUFFER: usize = 4096;

/// Returns the sections that have at least one option.
pub(super) fn sections(text: &str) -> Result<HashSet<String>, String> {
    let mut reader = Reader { text: text.as_bytes(), at: 0, filled: 0 };
    let mut found = HashSet::new();
    read(&mut reader, &mut found)?;
    Ok(found)
}

fn read(reader: &mut Reader<'_>, found: &mut HashSet<String>) -> Result<(), String> {
    let mut section: Option<String> = None;
    loop {
        reader.check_line()?;
        let Some(c) = reader.peek() else { return Ok(()) };
        match (c, &section) {
            ('[', _) => {
                reader.skip(c);
                section = Some(section_name(reader)?);
            }
            ('#' | ';', _) => {
                reader.skip(c);
                reader.check_line()?;
                while without_one(reader.line(), ' ').ends_with('\\') {}
            }
            (c, None) => reader.skip(c),
            (c, Some(_)) if c.is_whitespace() => reader.skip(c),
            (_, Some(name)) => {
                let name = name.clone();
                reader.check_line()?;
                option(reader)?;
                found.insert(name);
            }
        }
    }
}

fn section_name(reader: &mut Reader<'_>) -> Result<String, String> {
    reader.check_line()?;
    let name = reader.until(b']').ok_or("unable to find end of section")?;
    let name = String::from_utf8_lossy(name).into_owned();
    reader.check_line()?;
    let garbage = reader.line().trim().to_owned();
    if garbage.is_empty() {
        return Ok(name);
    }
    // The reference prints the name of the section before, which it never sets.
    Err(format!("found garbage after section name : {garbage:?}"))
}

/// Reads `name=value`, with the lines that continue the value.
fn option(reader: &mut Reader<'_>) -> Result<(), String> {
    loop {
        let Some(c) = reader.peek() else { return Err("EOF".to_owned()) };
        reader.skip(c);
        match c {
            '\n' | '\r' => {
                return Err("unexpected newline encountered while parsing option name".to_owned());
            }
            '=' => break,
            _ => {}
        }
    }
    loop {
        reader.check_line()?;
        let line = reader.line();
        if line.trim().is_empty() || !line.ends_with('\\') {
            return Ok(());
        }
    }
}

fn without_one(line: &str, last: char) -> &str {
    line.strip_suffix(last).unwrap_or(line)
}

/// A text with the reading positions that the buffer of the reference would have.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    filled: usize,
}

impl<'t> Reader<'t> {
    /// Refuses what looks like a line that is too long.
    fn check_line(&self) -> Result<(), String> {
        let ahead = self.text.get(self.at..self.at + LONGEST_LINE);
        let ahead = ahead.filter(|_| self.filled - self.at >= LONGEST_LINE);
        match ahead {
            Some(bytes) if !bytes.iter().any(|b| matches!(b, b'\r' | b'\n')) => {
                Err(format!("line too long (max {LONGEST_LINE} bytes)"))
            }
            _ => Ok(()),
        }
    }

    fn peek(&mut self) -> Option<char> {
        let first = *self.text.get(self.at)?;
        let length = match first {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        if self.filled < self.at + length {
            self.fill();
        }
        let end = (self.at + length).min(self.text.len());
        String::from_utf8_lossy(&self.text[self.at..end]).chars().next()
    }

    fn skip(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    fn fill(&mut self) {
        self.filled = (self.at + BUFFER).min(self.text.len());
    }

    /// Takes the bytes before `mark` and the mark itself; all the rest and `None` without one.
    fn until(&mut self, mark: u8) -> Option<&'t [u8]> {
        let rest = &self.text[self.at..];
        let found = rest.iter().position(|b| *b == mark);
        let taken = found.map_or(rest.len(), |n| n + 1);
        let end = self.at + taken;
        while self.filled < end {
            // A full buffer is handed out before it is filled again.
            if self.filled - self.at >= BUFFER {
                self.at = self.filled;
            }
            self.fill();
        }
        self.at = end;
        found.map(|n| &rest[..n])
    }

    fn line(&mut self) -> &'t str {
        let start = self.at;
        let ended = self.until(b'\n');
        let rest = &self.text[start..];
        // The reference takes off \r before \n, so \r stays unless it is the very end.
        let line = ended.unwrap_or_else(|| rest.strip_suffix(b"\r").unwrap_or(rest));
        // The text was a string, and lines end at character boundaries.
        std::str::from_utf8(line).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names: Vec<_> = sections(text).unwrap().into_iter().collect();
        names.sort();
        names
    }

    fn error(text: &str) -> String {
        sections(text).unwrap_err()
    }

    #[test]
    fn sections_with_options_are_found() {
        let text = "junk\n# c [X]\n[Unit]\nA=b\\\n c\n; d\\\ne\n\n[Empty]\n[Install]\r\nB=\r\n";
        assert_eq!(names(text), ["Install", "Unit"]);
        assert!(names("").is_empty());
        assert!(names("[Unit]\n").is_empty());
    }

    #[test]
    fn broken_text_is_refused() {
        assert_eq!(error("[Unit"), "unable to find end of section");
        assert_eq!(error("[[Unit]]\nA=b"), "found garbage after section name : \"]\"");
        assert_eq!(error("[Unit]\nfoo"), "EOF");
        assert_eq!(
            error("[Unit]\nfoo\nbar"),
            "unexpected newline encountered while parsing option name"
        );
        assert_eq!(
            error(&format!("[Unit]\nA={}", "x".repeat(4000))),
            "line too long (max 2048 bytes)"
        );
    }

    #[test]
    fn a_backslash_continues_a_line_only_at_its_very_end() {
        assert_eq!(names("[A]\n# c\\ \n[B]\nb=\n"), ["A"]);
        assert_eq!(names("[A]\n# c\\  \n[B]\nb=\n"), ["B"]);
        assert_eq!(names("[A]\na=\\\n[B]\n"), ["A"]);
        assert_eq!(names("[A]\na=\\\r\n[B]\nb=\n"), ["A", "B"]);
    }

    #[test]
    fn long_text_of_short_lines_is_fine() {
        let text = format!("[Unit]\n{}", "Name=some value\n".repeat(2000));
        assert_eq!(names(&text), ["Unit"]);
    }
}
