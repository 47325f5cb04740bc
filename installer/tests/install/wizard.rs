//! `installnestos`, driven by a pipe, on terminals, and by files of answers.

mod interrupt;
mod more;
mod reboot;
mod replay;
mod screen;
mod secrets;

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use nestos_host::cmd::Cmd;

use crate::support::{Bench, MIB, Run, boot_file, image, loop_devices, program};

const PASSWORD: &str = "a secret, $% \"quoted\"";

fn converse(bench: &Bench, answers: &[&str], more: &[&str]) -> Run {
    let image = bench.file("image", image());
    let input: String = answers.iter().map(|a| format!("{a}\n")).collect();
    let cmd = Cmd::new(env!("CARGO_BIN_EXE_installnestos"))
        .args(["--image-file", &image, "--insecure", "--no-reboot"])
        .args(more)
        .env("LC_ALL", "C")
        .input(input);
    Run::from(cmd.finish().unwrap())
}

#[test]
fn four_answers_install_a_user() {
    if !loop_devices("four_answers_install_a_user") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = bench.disk.to_str().unwrap();
    let run = converse(&bench, &["nest", PASSWORD, PASSWORD, disk, "yes"], &[]).ok();
    assert!(run.stderr.contains("NestOS is installed. Reboot to start it."), "{}", run.stderr);
    let config = boot_file(&bench.disk, "/ignition/config.ign");
    let hash = config.split('"').find(|s| s.starts_with("$6$")).unwrap();
    sha_crypt::sha512_check(PASSWORD, hash).unwrap();
    assert_eq!(
        config.replace(hash, "HASH"),
        r#"{"ignition":{"version":"3.3.0"},"passwd":{"users":[{"groups":["adm","sudo","systemd-journal","wheel"],"name":"nest","passwordHash":"HASH"}]}}"#
    );
    assert!(!run.stderr.contains("secret") && !run.stderr.contains("$6$"), "{}", run.stderr);
}

#[test]
fn a_wrong_answer_from_a_pipe_touches_nothing() {
    if !loop_devices("a_wrong_answer_from_a_pipe_touches_nothing") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = bench.disk.to_str().unwrap();
    for (answers, text) in [
        (&["Nest Name"][..], "cannot be a user name"),
        (&["root"], "user or group of the system itself"),
        (&["docker"], "user or group of the system itself"),
        (&["nest", ""], "the password is empty"),
        (&["nest", "one", "two"], "the two passwords differ"),
        (&["nest", "x", "x", "nosuchdisk"], "there is no disk /dev/nosuchdisk"),
        (&["nest", "x", "x", disk, "no"], "Nothing was changed."),
        (&["nest", "x", "x", disk, ""], "Nothing was changed."),
        (&["nest", "x", "x", disk], "the input ended"),
        (&[], "the input ended"),
    ] {
        let untouched = if text.starts_with("Nothing") { text } else { "no disk was touched" };
        converse(&bench, answers, &[]).fails_with(1, &[text, untouched]);
        bench.assert_untouched();
    }
}

#[test]
fn the_conversation_can_be_chinese() {
    if !loop_devices("the_conversation_can_be_chinese") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let run = converse(&bench, &[], &["--lang", "zh"]);
    run.fails_with(1, &["用户名", "磁盘未被改动"]);
}

/// `installnestos` on a terminal of its own, made by script(1).
struct Terminal {
    child: Child,
    seen: String,
}

impl Terminal {
    fn start(bench: &Bench) -> Self {
        let image = bench.file("image", image());
        let binary = env!("CARGO_BIN_EXE_installnestos");
        let line = format!("{binary} --image-file {image} --insecure --no-reboot --lang en");
        let cmd = Cmd::new("script").args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let child = cmd.spawn(Stdio::piped(), Stdio::piped(), Stdio::null()).unwrap();
        Self { child, seen: String::new() }
    }

    /// Waits for a question and answers it.
    fn answer(&mut self, question: &str, answer: &str) {
        self.answer_bytes(question, answer.as_bytes());
    }

    fn answer_bytes(&mut self, question: &str, answer: &[u8]) {
        let start = self.seen.len();
        let mut byte = [0];
        while !self.seen[start..].ends_with(question) {
            let n = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert_ne!(n, 0, "no {question:?} in:\n{}", self.seen);
            self.seen.push(char::from(byte[0]));
        }
        self.child.stdin.as_mut().unwrap().write_all(answer).unwrap();
    }

    fn finish(mut self) -> (Option<i32>, String) {
        self.child.stdout.as_mut().unwrap().read_to_string(&mut self.seen).unwrap();
        (self.child.wait().unwrap().code(), self.seen)
    }
}

#[test]
fn on_a_terminal_wrong_answers_are_asked_again_and_secrets_are_not_shown() {
    let test = "on_a_terminal_wrong_answers_are_asked_again_and_secrets_are_not_shown";
    if !loop_devices(test) || !program("script", test) {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = bench.disk.to_str().unwrap();
    let mut terminal = Terminal::start(&bench);
    terminal.answer("User name: ", "Not Valid\n");
    terminal.answer_bytes("User name: ", b"caf\xe9\n");
    terminal.answer("not UTF-8 text\r\nUser name: ", "nest\n");
    terminal.answer("not shown): ", "first\x08 secret\n");
    terminal.answer("as of an arrow key\r\nPassword (it is not shown): ", "first secret\n");
    terminal.answer("again: ", "other secret\n");
    terminal.answer("not shown): ", "third secret\n");
    terminal.answer("again: ", "third secret\n");
    terminal.answer("Disk to install to", "nosuchdisk\n");
    terminal.answer("Disk to install to", &format!("{disk}\n"));
    terminal.answer("back, quit: ", "yes\n");
    let (code, seen) = terminal.finish();
    assert_eq!(code, Some(0), "{seen}");
    assert!(!seen.contains("secret"), "{seen}");
    let config = boot_file(&bench.disk, "/ignition/config.ign");
    let hash = config.split('"').find(|s| s.starts_with("$6$")).unwrap();
    sha_crypt::sha512_check("third secret", hash).unwrap();
}

#[test]
fn ctrl_c_in_the_conversation_touches_nothing() {
    let test = "ctrl_c_in_the_conversation_touches_nothing";
    if !loop_devices(test) || !program("script", test) {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let mut terminal = Terminal::start(&bench);
    terminal.answer("User name: ", "nest\n");
    terminal.answer("not shown): ", "\x03");
    let (code, seen) = terminal.finish();
    assert_eq!(code, Some(130), "{seen}");
    assert!(seen.contains("Interrupted. The disk was not touched."), "{seen}");
    bench.assert_untouched();
}
