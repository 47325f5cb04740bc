//! Lays a tree out as YAML: blocks indented by two spaces. On one line stand lists of words
//! (`[a, b]`), mappings of words (`user: {name: core}`) and lists of small mappings, a row each.

use super::text::{Context, block, one_line, wants_block};
use super::tree::Yaml;

/// What fits on a line.
const WIDTH: usize = 80;

/// Writes the entries of the outermost mapping.
pub(super) fn write(root: &Yaml) -> String {
    let mut writer = Writer { out: String::new() };
    if let Yaml::Map(entries) = root {
        writer.map(entries, 0);
    }
    writer.out
}

struct Writer {
    out: String,
}

impl Writer {
    /// Writes a mapping; the first key continues the line that has been begun, if one has.
    fn map(&mut self, entries: &[(&'static str, Yaml)], indent: usize) {
        for (key, value) in entries {
            self.indent(indent);
            self.out.push_str(key);
            self.out.push(':');
            self.value(value, indent);
        }
    }

    fn list(&mut self, items: &[Yaml], indent: usize) {
        let rows: Option<Vec<String>> = items.iter().map(|item| flow(item, indent + 2)).collect();
        // A row by itself is no table.
        let rows = rows.filter(|rows| rows.len() > 1).unwrap_or_default();
        for (n, item) in items.iter().enumerate() {
            self.indent(indent);
            self.out.push('-');
            match (rows.get(n), item) {
                (Some(row), _) => self.line(row),
                (None, Yaml::Map(entries)) if !entries.is_empty() => {
                    self.out.push(' ');
                    self.map(entries, indent + 2);
                }
                _ => self.value(item, indent),
            }
        }
    }

    /// Writes what follows a key or a hyphen that stands at `indent`, and ends the line.
    fn value(&mut self, value: &Yaml, indent: usize) {
        if let Some(flow) = flow(value, self.column() + 1) {
            return self.line(&flow);
        }
        self.out.push(if matches!(value, Yaml::List(_) | Yaml::Map(_)) { '\n' } else { ' ' });
        match value {
            Yaml::Word(word) => self.out.push_str(word),
            Yaml::Text(text) if wants_block(text) => self.out.push_str(&block(text, indent + 2)),
            Yaml::Text(text) => self.out.push_str(&one_line(text, Context::Block)),
            Yaml::List(items) => return self.list(items, indent + 2),
            Yaml::Map(entries) => return self.map(entries, indent + 2),
        }
        self.out.push('\n');
    }

    fn indent(&mut self, indent: usize) {
        if self.out.is_empty() || self.out.ends_with('\n') {
            self.out.extend(std::iter::repeat_n(' ', indent));
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push(' ');
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn column(&self) -> usize {
        self.out.rsplit('\n').next().map_or(0, |line| line.chars().count())
    }
}

/// Returns a collection on one line, if it has only words and fits behind `column`.
fn flow(value: &Yaml, column: usize) -> Option<String> {
    let mut flow = Flow { out: String::new(), room: WIDTH.saturating_sub(column) };
    let fits = match value {
        Yaml::Word(_) | Yaml::Text(_) => false,
        Yaml::List(items) => flow.list(items),
        Yaml::Map(entries) => flow.map(entries),
    };
    fits.then_some(flow.out)
}

/// A collection on one line; gives up when there is no room left.
struct Flow {
    out: String,
    room: usize,
}

impl Flow {
    fn list(&mut self, items: &[Yaml]) -> bool {
        let mut items = items.iter().enumerate();
        self.push("[") && items.all(|(n, item)| self.next(n) && self.word(item)) && self.push("]")
    }

    fn map(&mut self, entries: &[(&'static str, Yaml)]) -> bool {
        let mut entries = entries.iter().enumerate();
        self.push("{")
            && entries.all(|(n, (key, value))| {
                self.next(n) && self.push(key) && self.push(": ") && self.word(value)
            })
            && self.push("}")
    }

    fn word(&mut self, value: &Yaml) -> bool {
        match value {
            Yaml::Word(word) => self.push(word),
            Yaml::Text(text) => is_word(text) && self.push(&one_line(text, Context::Flow)),
            Yaml::List(_) | Yaml::Map(_) => false,
        }
    }

    fn next(&mut self, n: usize) -> bool {
        n == 0 || self.push(", ")
    }

    fn push(&mut self, text: &str) -> bool {
        let rest = self.room.checked_sub(text.chars().count());
        self.room = rest.unwrap_or(0);
        if rest.is_some() {
            self.out.push_str(text);
        }
        rest.is_some()
    }
}

/// Returns whether a text is short, without spaces, and needs no more quotes on a line with others
/// than alone.
fn is_word(text: &str) -> bool {
    text.len() <= WIDTH
        && !text.contains(char::is_whitespace)
        && one_line(text, Context::Flow) == one_line(text, Context::Block)
}
