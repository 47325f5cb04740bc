//! The same config, written in another way, is the same config.

use nestos_butane::{Entry, Part};
use nestos_formats::yaml::Mark;

use super::cases::{self, Case};
use super::outcome;
use super::parallel::in_parallel;
use super::random::{Random, rounds};
use super::tree;
use super::writer::{self, Written};

/// How often each case is written.
const ROUNDS: usize = 4;

/// How a text becomes bytes.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    Utf8,
    ByteOrderMark,
    CarriageReturns,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    fn of(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::ByteOrderMark,
            1 => Self::Utf16Le,
            2 => Self::Utf16Be,
            3 | 4 => Self::CarriageReturns,
            _ => Self::Utf8,
        }
    }

    fn bytes(self, text: &str) -> Vec<u8> {
        let units = || "\u{feff}".encode_utf16().chain(text.encode_utf16());
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::ByteOrderMark => format!("\u{feff}{text}").into_bytes(),
            Self::CarriageReturns => text.replace('\n', "\r\n").into_bytes(),
            Self::Utf16Le => units().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => units().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// Returns what is wrong with the place of a finding, if anything is: it must be where the deepest
/// value on its path was written, or the key, if that is unknown.
fn misplaced(entry: &Entry, written: &Written) -> Option<String> {
    let (path, at) = (entry.path.as_ref()?, entry.at?);
    // Another text, or a text inside a value, has places of its own.
    if entry.source.is_some() {
        return None;
    }
    let mut steps: Vec<String> = path
        .parts()
        .iter()
        .map(|part| match part {
            Part::Key(key) => key.to_string(),
            Part::Index(index) => index.to_string(),
        })
        .collect();
    let about_key = entry.message.starts_with("unused key ")
        || entry.message.ends_with("other compilers ignore it");
    let mut whole = true;
    while !written.places.contains_key(&steps) {
        steps.pop()?;
        whole = false;
    }
    let place = written.places[&steps];
    let expected: Mark = place.key.filter(|_| about_key && whole).unwrap_or(place.value);
    (at != expected).then(|| format!("{entry}: expected {expected:?}"))
}

/// Returns whether a value or a key was written where an error of type is.
fn is_somewhere(cause: &Entry, written: &Written) -> bool {
    let mut places = written.places.values();
    places.any(|place| cause.at.is_some_and(|at| at == place.value || Some(at) == place.key))
}

fn rewritten(case: &Case, round: usize) -> Option<Result<(), String>> {
    let tree = tree::read(&case.input())?;
    let expected = outcome::of(case, &case.input()).meaning();
    let mut random = Random::of(&case.name, round);
    let written = writer::write(&tree, &mut random);
    let encoding = Encoding::of(&mut random);
    let ours = outcome::of(case, &encoding.bytes(&written.text));
    let meaning = ours.meaning();
    let mut wrong = vec![];
    if meaning != expected {
        wrong.push(format!("expected {expected:#?}\nfound {meaning:#?}"));
    }
    if !tree.has_null_items() {
        wrong.extend(ours.report.entries.iter().filter_map(|entry| misplaced(entry, &written)));
        let causes = ours.report.causes.iter().filter(|cause| !is_somewhere(cause, &written));
        wrong.extend(causes.map(|cause| format!("nothing begins where {cause}")));
    }
    if wrong.is_empty() {
        return Some(Ok(()));
    }
    let (name, text) = (&case.name, &written.text);
    Some(Err(format!("{name}, round {round}, {encoding:?}:\n{text}\n{}", wrong.join("\n"))))
}

#[test]
fn a_config_means_the_same_however_it_is_written() {
    let results = in_parallel(cases::all(), |case| {
        (0..rounds(ROUNDS)).filter_map(|round| rewritten(case, round)).collect()
    });
    let wrong: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let shown: Vec<&str> = wrong.iter().take(3).map(|text| text.as_str()).collect();
    let names: Vec<&str> = wrong.iter().filter_map(|text| text.lines().next()).collect();
    assert!(wrong.is_empty(), "{} differ: {names:#?}\n{}", wrong.len(), shown.join("\n\n"));
    let most = cases::all().len() * ROUNDS * 9 / 10;
    assert!(results.len() > most, "only {} were written", results.len());
}
