//! Compiles Butane configs, YAML that people write, to Ignition configs, JSON that machines read
//! at their first boot.
//!
//! Stages: YAML nodes with places ([`nestos_formats::yaml`]), a config of known shape ([`schema`]),
//! checks of the source, sugar to fragments, fragments merged below what the user wrote, checks of
//! the result. Every value keeps the source path it stands for, so late errors point at the cause.

use std::path::PathBuf;

use nestos_formats::yaml::{self, Node, Stage, YamlError};

use crate::decode::Undecodable;
use crate::nested::Nesting;
use crate::translate::{Sources, Translated};

pub use crate::decompile::{Conversion, DecompileOptions, Decompiled, Encoding, decompile};
pub use crate::explain::{ExplainError, explain};
pub use crate::json::Spacing;
pub use crate::json_schema::{NoSchema, json_schema};
pub use crate::lang::{Lang, UnknownLang};
pub use crate::messages::translate;
pub use crate::path::{Part, Path};
pub use crate::render::{Color, Hints, Layout, View, render};
pub use crate::report::{Entry, Hint, Report, Severity, Source};
pub use crate::suggest::closest;

mod check;
mod data_url;
mod decode;
mod decompile;
mod explain;
mod files_dir;
pub mod ignition;
mod json;
mod json_schema;
mod lang;
mod lint;
mod machine_config;
mod messages;
mod nested;
mod path;
mod quote;
mod render;
mod report;
mod scalar;
mod schema;
mod suggest;
mod translate;
mod value;

/// What compiling depends on besides the text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory that `local:` names are relative to; without one they are errors.
    pub files_dir: Option<PathBuf>,
    /// How the JSON is laid out.
    pub spacing: Spacing,
    /// What becomes of the parts that variants such as openshift wrap around an Ignition config.
    pub wrapping: Wrapping,
    /// Whether more is looked at than the reference compiler does.
    pub lint: Lint,
}

/// Whether to warn of what the reference compiler accepts without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lint {
    /// No: the findings are the reference's.
    #[default]
    Off,
    /// Yes: of keys and contents that cannot work, and, where systemd is installed, of what it says
    /// about the units.
    On,
}

/// Whether an Ignition config is wrapped in what its variant wraps it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrapping {
    /// It is, where there is such a thing.
    #[default]
    AsVariant,
    /// It is not.
    None,
}

/// A compiled config.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The Ignition config, without a line end after it.
    pub json: String,
    /// The machine config around it, as YAML, for variant openshift; without a line end.
    pub machine_config: Option<String>,
    /// The version of the Ignition spec it is written for, such as `3.3.0`.
    pub ignition_version: String,
    /// The minor version of that spec, `3.N`.
    pub(crate) ignition_minor: u8,
    /// What the user should know; never fatal.
    pub warnings: Report,
    /// What was found beyond that, if [`Options::lint`] asked for it; warnings only.
    pub lint: Report,
}

impl Compiled {
    /// Returns the config as a JSON value.
    pub fn value(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_str(&self.json)
    }
}

/// Returns the newest version of a variant that is not experimental.
pub fn newest_version(variant: &str) -> Option<&'static str> {
    let known = schema::DIALECTS.iter().filter(|d| d.variant == variant);
    known.map(|d| d.version).rfind(|version| !version.contains('-'))
}

/// Compiles a Butane config. The report of an `Err` says what is wrong and where; print it with
/// [`render`], then its `failure`.
pub fn compile(input: impl AsRef<[u8]>, options: &Options) -> Result<Compiled, Report> {
    compile_in(input.as_ref(), options, &Nesting::default())
}

fn compile_in(input: &[u8], options: &Options, nesting: &Nesting) -> Result<Compiled, Report> {
    let failed = |e: Undecodable| Report { causes: e.causes, ..Report::failed(e.message) };
    let mut root = yaml::parse_lenient(input).map_err(|e| failed(unreadable(&e)))?;
    let dialect = decode::header::dialect(&root).map_err(failed)?;
    let config = decode::config(&root, &schema::CONFIG, dialect).map_err(failed)?;

    let mut report = decode::unused::report(&root, &config, &schema::CONFIG, dialect);
    const SOURCE: &str = "source config is invalid";
    report = go_on(report, check::source(&config, dialect), &root, SOURCE)?;
    let mut lint = lint::Findings::new(options.lint);
    lint.source(&root, &config);
    // Only places are looked up from here on.
    root.forget_texts(LONGEST_KEY);
    let files_dir = &files_dir::FilesDir::new(options.files_dir.as_deref());
    let sources = Sources { files_dir, dialect, options, nesting };
    let (Translated { config, machine }, found) = translate::translate(config, &sources);
    report = go_on(report, found, &root, SOURCE)?;
    let found = ignition::check_generated(&config, dialect, ignition::Names::AsInButane);
    report = go_on(report, found, &root, "config generated was invalid")?;
    lint.result(&config);
    let mut lint = lint.besides(&report, &root);
    lint.entries.extend(nesting.take_lint());
    let json = json::print(&config, dialect, options.spacing);
    let machine_config = machine.map(|machine| machine_config::print(&machine, &json));
    let ignition_version = dialect.ignition_version();
    let ignition_minor = dialect.ignition;
    Ok(Compiled { json, machine_config, ignition_version, ignition_minor, warnings: report, lint })
}

/// Adds what a stage has found; an error among it ends the compilation.
fn go_on(mut report: Report, found: Report, root: &Node, failure: &str) -> Result<Report, Report> {
    report.entries.extend(found.entries);
    report.locate(root);
    if report.is_fatal() {
        report.failure = Some(failure.to_owned());
        return Err(report);
    }
    Ok(report)
}

/// No key of the language is longer, in bytes.
const LONGEST_KEY: usize = 64;

fn unreadable(error: &YamlError) -> Undecodable {
    let (severity, message) = (Severity::Error, error.problem.clone());
    let cause = error.at.map(|at| Entry::new(severity, None, Some(at), message));
    Undecodable {
        message: format!("Error unmarshaling yaml: yaml: {}", scan_message(error)),
        causes: cause.into_iter().collect(),
    }
}

/// Words an error of the YAML scanner as the reference does: it counts lines from where the broken
/// construct began, and parser errors from zero.
fn scan_message(error: &YamlError) -> String {
    let counted = |line: usize| match error.stage {
        Stage::Scanner => line,
        _ => line - 1,
    };
    let marks = [error.context, error.at].into_iter().flatten();
    let line = marks.map(|mark| mark.line).find(|line| *line > 1).map(counted);
    match (error.stage, line) {
        (Stage::Scanner | Stage::Parser, Some(line)) => format!("line {line}: {}", error.problem),
        _ => error.problem.clone(),
    }
}
