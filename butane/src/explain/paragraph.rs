//! Lays out explanations for a terminal of eighty columns.

const WIDTH: usize = 80;
const INDENT: &str = "  ";

/// A text of paragraphs, each after an empty line.
#[derive(Debug, Default)]
pub(super) struct Paragraphs {
    out: String,
    /// What is still to be aligned with what comes next.
    items: Vec<(String, String)>,
}

impl Paragraphs {
    /// Adds a line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.flush();
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Adds a paragraph, wrapped.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.flush();
        self.out.push('\n');
        for line in wrap(text, WIDTH - INDENT.len()) {
            self.line(&format!("{INDENT}{line}"));
        }
    }

    /// Adds a text with a name before it; those that follow each other are aligned.
    pub(super) fn item(&mut self, name: &str, text: &str) {
        self.items.push((name.to_owned(), text.to_owned()));
    }

    /// Adds lines of a config.
    pub(super) fn example(&mut self, name: &str, yaml: &str) {
        self.line("");
        self.line(&format!("{INDENT}{name}"));
        for line in yaml.lines() {
            self.line(&format!("{INDENT}{INDENT}{line}"));
        }
    }

    /// Adds rows of a name, a type and a text, one line each, however long.
    pub(super) fn table(&mut self, name: &str, rows: &[[&str; 3]]) {
        if rows.is_empty() {
            return;
        }
        self.line("");
        self.line(&format!("{INDENT}{name}"));
        let widest = |n: usize| rows.iter().map(|row| columns(row[n])).max().unwrap_or(0);
        let (first, second) = (widest(0), widest(1));
        for [key, kind, text] in rows {
            let (key, kind) = (padded(key, first), padded(kind, second));
            self.line(&format!("{INDENT}{INDENT}{key}{INDENT}{kind}{INDENT}{text}"));
        }
    }

    /// Returns the text.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.out
    }

    fn flush(&mut self) {
        let items = std::mem::take(&mut self.items);
        let widest = items.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
        if !items.is_empty() {
            self.out.push('\n');
        }
        for (name, text) in items {
            let mut name = padded(&name, widest);
            for line in wrap(&text, WIDTH - 2 * INDENT.len() - widest) {
                self.out.push_str(&format!("{INDENT}{name}{INDENT}{line}\n"));
                name = " ".repeat(widest);
            }
        }
    }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Breaks a text into lines: between words, and between Chinese characters, but not before marks
/// that close something.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    for word in words(text) {
        if !line.is_empty() && columns(&line) + columns(word.trim_end()) > width {
            lines.push(line.trim_end().to_owned());
            line.clear();
        }
        line.push_str(word);
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Cuts a text where lines may break.
fn words(text: &str) -> Vec<&str> {
    let mut words = vec![];
    let mut start = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let closing = "，。；：、）”！？》".contains(c);
        let opening = "（“《".contains(before);
        let between = before == ' ' || is_wide(c) || is_wide(before);
        if at > start && c != ' ' && between && !closing && !opening {
            words.push(&text[start..at]);
            start = at;
        }
        before = c;
    }
    words.push(&text[start..]);
    words
}

fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Returns whether a character takes two columns: true of all this table has beyond letters.
fn is_wide(c: char) -> bool {
    c >= '\u{2e80}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_between_characters() {
        assert_eq!(wrap("one two three", 9), ["one two", "three"]);
        assert_eq!(wrap("一二，三（四）五", 5), ["一", "二，", "三", "（四）", "五"]);
        assert_eq!(wrap("写入 files 之后", 8), ["写入", "files 之", "后"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
    }
}
