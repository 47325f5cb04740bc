//! Writes a document in a style that is chosen at random, value by value, and remembers where each
//! value went.

use std::collections::HashMap;

use nestos_formats::yaml::Mark;

use super::random::Random;
use super::scalars;
use super::tree::{Scalar, Tree};

/// Where things were written: a key of a mapping, a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The key that leads to the value, if it is in a mapping.
    pub(crate) key: Option<Mark>,
    /// The value.
    pub(crate) value: Mark,
}

/// A text, and the places of the values in it by their paths.
#[derive(Debug)]
pub(crate) struct Written {
    /// The text.
    pub(crate) text: String,
    /// The places.
    pub(crate) places: HashMap<Vec<String>, Place>,
}

/// Writes a document.
pub(crate) fn write(tree: &Tree, random: &mut Random) -> Written {
    let start = Mark { line: 1, column: 1 };
    let (text, places, path) = (String::new(), HashMap::new(), vec![]);
    let mut writer = Writer { text, at: start, places, path, random, after_literal: false };
    if writer.random.once_in(3) {
        writer.put("---");
        writer.line(0);
    }
    writer.node(tree, 0, None, Lead::Line);
    writer.line(0);
    if writer.random.once_in(4) {
        writer.put("...");
        writer.line(0);
    }
    Written { text: writer.text, places: writer.places }
}

/// What stands before a value on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// Only indentation.
    Line,
    /// A dash and a space.
    Dash,
    /// A key and a colon.
    Key,
}

struct Writer<'r> {
    text: String,
    at: Mark,
    places: HashMap<Vec<String>, Place>,
    path: Vec<String>,
    random: &'r mut Random,
    after_literal: bool,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.at.column += text.chars().count();
    }

    /// Writes one of several texts that mean the same.
    fn put_one(&mut self, texts: &[&str]) {
        let n = self.random.below(texts.len());
        self.put(texts[n]);
    }

    /// Begins a line, which may be preceded by lines that mean nothing.
    fn line(&mut self, indent: usize) {
        let end = |writer: &mut Self| {
            writer.text.push('\n');
            writer.at = Mark { line: writer.at.line + 1, column: 1 };
        };
        end(self);
        if !self.after_literal && self.random.once_in(6) {
            end(self);
        }
        if self.random.once_in(6) {
            self.put("# a comment: {not: [a, value]}");
            end(self);
        }
        self.after_literal = false;
        self.put(&" ".repeat(indent));
    }

    fn place(&mut self, key: Option<Mark>) {
        let place = Place { key, value: self.at };
        self.places.insert(self.path.clone(), place);
    }

    /// Writes a value whose block form is indented by `indent`.
    fn node(&mut self, tree: &Tree, indent: usize, key: Option<Mark>, lead: Lead) {
        let block = match tree {
            Tree::Map(entries) => !entries.is_empty(),
            Tree::List(items) => !items.is_empty(),
            _ => false,
        };
        if block && (needs_block(tree) || !self.random.once_in(4)) {
            return self.block(tree, indent, key, lead);
        }
        if lead == Lead::Key {
            self.put_one(&[" ", " ", "   "]);
        }
        let literal = match tree {
            Tree::Scalar(scalar) if lead != Lead::Line => scalars::literal(scalar),
            _ => None,
        };
        match literal.filter(|_| self.random.once_in(3)) {
            Some((header, lines)) => {
                self.place(key);
                self.literal(&header, &lines, indent);
            }
            None => {
                self.flow(tree, indent, key);
                if self.random.once_in(8) {
                    self.put(" # a comment");
                }
            }
        }
    }

    /// Writes a literal block two columns to the right of its parent.
    fn literal(&mut self, header: &str, lines: &[String], indent: usize) {
        self.put(header);
        // The indicator counts from the parent, which begins two columns before the content.
        let spaces = " ".repeat(indent);
        for line in lines {
            self.text.push('\n');
            self.at = Mark { line: self.at.line + 1, column: 1 };
            if !line.is_empty() {
                self.put(&format!("{spaces}{line}"));
            }
        }
        self.after_literal = true;
    }

    fn block(&mut self, tree: &Tree, indent: usize, key: Option<Mark>, lead: Lead) {
        // A list may stand right below its key.
        let list = matches!(tree, Tree::List(_));
        let indent = match lead {
            Lead::Key if list && self.random.once_in(2) => indent - 2,
            _ => indent,
        };
        if lead == Lead::Key {
            self.line(indent);
        }
        self.place(key);
        match tree {
            Tree::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        self.line(indent);
                    }
                    self.path.push(n.to_string());
                    self.put("- ");
                    self.node(item, indent + 2, None, Lead::Dash);
                    self.path.pop();
                }
            }
            Tree::Map(entries) => {
                for (n, (key, value)) in self.ordered(entries).into_iter().enumerate() {
                    if n > 0 {
                        self.line(indent);
                    }
                    self.path.push(key.text.clone());
                    let at = self.at;
                    let written = scalars::inline(key, self.random);
                    self.put(&format!("{written}:"));
                    self.node(value, indent + 2, Some(at), Lead::Key);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn flow(&mut self, tree: &Tree, indent: usize, key: Option<Mark>) {
        self.place(key);
        match tree {
            Tree::Null => {
                self.put_one(&["~", "null", "Null", "NULL"]);
            }
            Tree::Scalar(scalar) => {
                let written = scalars::inline(scalar, self.random);
                self.put(&written);
            }
            Tree::List(items) => {
                self.put("[");
                for (n, item) in items.iter().enumerate() {
                    self.comma(n, indent);
                    self.path.push(n.to_string());
                    self.flow(item, indent, None);
                    self.path.pop();
                }
                self.put_one(&["]", " ]"]);
            }
            Tree::Map(entries) => {
                self.put("{");
                for (n, (key, value)) in self.ordered(entries).into_iter().enumerate() {
                    self.comma(n, indent);
                    self.path.push(key.text.clone());
                    let at = self.at;
                    let written = scalars::inline(key, self.random);
                    self.put(&format!("{written}: "));
                    self.flow(value, indent, Some(at));
                    self.path.pop();
                }
                self.put_one(if entries.is_empty() { &["}"] } else { &["}", " }", ", }"] });
            }
        }
    }

    fn comma(&mut self, n: usize, indent: usize) {
        if n > 0 {
            self.put_one(&[", ", " ,  "]);
        }
        if self.random.once_in(8) {
            self.line(indent + 1);
        }
    }

    /// Returns entries in an order that is chosen once in a while.
    fn ordered<'e>(&mut self, entries: &'e [(Scalar, Tree)]) -> Vec<&'e (Scalar, Tree)> {
        let mut entries: Vec<_> = entries.iter().collect();
        match self.random.below(3) {
            0 => entries.reverse(),
            1 => self.random.shuffle(&mut entries),
            _ => {}
        }
        entries
    }
}

fn needs_block(tree: &Tree) -> bool {
    match tree {
        Tree::Null => false,
        Tree::Scalar(scalar) => scalars::needs_block(scalar),
        Tree::List(items) => items.iter().any(needs_block),
        Tree::Map(entries) => {
            entries.iter().any(|(key, value)| scalars::needs_block(key) || needs_block(value))
        }
    }
}
