//! Files of answers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nestos_host::cmd::Cmd;

use super::{PASSWORD, converse};
use crate::support::{Bench, MIB, Run, boot_file, image, loop_devices};

fn replay(bench: &Bench, answers: &str, more: &[&str]) -> Run {
    let image = bench.file("image", image());
    let cmd = Cmd::new(env!("CARGO_BIN_EXE_installnestos"))
        .args(["--image-file", &image, "--insecure", "--no-reboot", "--answers", answers])
        .args(more)
        .env("LC_ALL", "C");
    Run::from(cmd.finish().unwrap())
}

fn private(bench: &Bench, name: &str, text: &str) -> String {
    let path = bench.file(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn saved_answers_are_replayed_once_the_password_is_there() {
    if !loop_devices("saved_answers_are_replayed_once_the_password_is_there") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = bench.disk.to_str().unwrap();
    let saved = bench.dir.path().join("saved.yaml");
    let save = ["--dry-run", "--save-answers", saved.to_str().unwrap()];
    let answers = ["nest", PASSWORD, PASSWORD, disk, "yes"];
    let run = converse(&bench, &answers, &save).ok();
    assert!(run.stderr.contains("without the password"), "{}", run.stderr);
    bench.assert_untouched();
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&saved).unwrap();
    assert!(!text.contains(PASSWORD) && !text.contains("$6$"), "{text}");

    let refused = ["missing: password_hash", "no disk was touched"];
    replay(&bench, saved.to_str().unwrap(), &[]).fails_with(1, &refused);
    bench.assert_untouched();

    private(&bench, "password", &format!("{PASSWORD}\n"));
    let complete = private(&bench, "complete.yaml", &format!("{text}password_file: password\n"));
    let run = replay(&bench, &complete, &["--dry-run"]).ok();
    assert!(run.stderr.contains("password_hash: (hidden)"), "{}", run.stderr);
    bench.assert_untouched();
    let run = replay(&bench, &complete, &[]).ok();
    assert!(!run.stderr.contains("$6$") && !run.stderr.contains(PASSWORD), "{}", run.stderr);
    let config = boot_file(&bench.disk, "/ignition/config.ign");
    let hash = config.split('"').find(|s| s.starts_with("$6$")).unwrap();
    sha_crypt::sha512_check(PASSWORD, hash).unwrap();
}

#[test]
fn answers_that_cannot_be_saved_are_not_asked_for() {
    let bench = Bench::new(32 * MIB);
    for path in ["/nonexistent/answers", "/proc/sys/answers", "/tmp"] {
        let run = converse(&bench, &["nest"], &["--save-answers", path]);
        assert!(!run.stderr.contains("User name"), "{}", run.stderr);
        run.fails_with(1, &["cannot save the answers", path, "no disk was touched"]);
    }
}

#[test]
fn answers_that_are_wrong_or_readable_by_others_touch_nothing() {
    if !loop_devices("answers_that_are_wrong_or_readable_by_others_touch_nothing") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let disk = bench.disk.to_str().unwrap();
    let hash =
        format!("password_hash: $6$salt${}", "0123456789abcdefghij".repeat(5).split_at(86).0);
    let base = format!("user: nest\ndisk: {disk}\n");
    let public = bench.file("public.yaml", format!("{base}{hash}\n"));
    replay(&bench, &public, &[]).fails_with(
        1,
        &["holds a secret, but its mode is 0644", "chmod 600", "no disk was touched"],
    );
    let misspelt = private(&bench, "a.yaml", &format!("{base}{hash}\nhost_name: x\n"));
    let texts = ["a.yaml:4:1: unknown key \"host_name\"; did you mean \"hostname\"?"];
    replay(&bench, &misspelt, &[]).fails_with(1, &texts);
    let nowhere = private(&bench, "b.yaml", &format!("user: nest\ndisk: nosuch\n{hash}\n"));
    replay(&bench, &nowhere, &[]).fails_with(1, &["there is no disk /dev/nosuch"]);
    let chinese = ["缺少: user, password_hash, disk", "磁盘未被改动"];
    let empty = private(&bench, "c.yaml", "");
    replay(&bench, &empty, &["--lang", "zh"]).fails_with(1, &chinese);
    replay(&bench, "/nonexistent", &[]).fails_with(1, &["cannot read /nonexistent"]);
    bench.assert_untouched();
}
