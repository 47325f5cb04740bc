//! Broken configs: whatever is missing or changed, the compiler says so and ends.

use nestos_butane::{Color, Hints, Lang, Layout, Part, View, ignition, render};

use super::cases::{self, Case};
use super::outcome;
use super::parallel::in_parallel;
use super::random::{Random, rounds};
use super::tree::{self, Tree};
use super::writer;

/// How often each case is cut, and how often it is garbled.
const CUTS: usize = 12;

/// How many keys and items are taken away from each case, one at a time.
const REMOVALS: usize = 8;

/// Returns a complaint if the compiler gave up on a text. Showing the report must not fail either.
fn gave_up(case: &Case, text: &[u8]) -> Option<String> {
    let outcome = outcome::of(case, text);
    let layout = Layout::Excerpts(Color::Always);
    let view = View { layout, lang: Lang::English, hints: Hints::Show };
    let shown = render(&outcome.report, "input.bu", text, view);
    let failure = outcome.report.failure.clone().unwrap_or_default();
    let explained = outcome.output.is_some() || !failure.is_empty();
    (!explained || failure.contains("gave up"))
        .then(|| format!("{}: {failure}\n{shown}\n{}", case.name, String::from_utf8_lossy(text)))
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn no_cut_and_no_garbled_byte_stops_the_compiler() {
    let complaints = in_parallel(cases::all(), |case| {
        let input = case.input();
        let mut random = Random::of(&case.name, 0);
        let mut complaints = vec![];
        let cuts = rounds(CUTS);
        for n in 0..cuts {
            let mut cut = input.clone();
            cut.truncate(input.len() * n / cuts);
            let mut garbled = input.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(input.len());
                if let Some(byte) = garbled.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            for text in [cut, garbled] {
                complaints.extend(gave_up(case, &text));
                drop(ignition::validate(&text));
            }
        }
        complaints
    });
    assert_none(&complaints);
}

#[test]
fn no_cut_and_no_garbled_byte_stops_the_check_of_ignition_configs() {
    let complaints = in_parallel(cases::all(), |case| {
        let output = case.file("expected.ign");
        let mut random = Random::of(&case.name, 1);
        let cuts = rounds(CUTS);
        for n in 0..cuts {
            drop(ignition::validate(&output[..output.len() * n / cuts]));
            let mut garbled = output.clone();
            let at = random.below(output.len());
            if let Some(byte) = garbled.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            drop(ignition::validate(&garbled));
        }
        Vec::<String>::new()
    });
    assert_none(&complaints);
}

#[test]
fn a_config_that_lacks_something_is_compiled_or_refused() {
    let complaints = in_parallel(cases::all(), |case| {
        let Some(tree) = tree::read(&case.input()) else { return vec![] };
        let mut random = Random::of(&case.name, 2);
        let mut complaints = vec![];
        for _ in 0..rounds(REMOVALS) {
            let mut less = tree.clone();
            less.remove(&mut random.below(tree.size()));
            let text = writer::write(&less, &mut random).text;
            complaints.extend(gave_up(case, text.as_bytes()));
        }
        complaints
    });
    assert_none(&complaints);
}

#[test]
fn a_key_that_is_not_used_can_be_left_out() {
    let complaints = in_parallel(cases::all(), |case| {
        let Some(tree) = tree::read(&case.input()) else { return vec![] };
        let before = outcome::of(case, &case.input());
        let mut random = Random::of(&case.name, 3);
        let mut complaints = vec![];
        for entry in before.report.entries.iter().filter(|e| e.message.starts_with("unused key ")) {
            let path = entry.path.as_ref().unwrap().parts();
            let mut steps: Vec<String> = path
                .iter()
                .map(|part| match part {
                    Part::Key(key) => key.to_string(),
                    Part::Index(_) => "*".to_owned(),
                })
                .collect();
            let key = steps.pop().unwrap();
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            let mut less = tree.clone();
            // All items of a list lose the key: what one does not use, none does.
            less.each(&steps, &mut |map| {
                if let Tree::Map(entries) = map {
                    entries.retain(|(k, _)| k.text != key);
                }
            });
            let text = writer::write(&less, &mut random).text;
            let after = outcome::of(case, text.as_bytes());
            if before.output != after.output {
                let said = (&before.output, &after.output);
                complaints.push(format!("{} without {key}: {said:?}\n{text}", case.name));
            }
        }
        complaints
    });
    assert_none(&complaints);
}
