//! The comparison, aspect by aspect, and the list of differences that are meant.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;

use super::cases;
use super::differences::{DIFFERENCES, Difference};
use super::runs::{Aspect, Mismatch, mismatches};

/// How many mismatches a failure shows in full.
const SHOWN: usize = 5;

fn is_listed(mismatch: &Mismatch) -> bool {
    DIFFERENCES.iter().any(|difference| {
        difference.aspects.contains(&mismatch.aspect) && covers(difference, mismatch.case)
    })
}

fn covers(difference: &Difference, case: &str) -> bool {
    Regex::new(difference.cases).unwrap().is_match(case)
}

fn assert_same(aspect: Aspect) {
    let unexpected: Vec<&Mismatch> =
        mismatches().iter().filter(|m| m.aspect == aspect && !is_listed(m)).collect();
    let names: Vec<&str> = unexpected.iter().map(|m| m.case).collect();
    let shown: Vec<String> =
        unexpected.iter().take(SHOWN).map(|m| format!("{}\n{}", m.case, m.detail)).collect();
    assert!(
        unexpected.is_empty(),
        "{} of {} cases differ in {aspect:?}: {names:?}\n\n{}",
        names.len(),
        cases::all().len(),
        shown.join("\n\n")
    );
}

#[test]
fn exit_statuses_are_those_of_the_reference() {
    assert_same(Aspect::Status);
}

#[test]
fn outputs_are_those_of_the_reference_byte_by_byte() {
    assert_same(Aspect::Output);
}

#[test]
fn indented_outputs_are_those_of_the_reference_byte_by_byte() {
    assert_same(Aspect::Pretty);
}

#[test]
fn reports_with_excerpts_are_those_of_the_reference() {
    assert_same(Aspect::Report);
}

#[test]
fn reports_in_lines_are_those_of_the_reference() {
    assert_same(Aspect::Lines);
}

#[test]
fn strict_fails_where_the_reference_fails() {
    assert_same(Aspect::Strict);
}

#[test]
fn check_reports_the_same_and_writes_nothing() {
    assert_same(Aspect::Check);
}

#[test]
fn every_listed_difference_is_there() {
    let mut agreed: BTreeMap<&str, Vec<Aspect>> = BTreeMap::new();
    for difference in DIFFERENCES {
        let covered: Vec<&str> = cases::all()
            .iter()
            .map(|case| case.name.as_str())
            .filter(|name| covers(difference, name))
            .collect();
        assert!(!covered.is_empty(), "no case is like {}", difference.cases);
        for case in covered {
            let differs = |aspect: &Aspect| {
                mismatches().iter().any(|m| m.case == case && m.aspect == *aspect)
            };
            let same = difference.aspects.iter().copied().filter(|aspect| !differs(aspect));
            let same: Vec<Aspect> = same.collect();
            if !same.is_empty() {
                agreed.insert(case, same);
            }
        }
    }
    assert!(agreed.is_empty(), "take them off the list of differences: {agreed:#?}");
}

#[test]
fn the_documentation_explains_every_listed_difference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/butane-differences.md");
    let text = std::fs::read_to_string(path).unwrap();
    for difference in DIFFERENCES {
        let heading = format!("### {}\n", difference.reason);
        let section = text.split_once(&heading).map(|(_, rest)| rest);
        let section = section.unwrap_or_else(|| panic!("nothing explains: {}", difference.reason));
        let section = section.split("\n### ").next().unwrap_or_default();
        for case in cases::all().iter().filter(|case| covers(difference, &case.name)) {
            let name = format!("`{}`", case.name);
            assert!(section.contains(&name), "{} does not name {name}", difference.reason);
        }
    }
}
