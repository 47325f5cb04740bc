//! Reading a YAML file of the config folder: every complaint names file, line and column, and an
//! unknown key comes with the nearest known one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::yaml::{self, Mark, Node};

/// A node of a file, with the file's name for messages.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    file: &'a Path,
    node: &'a Node,
    /// Where the key of this value stands, or the value itself in a list.
    key: Mark,
}

/// Reads and parses a YAML file.
pub(crate) fn load(path: &Path) -> Result<Node> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    yaml::parse(&bytes).map_err(|e| match e.at {
        Some(at) => anyhow!("{}:{}:{}: {}", path.display(), at.line, at.column, e.problem),
        None => anyhow!("{}: {e}", path.display()),
    })
}

impl<'a> Reader<'a> {
    /// Wraps the root node of `file`.
    pub(crate) fn new(file: &'a Path, node: &'a Node) -> Self {
        Self { file, node, key: node.start }
    }

    /// Returns the entries of a mapping; an empty document has none.
    pub(crate) fn entries(&self) -> Result<Vec<(&'a str, Reader<'a>)>> {
        if self.node.is_null() {
            return Ok(Vec::new());
        }
        let Some(entries) = self.node.entries() else { return Err(self.expected("a mapping")) };
        let named = entries.iter().map(|(key, value)| match key.key_text() {
            Some(name) => Ok((name, Reader { file: self.file, node: value, key: key.start })),
            None => Err(self.at(key.start, &format!("a key cannot be {}", key.kind()))),
        });
        named.collect()
    }

    /// Returns the items of a list; nothing is an empty list.
    pub(crate) fn items(&self) -> Result<Vec<Reader<'a>>> {
        if self.node.is_null() {
            return Ok(Vec::new());
        }
        let Some(items) = self.node.items() else { return Err(self.expected("a list")) };
        Ok(items.iter().map(|node| Reader::new(self.file, node)).collect())
    }

    /// Returns a scalar's text.
    pub(crate) fn text(&self) -> Result<String> {
        self.node.as_str().map(str::to_owned).ok_or_else(|| self.expected("a text"))
    }

    /// Returns a list of texts.
    pub(crate) fn texts(&self) -> Result<Vec<String>> {
        self.items()?.iter().map(Reader::text).collect()
    }

    /// Returns a text, or a list of texts.
    pub(crate) fn text_or_texts(&self) -> Result<Vec<String>> {
        if self.node.as_str().is_some() { Ok(vec![self.text()?]) } else { self.texts() }
    }

    /// Returns a whole number.
    pub(crate) fn number(&self) -> Result<u64> {
        let text = self.text()?;
        text.parse().map_err(|_e| self.expected("a whole number"))
    }

    /// Returns `true` or `false`.
    pub(crate) fn boolean(&self) -> Result<bool> {
        self.node.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    /// Resolves a path relative to the folder of the file.
    pub(crate) fn path_beside(&self, relative: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new(".")).join(relative)
    }

    /// Returns an error at this node.
    pub(crate) fn error(&self, message: &str) -> anyhow::Error {
        self.at(self.node.start, message)
    }

    /// Returns the error for the unknown key of this value, with the nearest of `known`.
    pub(crate) fn unknown_key(&self, key: &str, known: &[&str]) -> anyhow::Error {
        let near = known
            .iter()
            .map(|k| (distance(key, k), *k))
            .min()
            .filter(|(d, _)| *d <= 1 + key.len() / 4);
        let advice = near.map(|(_, k)| format!("; did you mean {k:?}?")).unwrap_or_default();
        self.at(self.key, &format!("unknown key {key:?}{advice}"))
    }

    fn expected(&self, what: &str) -> anyhow::Error {
        self.error(&format!("expected {what}, found {}", self.node.kind()))
    }

    fn at(&self, mark: Mark, message: &str) -> anyhow::Error {
        anyhow!("{}:{}:{}: {message}", self.file.display(), mark.line, mark.column)
    }
}

/// Returns the number of single-character edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

/// Replaces `${name}` in `text` by what `value_of` returns; an unknown name is an error.
pub(crate) fn expand(text: &str, value_of: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            bail!("{text:?} has \"${{\" without \"}}\"");
        };
        let value = value_of(name)
            .ok_or_else(|| anyhow!("{text:?} names the unknown variable {name:?}"))?;
        out.push_str(before);
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_met_with_the_right_word() {
        let node = yaml::parse(b"a: 1\npakages: []\n").unwrap();
        let reader = Reader::new(Path::new("m.yaml"), &node);
        let (key, value) = reader.entries().unwrap()[1].clone();
        let err = value.unknown_key(key, &["packages", "include"]).to_string();
        assert_eq!(err, "m.yaml:2:1: unknown key \"pakages\"; did you mean \"packages\"?");
        let far = value.unknown_key("zzzz", &["packages"]).to_string();
        assert_eq!(far, "m.yaml:2:1: unknown key \"zzzz\"");
    }

    #[test]
    fn variables_are_expanded_once_and_unknown_ones_refused() {
        let value = |n: &str| (n == "v").then(|| "1.0".to_owned());
        assert_eq!(expand("a-${v}.${v}", value).unwrap(), "a-1.0.1.0");
        assert!(expand("${w}", value).unwrap_err().to_string().contains("\"w\""));
        assert!(expand("${v", value).is_err());
    }
}
