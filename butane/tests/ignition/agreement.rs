//! What one accepts, the other accepts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nestos_butane::{Options, Wrapping, compile, ignition};
use serde_json::Value;

use super::parallel::in_parallel;
use super::{cases, mutants, tool};

/// The versions that Debian 12's package knows. A newer one is asked about more.
const VERSIONS: [&str; 7] = ["3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0"];

/// Of how many mutants one is asked about, for the newest version and for the others: a run of the
/// tool takes 10 ms, and most rules are as old as the first version.
const STEPS: (usize, usize) = (3, 20);

/// Set, this asks about all mutants; that takes minutes.
const ALL: &str = "NESTOS_BUTANE_ALL";

/// Returns what the corpus compiles to, once each, in versions that the tool knows.
fn outputs() -> BTreeSet<String> {
    let known: Vec<&str> = VERSIONS.into_iter().filter(|version| tool::knows(version)).collect();
    assert!(known.len() >= 4, "the tool knows {known:?} only");
    let compiled = cases::all().iter().filter_map(|case| {
        let options =
            Options { files_dir: case.files_dir(), wrapping: Wrapping::None, ..Options::default() };
        let compiled = compile(case.input(), &options).ok()?;
        known.contains(&compiled.ignition_version.as_str()).then_some(compiled.json)
    });
    compiled.collect()
}

fn ours(json: &str) -> Result<String, String> {
    let report = ignition::validate(json.as_bytes());
    if report.is_fatal() { Err(report.to_string()) } else { Ok(report.to_string()) }
}

/// Returns what the two say to a config, if they do not agree on it.
fn disagreement(what: &str, json: &str) -> Option<String> {
    let (tool, ours) = (tool::verdict(json), ours(json));
    (tool.is_ok() != ours.is_ok())
        .then(|| format!("{what}\n  ignition-validate: {tool:?}\n  ours: {ours:?}"))
}

#[test]
fn ignition_accepts_what_the_corpus_compiles_to() {
    if !tool::is_there() {
        return;
    }
    let outputs: Vec<String> = outputs().into_iter().collect();
    let refused = in_parallel(&outputs, |json| match (tool::verdict(json), ours(json)) {
        (Ok(_), Ok(_)) => vec![],
        (tool, ours) => vec![format!("{json}\n  ignition-validate: {tool:?}\n  ours: {ours:?}")],
    });
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}

#[test]
fn both_refuse_the_same_broken_configs() {
    if !tool::is_there() {
        return;
    }
    let (step, others) = if std::env::var_os(ALL).is_some() { (1, 1) } else { STEPS };
    let mut all = vec![];
    for path in ["golden/everything.ign", "ignition/rest.ign"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
        let mut config: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        all.extend(mutants::all(&config).into_iter().step_by(step));
        for (n, version) in ["3.0.0", "3.1.0", "3.2.0"].into_iter().enumerate() {
            config["ignition"]["version"] = version.into();
            let mutants = mutants::all(&config).into_iter().skip(n).step_by(others);
            all.extend(mutants.map(|(what, json)| (format!("{version}: {what}"), json)));
        }
    }
    let found: Vec<String> =
        in_parallel(&all, |(what, json)| disagreement(what, json).into_iter().collect());
    assert!(found.is_empty(), "{} of {} differ:\n{}", found.len(), all.len(), found.join("\n"));
}
