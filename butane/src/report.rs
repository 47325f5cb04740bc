//! What the compiler has to say about a config: entries with a place, and whether it gave up.

use std::fmt;
use std::sync::Arc;

use nestos_formats::yaml::{Mark, Node};

use crate::lang::Lang;
use crate::messages::translate;
use crate::path::{Part, Path};

/// How grave an [`Entry`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The config cannot be used.
    Error,
    /// The config can be used, but probably not as meant.
    Warning,
    /// Good to know.
    Info,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How grave it is.
    pub severity: Severity,
    /// What it is about, in the spelling of the source; `None` if that is the whole text.
    pub path: Option<Path>,
    /// Where in the text it is.
    pub at: Option<Mark>,
    /// What it says.
    pub message: String,
    /// What may help; not part of what the reference says.
    pub hint: Option<Hint>,
    /// The text it is about, if that is not the config itself but one that it merges.
    pub source: Option<Arc<Source>>,
}

/// What may help with a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// What was probably meant.
    DidYouMean(String),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DidYouMean(word) => write!(f, "did you mean {word}?"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// A text that is compiled as part of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What its parent calls it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// All findings about one config, and the error that ended the compilation, if one did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings, in the order of the stages that made them.
    pub entries: Vec<Entry>,
    /// Why there is no output.
    pub failure: Option<String>,
    /// What `failure` sums up in the words of the reference, each with its place: errors of syntax
    /// and type in YAML. They are part of `failure` and not printed again.
    pub causes: Vec<Entry>,
}

impl Severity {
    /// Returns the word that reports in a language use.
    pub fn word_in(self, lang: Lang) -> &'static str {
        let chinese = match self {
            Self::Error => "错误",
            Self::Warning => "警告",
            Self::Info => "说明",
        };
        lang.pick(self.word(), chinese)
    }

    /// Returns the word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl Entry {
    /// Returns the one-line form in a language.
    pub fn in_language(&self, lang: Lang) -> String {
        if lang == Lang::English {
            return self.to_string();
        }
        let inside = self.source.as_ref().map(|source| format!("{}：", source.name));
        let path = self.path.as_ref().map(ToString::to_string);
        let at = self.at.map(|at| format!("第 {} 行第 {} 列", at.line, at.column));
        let mut place: Vec<String> = path.into_iter().chain(at).collect();
        if place.is_empty() {
            place.push("$".to_owned());
        }
        let (word, message) = (self.severity.word_in(lang), translate(&self.message, lang));
        format!("{word} {}{}：{message}", inside.unwrap_or_default(), place.join("，"))
    }

    /// Returns a finding about the config itself.
    pub(crate) fn new(
        severity: Severity,
        path: Option<Path>,
        at: Option<Mark>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity, path, at, message: message.into(), hint: None, source: None }
    }
}

impl fmt::Display for Entry {
    /// Prints the one-line form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.severity.word())?;
        if let Some(source) = &self.source {
            write!(f, "in {} ", source.name)?;
        }
        f.write_str("at ")?;
        match (&self.path, self.at) {
            (Some(path), Some(at)) => write!(f, "{path}, line {} col {}", at.line, at.column)?,
            (Some(path), None) => write!(f, "{path}")?,
            (None, Some(at)) => write!(f, "line {} col {}", at.line, at.column)?,
            (None, None) => write!(f, "$")?,
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for Report {
    /// Prints the one-line form of all entries, then the failure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(f, "{entry}")?;
        }
        match &self.failure {
            Some(failure) => write!(f, "{failure}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Report {}

impl Report {
    /// Returns a report that consists of a failure only.
    pub(crate) fn failed(failure: impl Into<String>) -> Self {
        Self { failure: Some(failure.into()), ..Self::default() }
    }

    /// Returns whether the config cannot be used.
    pub fn is_fatal(&self) -> bool {
        self.failure.is_some() || self.entries.iter().any(|e| e.severity == Severity::Error)
    }

    pub(crate) fn error(&mut self, path: &Path, message: impl Into<String>) {
        self.add(Severity::Error, path, message);
    }

    pub(crate) fn warning(&mut self, path: &Path, message: impl Into<String>) {
        self.add(Severity::Warning, path, message);
    }

    pub(crate) fn add(&mut self, severity: Severity, path: &Path, message: impl Into<String>) {
        self.entries.push(Entry::new(severity, Some(path.clone()), None, message));
    }

    /// Gives every entry without a place the place of the deepest node on its path.
    pub(crate) fn locate(&mut self, root: &Node) {
        for entry in self.entries.iter_mut().filter(|e| e.at.is_none() && e.source.is_none()) {
            entry.at = Some(closest(root, entry.path.as_ref()).start);
        }
    }
}

/// Returns the deepest node on `path`; a value behind an alias is at the alias.
fn closest<'n>(root: &'n Node, path: Option<&Path>) -> &'n Node {
    let mut node = root;
    for part in path.map(Path::parts).unwrap_or_default() {
        let Some(next) = child(node, part) else { break };
        node = next;
    }
    node
}

/// Returns what stands at one step below `node` in the text.
pub(crate) fn child<'n>(node: &'n Node, part: &Part) -> Option<&'n Node> {
    if node.alias {
        return None;
    }
    match part {
        Part::Key(key) => node.get(key),
        Part::Index(index) => node.items()?.get(*index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_placed_at_the_deepest_node_that_exists() {
        let root = nestos_formats::yaml::parse(b"storage:\n  files:\n    - path: /a\n").unwrap();
        let item = Path::default().key("storage").key("files").index(0);
        let mut report = Report::default();
        report.error(&item.key("path"), "bad");
        report.warning(&item.key("mode"), "odd");
        report.locate(&root);
        let lines = report.to_string();
        assert_eq!(
            lines,
            "error at $.storage.files.0.path, line 3 col 13: bad\n\
             warning at $.storage.files.0.mode, line 3 col 7: odd\n"
        );
    }
}
