//! Line breaks and indentation in JSON text. Only white space between tokens changes, so numbers,
//! escapes, repeated keys and the order of keys stay as they were.

/// JSON nested deeper would be more indentation than text.
const MOST_LEVELS: usize = 64;

/// What fits on a line, before it is indented.
const WIDTH: usize = 72;

/// Lays out JSON that stands on one long line; anything else stays as it is.
pub(super) fn readable(text: &str) -> String {
    let one_line = !text.trim_end().contains('\n');
    if !one_line
        || text.chars().count() <= WIDTH
        || crate::ignition::json_text::parse(text.as_bytes()).is_err()
    {
        return text.to_owned();
    }
    let tokens = tokens(text);
    if levels(&tokens) > MOST_LEVELS {
        return text.to_owned();
    }
    let mut printer = Printer { out: String::new(), depth: 0, tokens: &tokens };
    printer.print();
    printer.out.push('\n');
    printer.out
}

/// Returns JSON without the white space between its tokens.
pub(super) fn compact(text: &str) -> String {
    tokens(text).concat()
}

/// Cuts JSON into brackets, commas, colons, strings, and words.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = vec![];
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            '"' => string_end(rest),
            _ => rest
                .find(|c: char| "{}[],:\"".contains(c) || c.is_ascii_whitespace())
                .unwrap_or(rest.len()),
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start_matches([' ', '\t', '\r', '\n']);
    }
    tokens
}

/// Returns how many collections are inside each other.
fn levels(tokens: &[&str]) -> usize {
    let mut open = 0usize;
    let depths = tokens.iter().map(|token| {
        match *token {
            "{" | "[" => open += 1,
            "}" | "]" => open = open.saturating_sub(1),
            _ => {}
        }
        open
    });
    depths.max().unwrap_or(0)
}

fn string_end(text: &str) -> usize {
    let mut escape = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escape => escape = false,
            '\\' => escape = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

struct Printer<'t> {
    out: String,
    depth: usize,
    tokens: &'t [&'t str],
}

impl Printer<'_> {
    fn print(&mut self) {
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            match *token {
                "{" | "[" => {
                    if let Some((line, next)) = self.short(at) {
                        self.out.push_str(&line);
                        at = next;
                        continue;
                    }
                    self.out.push_str(token);
                    self.depth += 1;
                    self.line();
                }
                "}" | "]" => {
                    self.depth = self.depth.saturating_sub(1);
                    self.line();
                    self.out.push_str(token);
                }
                "," => {
                    self.out.push(',');
                    self.line();
                }
                ":" => self.out.push_str(": "),
                _ => self.out.push_str(token),
            }
            at += 1;
        }
    }

    /// Returns the collection that begins at a token on one line, if it fits on this one, and
    /// where it ends.
    fn short(&self, start: usize) -> Option<(String, usize)> {
        let column = self.out.rsplit('\n').next().map_or(0, |line| line.chars().count());
        let mut line = String::new();
        let mut open = 0usize;
        for (n, token) in self.tokens.iter().enumerate().skip(start) {
            line.push_str(token);
            match *token {
                "{" | "[" => open += 1,
                "}" | "]" => open = open.checked_sub(1)?,
                "," | ":" => line.push(' '),
                _ => {}
            }
            if column + line.len() > WIDTH {
                return None;
            }
            if open == 0 {
                return Some((line, n + 1));
            }
        }
        None
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_json_gets_lines_and_keeps_its_tokens() {
        let files = r#"{"path": "/a, {\"}", "mode": 1e2}"#;
        let text = format!(
            r#"{{"ignition":{{"version":"3.3.0"}},"storage":{{"files":[{files}, {files}]}}}}"#
        );
        let laid_out = readable(&text);
        assert_eq!(
            laid_out,
            "{\n  \"ignition\": {\"version\": \"3.3.0\"},\n  \"storage\": {\n    \"files\": [\n      \
             {\"path\": \"/a, {\\\"}\", \"mode\": 1e2},\n      {\"path\": \"/a, {\\\"}\", \"mode\": \
             1e2}\n    ]\n  }\n}\n"
        );
        assert_eq!(compact(&laid_out), compact(&text));
    }

    #[test]
    fn deep_json_stays() {
        let text = format!("{}{}", "[".repeat(9000), "]".repeat(9000));
        assert_eq!(readable(&text), text);
    }

    #[test]
    fn short_json_and_other_text_stay() {
        for text in [
            "{}",
            "{\"a\": 1}\n",
            "not JSON but a long line that goes on and on and on and on and on and on",
        ] {
            assert_eq!(readable(text), text);
        }
    }
}
