//! What the compiler refuses for its structure.
//!
//! Structure is what one config shows by itself, one entry at a time: types, keys that are missing
//! or must not go together, texts that are no path, label, digest or URL, and words that a version
//! does not know. It is not: YAML syntax and the two keys that name the language; files on the
//! machine that compiles; entries that clash with other entries; and what is wrong in another
//! language inside a text, in a unit or an Ignition config.

use crate::cases::{self, Case};
use crate::schemas::{self, Findings};
use crate::yaml::Reading;

/// The share of refused configs, in percent, that schemas must refuse.
const LEAST: usize = 95;

/// What is said of files on the machine that compiles.
const FILES: &[&str] = &[
    "no such file or directory",
    "is a directory",
    "files directory",
    "matching filesystem node has existing contents",
    "$.storage.trees",
];

/// What is said of entries that clash.
const CLASHES: &[&str] = &[
    "duplicate entry defined",
    "already defined at line",
    "partition numbers collide",
    "partitions overlap",
    "cannot use the same partition label twice",
    "path conflicts with",
    "path includes link in config",
    "hard link target is a directory",
];

/// What is said of other languages.
const OTHER_LANGUAGES: &[&str] =
    &["invalid unit content", "config is not valid", "at line 1 col 1"];

#[test]
fn what_the_compiler_refuses_for_its_structure_is_invalid() {
    let mut missed = vec![];
    let mut refused = 0;
    for case in cases::all() {
        let Some(schema) = schemas::of(case) else { continue };
        let errors = structural_errors(case);
        let Some(config) = Reading::Compiler.json(&case.input()).filter(|_| !errors.is_empty())
        else {
            continue;
        };
        let findings = Findings::of(schema, &config);
        if findings.others.is_empty() && findings.unknown.is_empty() {
            missed.push(format!("{}: {}", case.name, errors.join("; ")));
        } else {
            refused += 1;
        }
    }
    let all = refused + missed.len();
    let summary = format!("refused {refused} of {all}; missed:\n{}", missed.join("\n"));
    // For whoever changes the schemas: `cargo test -- --nocapture`.
    std::io::Write::write_all(&mut std::io::stdout(), summary.as_bytes()).unwrap();
    assert!(all > 0 && refused * 100 >= all * LEAST, "{summary}");
}

/// Returns what the reference compiler says about the structure of a config.
fn structural_errors(case: &Case) -> Vec<String> {
    let report = String::from_utf8_lossy(&case.file("expected.stderr-raw")).into_owned();
    let is_structural = |line: &&str| {
        let error = line.starts_with("error at") || line.contains("cannot unmarshal");
        let mut others = [FILES, CLASHES, OTHER_LANGUAGES].into_iter().flatten();
        error && !others.any(|words| line.contains(words))
    };
    report.lines().filter(is_structural).map(|line| line.trim().to_owned()).collect()
}
