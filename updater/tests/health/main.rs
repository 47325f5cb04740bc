//! The verdict about a boot, case by case, and the trial at shutdown.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;
use nestos_updater::daemon::paths::Paths;
use nestos_updater::daemon::state::{DenyReason, State, Trial};
use nestos_updater::daemon::state_file::StateFile;
use nestos_updater::health::boot_counter::{self, Counter};
use nestos_updater::health::verdict::{Boot, Next, Verdict, judge};
use nestos_updater::health::{Findings, Outcome, arm, conclude};

use crate::deployments::{deployment, digest, menu};
use crate::fixed::Fixed;

#[path = "../daemon/deployments.rs"]
mod deployments;
mod fixed;

fn trial(image: char) -> Option<Trial> {
    let checksum = deployment(image).checksum;
    let digest = Some(digest(image));
    Some(Trial { checksum, digest, previous: None, since: Timestamp::UNIX_EPOCH })
}

fn denies(image: char) -> State {
    let mut state = State::default();
    state.deny(&digest(image), DenyReason::BootFailed, Timestamp::UNIX_EPOCH);
    state
}

fn verdict(counter: Counter, state: &State, text: &str, healthy: bool) -> Verdict {
    let failures = if healthy { vec![] } else { vec!["x.sh: exit status: 1".to_owned()] };
    judge(&Boot { counter, state, deployments: &menu(text) }, &failures)
}

fn digest_of(image: char) -> Option<String> {
    Some(digest(image))
}

#[test]
fn an_ordinary_boot_is_never_rolled_back() {
    for healthy in [true, false] {
        let state = State::default();
        assert_eq!(verdict(Counter::Unset, &state, "*a b", healthy), Verdict::Ordinary);
    }
}

#[test]
fn a_deployment_on_trial_is_good_or_bad() {
    let state = State { trial: trial('b'), ..State::default() };
    let good = Verdict::Good { digest: digest_of('b') };
    let why = "x.sh: exit status: 1".to_owned();
    for counter in [Counter::Unset, Counter::Counting, Counter::FellBack] {
        assert_eq!(verdict(counter, &state, "*b a", true), good, "{counter:?}");
        let bad = Verdict::Bad { digest: digest_of('b'), why: why.clone() };
        assert_eq!(verdict(counter, &state, "*b a", false), bad, "{counter:?}");
        let stuck = Verdict::Stuck { why: why.clone() };
        assert_eq!(verdict(counter, &state, "*b", false), stuck, "{counter:?}");
    }
}

#[test]
fn a_counter_without_a_record_tries_what_boots_by_default() {
    let state = State::default();
    let good = Verdict::Good { digest: digest_of('b') };
    assert_eq!(verdict(Counter::Counting, &state, "*b a", true), good);
    assert_eq!(verdict(Counter::Counting, &state, "b *a", false), Verdict::Waiting);
    let known = State { good: digest_of('a'), ..State::default() };
    let over = Verdict::Over { rolled_back: None };
    assert_eq!(verdict(Counter::Counting, &known, "*a b", false), over, "it is known to be good");
}

#[test]
fn a_fallback_denies_what_did_not_boot() {
    for state in [State { trial: trial('b'), ..State::default() }, State::default()] {
        let expected = Verdict::FellBack { digest: digest_of('b'), next: Next::Failed };
        assert_eq!(verdict(Counter::FellBack, &state, "b *a", true), expected);
    }
    let state = State { trial: trial('b'), ..State::default() };
    let expected = Verdict::FellBack { digest: digest_of('b'), next: Next::Booted };
    assert_eq!(verdict(Counter::FellBack, &state, "*a b", true), expected);
}

#[test]
fn a_trial_that_never_came_into_the_menu_is_over() {
    let state = State { trial: trial('b'), ..State::default() };
    let over = Verdict::Over { rolled_back: None };
    assert_eq!(verdict(Counter::Counting, &state, "*a c", false), over);
}

#[test]
fn another_entry_picked_by_hand_leaves_the_trial_alone() {
    let state = State { trial: trial('b'), ..State::default() };
    assert_eq!(verdict(Counter::Counting, &state, "b *a", false), Verdict::Waiting);
}

#[test]
fn a_rollback_by_hand_during_the_trial_denies() {
    let state = State { trial: trial('b'), ..State::default() };
    let over = Verdict::Over { rolled_back: digest_of('b') };
    assert_eq!(verdict(Counter::Counting, &state, "*a b", true), over);
}

#[test]
fn a_rollback_that_the_power_interrupted_is_completed() {
    let state = State { trial: trial('b'), ..denies('b') };
    let bad = Verdict::Bad { digest: digest_of('b'), why: "did not boot".to_owned() };
    assert_eq!(verdict(Counter::Counting, &state, "*b a", true), bad, "condemned stays condemned");
    let over = Verdict::Over { rolled_back: None };
    assert_eq!(verdict(Counter::Counting, &state, "*a b", false), over);
    let again = Verdict::FellBack { digest: digest_of('b'), next: Next::Failed };
    assert_eq!(verdict(Counter::Unset, &state, "b *a", true), again);
}

#[test]
fn a_bad_trial_is_denied_rolled_back_and_cleared() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    fs::create_dir_all(root.path().join("boot/grub2")).unwrap();
    let file = StateFile::open(&paths.state).unwrap();
    file.update(|s| s.trial = trial('b')).unwrap();
    boot_counter::arm(&paths).unwrap();
    let deployer = Fixed::new("*b a");
    let failures = vec!["x.sh: exit status: 1".to_owned()];
    let findings = Findings { failures, failed_units: BTreeSet::new() };
    let outcome = conclude(&deployer, &paths, &file, &findings).unwrap();
    assert_eq!(outcome, Outcome::Reboot);
    assert_eq!(deployer.rollbacks(), 1);
    assert_eq!(boot_counter::read(&paths), Counter::Unset);
    let state = file.read().unwrap();
    let reason = DenyReason::HealthCheck("x.sh: exit status: 1".to_owned());
    assert_eq!((state.trial.as_ref(), &state.denied[0].reason), (None, &reason));
    assert!(paths.judged.exists());
}

#[test]
fn a_good_trial_becomes_what_later_trials_are_measured_by() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    fs::create_dir_all(root.path().join("boot/grub2")).unwrap();
    let file = StateFile::open(&paths.state).unwrap();
    file.update(|s| s.trial = trial('b')).unwrap();
    let failed_units = BTreeSet::from(["old.service".to_owned()]);
    let findings = Findings { failures: vec![], failed_units: failed_units.clone() };
    let outcome = conclude(&Fixed::new("*b a"), &paths, &file, &findings).unwrap();
    assert_eq!(outcome, Outcome::Complete);
    let state = file.read().unwrap();
    assert_eq!((state.trial, state.good), (None, digest_of('b')));
    assert_eq!(state.failed_units, failed_units);
}

#[test]
fn only_what_will_be_finalized_is_put_on_trial() {
    for (text, staged, locked, armed) in [
        ("+b *a", true, false, true),
        ("+b *a", true, true, false),
        ("*a", false, false, false),
        ("*a", true, false, false),
    ] {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        for dir in ["boot/grub2", "run/ostree"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        for (path, exists) in [(&paths.staged, staged), (&paths.staged_locked, locked)] {
            if exists {
                fs::write(path, "").unwrap();
            }
        }
        arm(&Fixed::new(text), &paths).unwrap();
        let expected = if armed { Counter::Counting } else { Counter::Unset };
        assert_eq!(boot_counter::read(&paths), expected, "{text} {staged} {locked}");
        let trial = StateFile::peek(&paths.state).unwrap().trial;
        assert_eq!(trial.and_then(|t| t.digest), armed.then(|| digest('b')));
    }
}
