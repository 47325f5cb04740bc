//! What compiling comes to, without what may depend on how a config is written.

use std::sync::LazyLock;

use nestos_butane::{Entry, Options, Report, compile};
use regex::Regex;

use super::cases::Case;

/// What compiling comes to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The Ignition config and the machine config around it; `None` if there is none.
    pub(crate) output: Option<(String, Option<String>)>,
    /// The findings.
    pub(crate) report: Report,
}

/// Compiles a text with the files of a case.
pub(crate) fn of(case: &Case, text: &[u8]) -> Outcome {
    let options = Options { files_dir: case.files_dir(), ..Options::default() };
    match compile(text, &options) {
        Ok(done) => {
            Outcome { output: Some((done.json, done.machine_config)), report: done.warnings }
        }
        Err(report) => Outcome { output: None, report },
    }
}

impl Outcome {
    /// Returns what must not change when the same config is written in another way: the output,
    /// and the findings in any order, with their paths but not their places.
    pub(crate) fn meaning(&self) -> Vec<String> {
        let mut said: Vec<String> = self.report.entries.iter().map(finding).collect();
        said.extend(self.report.failure.iter().flat_map(|f| f.lines()).map(without_lines));
        said.sort();
        said.push(format!("{:?}", self.output));
        said
    }

    /// Returns the output as JSON.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        let (json, _) = self.output.as_ref()?;
        serde_json::from_str(json).ok()
    }
}

fn finding(entry: &Entry) -> String {
    let path = entry.path.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{} {path}: {}", entry.severity.word(), without_lines(&entry.message))
}

fn without_lines(text: &str) -> String {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(line|col) \d+").unwrap());
    PLACE.replace_all(text, "$1 N").into_owned()
}
