//! What the service decides: the daily cases one by one, the rules for every state and event.

use std::time::Duration;

use jiff::Timestamp;
use nestos_updater::daemon::calendar::{Calendar, Window, time_zone};
use nestos_updater::daemon::config::Settings;
use nestos_updater::daemon::event::{Action, Event, Happened, Waiting};
use nestos_updater::daemon::policy::{Policy, Strategy};
use nestos_updater::daemon::state::{
    CheckResult, Checks, DenyReason, Phase, Reboots, Retry, State, Trial,
};
use nestos_updater::daemon::step::step;
use nestos_updater::sysroot::{Deployments, Offer, Origin};
use proptest::prelude::{
    Just, Strategy as Generator, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use crate::deployments::{deployment, digest, menu};

const NOON: i64 = 1_795_348_800; // 2026-11-22T12:00:00Z, a Sunday.

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOON + seconds).unwrap()
}

fn policy() -> Policy {
    Settings::default().updates
}

fn evenings() -> Policy {
    let window = Window::new(&["Sun"], "20:00", 60).unwrap();
    let calendar = Calendar::new(time_zone("UTC").unwrap(), vec![window]).unwrap();
    Policy { strategy: Strategy::Periodic(calendar), ..policy() }
}

fn checked_at(seconds: i64) -> State {
    let checks = Checks { next: Some(at(seconds + 300)), ..Checks::default() };
    State { checks, good: Some(digest('a')), ..State::default() }
}

fn staged(image: char) -> State {
    State { phase: Phase::Staged { digest: digest(image) }, ..checked_at(0) }
}

fn rebooting(image: char) -> State {
    State { phase: Phase::Rebooting { digest: digest(image), since: at(0) }, ..checked_at(0) }
}

fn offer(image: char) -> Happened {
    Happened::Checked(Ok(Offer { digest: digest(image), version: None }))
}

fn take(
    state: State,
    menu_text: &str,
    what: Happened,
    now: i64,
    policy: &Policy,
) -> (State, Action) {
    step(state, &Event { deployments: menu(menu_text), what }, at(now), policy)
}

fn sleeps(action: &Action) -> Option<(u64, Waiting)> {
    match action {
        Action::Sleep(time, why) => Some((time.as_secs(), *why)),
        _ => None,
    }
}

#[test]
fn a_new_image_is_staged_and_booted() {
    let p = policy();
    let (state, action) = take(State::default(), "*a", Happened::Started, 0, &p);
    assert!(matches!(action, Action::Check(_)));
    let (state, action) = take(state, "*a", offer('b'), 0, &p);
    assert!(matches!(&action, Action::Stage { digest: d, .. } if *d == digest('b')));
    let (state, action) = take(state, "+b *a", Happened::Staged(Ok(digest('b'))), 60, &p);
    assert_eq!(action, Action::Reboot { digest: digest('b') });
    let (state, action) = take(state, "+b *a", Happened::RebootAsked(Ok(())), 61, &p);
    assert_eq!(sleeps(&action), Some((599, Waiting::Shutdown)));
    let (state, _) = take(state, "*b a", Happened::Started, 120, &p);
    assert_eq!(state.phase, Phase::Steady);
    assert_eq!(state.denied, []);
}

#[test]
fn nothing_new_sleeps_until_the_next_check() {
    let p = Policy { jitter_percent: 10, ..policy() };
    let (state, action) = take(State::default(), "*a", offer('a'), 0, &p);
    assert_eq!(sleeps(&action), Some((330, Waiting::Check)));
    assert_eq!(state.checks.last.unwrap().result, CheckResult::UpToDate);
}

#[test]
fn a_staged_update_waits_for_the_window() {
    let (state, action) = take(staged('b'), "+b *a", Happened::Tick, 0, &evenings());
    assert_eq!(sleeps(&action), Some((300, Waiting::Window)), "it checks meanwhile");
    let checks = Checks { next: Some(at(8 * 3600 + 300)), ..Checks::default() };
    let (_, action) =
        take(State { checks, ..state }, "+b *a", Happened::Tick, 8 * 3600, &evenings());
    assert_eq!(action, Action::Reboot { digest: digest('b') });
}

#[test]
fn a_tag_that_moves_replaces_what_is_staged() {
    let (state, action) = take(staged('b'), "+b *a", offer('c'), 0, &evenings());
    assert!(matches!(&action, Action::Stage { digest: d, .. } if *d == digest('c')));
    let failed = Happened::Staged(Err("no room".to_owned()));
    let (state, _) = take(state, "+b *a", failed, 0, &evenings());
    assert_eq!(state.phase, Phase::Staged { digest: digest('b') }, "the older one is still there");
}

#[test]
fn a_tag_that_goes_back_drops_what_is_staged() {
    let (state, action) = take(staged('b'), "+b *a", offer('a'), 0, &evenings());
    assert_eq!(action, Action::Unstage);
    let (state, action) = take(state, "*a", Happened::Unstaged(Ok(())), 0, &evenings());
    assert_eq!((state.phase, sleeps(&action)), (Phase::Steady, Some((300, Waiting::Check))));
}

#[test]
fn a_denied_digest_is_not_staged_and_not_booted() {
    let mut state = staged('b');
    state.deny(&digest('b'), DenyReason::BootFailed, at(0));
    let (_, action) = take(state.clone(), "+b *a", Happened::Tick, 1, &policy());
    assert_eq!(action, Action::Unstage);
    state.phase = Phase::Steady;
    let (state, action) = take(state, "*a", offer('b'), 1, &policy());
    assert_eq!(sleeps(&action), Some((300, Waiting::Check)));
    assert_eq!(state.checks.last.unwrap().result, CheckResult::Denied(digest('b')));
}

#[test]
fn staging_that_fails_is_repeated_ever_more_slowly() {
    let mut state = checked_at(0);
    let mut now = 0;
    for expected in [300, 600, 1200, 2400, 4800, 9600, 19200, 21600, 21600] {
        let (begun, action) = take(state, "*a", offer('b'), now, &policy());
        assert!(matches!(action, Action::Stage { .. }), "{now}");
        let failed = Happened::Staged(Err("no room".to_owned()));
        let (failed, _) = take(begun, "*a", failed, now, &policy());
        let (early, action) = take(failed, "*a", offer('b'), now + expected - 1, &policy());
        assert_eq!(sleeps(&action), Some((300, Waiting::Check)), "{expected}");
        now += expected;
        state = early;
    }
}

#[test]
fn a_reboot_that_does_not_happen_is_asked_again_after_a_pause() {
    let refused = Happened::RebootAsked(Err("inhibited".to_owned()));
    let (state, action) = take(rebooting('b'), "+b *a", refused, 5, &policy());
    assert_eq!(sleeps(&action), Some((295, Waiting::Retry)), "a check comes first");
    assert_eq!(state.phase, Phase::Staged { digest: digest('b') });
    let (state, action) = take(rebooting('b'), "+b *a", Happened::Tick, 600, &policy());
    assert!(matches!(action, Action::Check(_)));
    assert_eq!(state.retry.unwrap().until, at(900));
}

#[test]
fn falling_back_denies_the_digest() {
    let (state, _) = take(rebooting('b'), "*a b", Happened::Started, 60, &policy());
    assert_eq!(state.denial(&digest('b')).unwrap().reason, DenyReason::BootFailed);
    let (_, action) = take(state, "*a b", offer('b'), 61, &policy());
    assert!(sleeps(&action).is_some());
}

#[test]
fn a_deployment_that_never_comes_into_the_menu_is_given_up() {
    let mut state = State::default();
    for n in 1..=3_u32 {
        let phase = Phase::Rebooting { digest: digest('b'), since: at(0) };
        (state, _) = take(State { phase, ..state }, "*a", Happened::Started, 60, &policy());
        assert_eq!(state.denies(&digest('b')), n == 3);
    }
}

#[test]
fn a_rollback_by_hand_sticks_whatever_the_tool() {
    let state = State { good: Some(digest('b')), ..State::default() };
    let (once, _) = take(state.clone(), "b *a", Happened::Started, 0, &policy());
    assert_eq!(once.denied, [], "an entry picked in the menu is no rollback");
    let (state, _) = take(state, "*a b", Happened::Started, 0, &policy());
    assert_eq!(state.denial(&digest('b')).unwrap().reason, DenyReason::RolledBackByAdmin);
}

#[test]
fn a_trial_without_verdict_stops_everything() {
    let trial = Trial {
        checksum: deployment('b').checksum,
        digest: Some(digest('b')),
        previous: None,
        since: at(0),
    };
    for menu_text in ["*b a", "b *a"] {
        let state = State { trial: Some(trial.clone()), ..State::default() };
        let (_, action) = take(state, menu_text, Happened::Started, 0, &policy());
        assert_eq!(sleeps(&action), Some((300, Waiting::Verdict)), "{menu_text}");
    }
}

#[test]
fn what_others_staged_from_elsewhere_is_left_alone() {
    let mut deployments = menu("+b *a");
    deployments.0[0].origin = Origin::Refspec("fedora:x".to_owned());
    let event = Event { deployments, what: offer('c') };
    let (state, action) = step(checked_at(0), &event, at(0), &policy());
    assert_eq!(sleeps(&action), Some((300, Waiting::Check)));
    assert_eq!(state.checks.last.unwrap().result, CheckResult::Foreign);
}

#[test]
fn a_node_without_an_image_and_one_with_updates_off_do_nothing() {
    let mut deployments = menu("*a");
    deployments.0[0].origin = Origin::Refspec("fedora:x".to_owned());
    let event = Event { deployments, what: Happened::Started };
    let (_, action) = step(State::default(), &event, at(0), &policy());
    assert_eq!(sleeps(&action), Some((10800, Waiting::NoImage)));
    let off = Policy { enabled: false, ..policy() };
    let (_, action) = take(staged('b'), "+b *a", Happened::Tick, 0, &off);
    assert_eq!(sleeps(&action), Some((10800, Waiting::Disabled)));
}

#[test]
fn an_older_version_needs_leave() {
    for (offered, leave, stages) in [
        ("1.0.9", false, false),
        ("1.0.9", true, true),
        ("1.0.11", false, true),
        ("rawhide", false, true),
    ] {
        let mut deployments = menu("*a");
        deployments.0[0].version = Some("1.0.10".to_owned());
        let offer = Offer { digest: digest('b'), version: Some(offered.to_owned()) };
        let event = Event { deployments, what: Happened::Checked(Ok(offer)) };
        let policy = Policy { allow_downgrade: leave, ..policy() };
        let (_, action) = step(State::default(), &event, at(0), &policy);
        assert_eq!(matches!(action, Action::Stage { .. }), stages, "{offered} {leave}");
    }
}

fn image() -> impl Generator<Value = char> {
    prop::sample::select(vec!['a', 'b', 'c'])
}

fn time() -> impl Generator<Value = Timestamp> {
    prop_oneof![
        4 => (-100_000_i64..100_000).prop_map(at),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

fn phases() -> impl Generator<Value = Phase> {
    prop_oneof![
        Just(Phase::Steady),
        image().prop_map(|i| Phase::Staging { digest: digest(i) }),
        image().prop_map(|i| Phase::Staged { digest: digest(i) }),
        (image(), time()).prop_map(|(i, since)| Phase::Rebooting { digest: digest(i), since }),
    ]
}

fn states() -> impl Generator<Value = State> {
    let denied = prop::collection::vec((image(), time()), 0..3);
    let trial = prop::option::of((image(), time()));
    let retry = prop::option::of((image(), any::<u32>(), time()));
    let reboots = prop::option::of((image(), any::<u32>()));
    let checks = (any::<u32>(), prop::option::of(time()));
    let good = prop::option::of(image());
    (phases(), denied, trial, retry, reboots, checks, good).prop_map(
        |(phase, denied, trial, retry, reboots, (failures, next), good)| {
            let mut state = State { phase, good: good.map(digest), ..State::default() };
            for (i, at) in denied {
                state.deny(&digest(i), DenyReason::HealthCheck("x".to_owned()), at);
            }
            state.trial = trial.map(|(i, since)| Trial {
                checksum: deployment(i).checksum,
                digest: Some(digest(i)),
                previous: None,
                since,
            });
            state.retry = retry.map(|(i, failures, until)| Retry {
                digest: digest(i),
                failures,
                until,
                error: String::new(),
            });
            state.reboots = reboots.map(|(i, count)| Reboots { digest: digest(i), count });
            state.checks = Checks { failures, next, last: None };
            state
        },
    )
}

fn oops<T>() -> Result<T, String> {
    Err("x".to_owned())
}

fn happenings() -> impl Generator<Value = Happened> {
    prop_oneof![
        Just(Happened::Started),
        Just(Happened::Tick),
        Just(Happened::ConfigReloaded),
        image().prop_map(offer),
        Just(Happened::Checked(oops())),
        image().prop_map(|i| Happened::Staged(Ok(digest(i)))),
        Just(Happened::Staged(oops())),
        Just(Happened::Unstaged(Ok(()))),
        Just(Happened::Unstaged(oops())),
        Just(Happened::RebootAsked(Ok(()))),
        Just(Happened::RebootAsked(oops())),
    ]
}

fn menus() -> impl Generator<Value = Deployments> {
    let texts = ["", "*a", "*a b", "b *a", "+b *a", "+c *a b", "+a *a", "a", "+b", "+b c *a"];
    prop::sample::select(texts.to_vec()).prop_map(menu)
}

fn policies() -> impl Generator<Value = Policy> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<u32>()).prop_map(
        |(enabled, allow_downgrade, windows, jitter_percent)| {
            let base = if windows { evenings() } else { policy() };
            Policy { enabled, allow_downgrade, jitter_percent, ..base }
        },
    )
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_rules_hold_for_every_state_and_event(
        state in states(), deployments in menus(), what in happenings(), now in time(),
        policy in policies(),
    ) {
        let event = Event { deployments: deployments.clone(), what };
        let (after, action) = step(state.clone(), &event, now, &policy);

        let text = serde_json::to_string(&after).unwrap();
        prop_assert_eq!(&serde_json::from_str::<State>(&text).unwrap(), &after);
        for denied in &state.denied {
            prop_assert!(after.denies(&denied.digest), "nothing is forgotten");
        }
        let booted = deployments.booted().and_then(|d| d.digest.clone());
        let waiting = deployments.staged().and_then(|d| d.digest.clone());
        match &action {
            Action::Stage { digest, .. } => {
                prop_assert!(policy.enabled && !state.denies(digest));
                prop_assert!(booted.as_ref() != Some(digest) && waiting.as_ref() != Some(digest));
                prop_assert_eq!(&after.phase, &Phase::Staging { digest: digest.clone() });
            }
            Action::Reboot { digest } => {
                prop_assert!(policy.enabled && !after.denies(digest));
                prop_assert_eq!(waiting.as_ref(), Some(digest));
                if let Strategy::Periodic(calendar) = &policy.strategy {
                    prop_assert!(calendar.is_open(now));
                }
                let expected = Phase::Rebooting { digest: digest.clone(), since: now };
                prop_assert_eq!(&after.phase, &expected);
            }
            Action::Check(_) | Action::Unstage => prop_assert!(policy.enabled),
            Action::Sleep(time, _) => {
                prop_assert!(*time >= Duration::from_secs(1), "no busy loop");
                prop_assert!(*time <= Duration::from_secs(8 * 24 * 3600));
            }
        }
        let acts = !matches!(action, Action::Sleep(..));
        let on_trial = after.trial.as_ref().is_some_and(|t| {
            deployments.staged().is_none_or(|d| d.checksum != t.checksum)
        });
        prop_assert!(!(acts && on_trial), "{:?}", action);
    }

    #[test]
    fn no_sequence_of_answers_keeps_it_busy(
        state in states(), text in prop::sample::select(vec!["*a", "*a b", "+b *a"]),
        answers in prop::collection::vec(happenings(), 12), now in 0_i64..100_000,
    ) {
        let now = at(now);
        // Time stands still and nothing that is done changes anything: it must come to rest.
        let mut what = Happened::Started;
        let mut state = state;
        let mut busy = 0;
        for answer in answers {
            let (after, action) = take_at(state, text, what, now);
            state = after;
            busy += u32::from(!matches!(action, Action::Sleep(..)));
            what = match (action, answer) {
                (Action::Check(_), answer @ Happened::Checked(_)) => answer,
                (Action::Check(_), _) => offer('c'),
                (Action::Stage { digest, .. }, _) => Happened::Staged(Ok(digest)),
                (Action::Unstage, _) => Happened::Unstaged(Ok(())),
                (Action::Reboot { .. }, _) => Happened::RebootAsked(Ok(())),
                (Action::Sleep(..), _) => Happened::Tick,
            };
        }
        prop_assert!(busy <= 5, "{} actions", busy);
    }
}

fn take_at(state: State, text: &str, what: Happened, now: Timestamp) -> (State, Action) {
    step(state, &Event { deployments: menu(text), what }, now, &policy())
}
