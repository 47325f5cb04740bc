//! Ctrl-C, wherever the conversation is: it says what became of the disk and leaves a terminal that
//! works.

use super::screen::{Screen, disk, terminals};
use crate::support::{Answer, Bench, MIB, image, len, serve};

const ENGLISH: [&str; 2] = ["LC_ALL=en_US.UTF-8", "TERM=screen"];

/// Answers the first questions, as many as there are answers.
fn answered(bench: &Bench, answers: usize) -> Screen {
    let screen = Screen::start(bench, &ENGLISH, &[]);
    let place = disk(bench).to_owned();
    for (question, answer) in [
        ("User name:", "nest"),
        ("Password (it is not shown):", "correct horse"),
        ("The same password again:", "correct horse"),
        ("Disk to install to:", &place),
        ("back, quit:", "more"),
    ]
    .iter()
    .take(answers)
    {
        screen.answer(question, answer);
    }
    screen
}

/// Presses a key that ends programs and requires that nothing was touched and that what is typed is shown again.
#[track_caller]
fn leaves_nothing(screen: &Screen, bench: &Bench, (key, status): (&str, &str)) {
    screen.key(key);
    let text = screen.shows("Interrupted. The disk was not touched.");
    assert!(!text.contains("correct horse"), "{text}");
    assert_eq!(screen.status(), status);
    screen.shows("\necho\n");
    assert_eq!(screen.cursor(), "1", "the cursor is hidden");
    bench.assert_untouched();
}

#[test]
fn ctrl_c_at_any_question_touches_nothing_and_restores_the_terminal() {
    if !terminals("ctrl_c_at_any_question_touches_nothing_and_restores_the_terminal") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let questions = [
        "User name:",
        "Password (it is not shown):",
        "The same password again:",
        "Disk to install to:",
        "back, quit:",
    ];
    for (answers, question) in questions.iter().enumerate() {
        let screen = answered(&bench, answers);
        screen.asks(question);
        leaves_nothing(&screen, &bench, ("C-c", "130"));
    }
    // The other key would leave a core dump, with what was typed in it.
    let screen = answered(&bench, 2);
    screen.asks(questions[2]);
    leaves_nothing(&screen, &bench, ("C-\\", "131"));
}

#[test]
fn ctrl_c_in_a_menu_touches_nothing_and_restores_the_terminal() {
    if !terminals("ctrl_c_in_a_menu_touches_nothing_and_restores_the_terminal") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let screen = answered(&bench, 5);
    screen.asks("  Back");
    leaves_nothing(&screen, &bench, ("C-c", "130"));
    drop(screen);
    let screen = answered(&bench, 5);
    screen.pick("Network");
    screen.pick("Another interface");
    screen.asks("Interface:");
    leaves_nothing(&screen, &bench, ("C-c", "130"));
}

#[test]
fn ctrl_c_while_the_disk_is_written_leaves_it_unbootable_and_says_so() {
    if !terminals("ctrl_c_while_the_disk_is_written_leaves_it_unbootable_and_says_so") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    // The image stops in its middle, and with it the installation.
    let url = serve(vec![Answer::Stall(image().to_vec(), len(12 * MIB))]);
    let screen = Screen::with_image(&bench, &ENGLISH, &["--image-url", &url]);
    screen.answer("User name:", "nest");
    screen.answer("Password (it is not shown):", "correct horse");
    screen.answer("The same password again:", "correct horse");
    screen.answer("Disk to install to:", disk(&bench));
    screen.answer("back, quit:", "yes");
    let written = |bytes: &[u8]| bytes[..len(MIB)].iter().all(|b| *b == 0);
    screen.until("the disk is being written", || written(&bench.disk_bytes()));
    screen.key("C-c");
    screen.shows("the disk was left unbootable");
    assert_eq!(screen.status(), "1");
    screen.shows("\necho\n");
    bench.assert_unbootable();
}
