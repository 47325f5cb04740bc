//! `installnestos`, driven by a pipe.

use nestos_host::cmd::Cmd;

use crate::support::{Bench, MIB, Run, boot_file, image, loop_devices};

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
        (&["root"], "user of the system itself"),
        (&["nest", ""], "the password is empty"),
        (&["nest", "one", "two"], "the two passwords differ"),
        (&["nest", "x", "x", "nosuchdisk"], "there is no disk /dev/nosuchdisk"),
        (&["nest", "x", "x", disk, "no"], "Nothing was changed."),
        (&["nest", "x", "x", disk, ""], "Nothing was changed."),
        (&["nest", "x", "x", disk], "the input ended"),
        (&[], "the input ended"),
    ] {
        converse(&bench, answers, &[]).fails_with(1, &[text]);
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
