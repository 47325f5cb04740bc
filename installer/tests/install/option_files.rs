//! Option files, the plan, the report and the progress for programs.

use std::fs;

use nestos_host::cmd::Cmd;
use serde_json::Value;

use crate::support::{Bench, CONFIG, MIB, boot_file, image, installer, loop_devices};

const DISK_SIZE: u64 = 32 * MIB;

#[test]
fn files_and_command_line_add_up() {
    if !loop_devices("files_and_command_line_add_up") {
        return;
    }
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let config = bench.file("c.ign", CONFIG);
    let disk = bench.disk.display();
    let one = bench.file(
        "one.yaml",
        format!(
            "dest-device: {disk}\nimage-file: /nonexistent\ninsecure: true\nfetch-retries: 2\n\
             append-karg: [a=1, b=2]\nignition-file: {config}\n"
        ),
    );
    let two = bench.file("two.yaml", "append-karg:\n  - c=3\ninsecure: false\nconsole: ttyS0\n");
    let run = installer()
        .args(["install", "-c", &one, "-c", &two, "--image-file", &image])
        .args(["--append-karg", "d=4"])
        .finish()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let entry = boot_file(&bench.disk, "/loader/entries/ostree-1-nestos.conf");
    assert!(entry.contains("console=ttyS0,9600n8 a=1 b=2 c=3 d=4"), "{entry}");
    assert_eq!(boot_file(&bench.disk, "/ignition/config.ign"), CONFIG);
}

#[test]
fn files_are_refused_with_line_column_and_a_guess() {
    let bench = Bench::new(DISK_SIZE);
    for (text, message) in [
        (
            "image_file: x",
            "line 1, column 1: there is no option \"image_file\"; did you mean image-file?",
        ),
        ("insecure: 1", "line 1, column 1: insecure is true or false, not \"1\""),
        ("stream: a\nconsole: [tty0, ttyX]", "line 2, column 1: invalid value 'ttyX'"),
        ("append-karg: {a: b}", "append-karg needs a value, not a"),
        ("- a", "it holds no keys"),
        ("config-file: x", "there is no option \"config-file\""),
        ("a: b: c", "line 1"),
        ("dest-device: /dev/null", "by dest-device in an option file"),
    ] {
        let file = bench.file("o.yaml", text);
        let text = text.replace("stream: a\n", "platform: a\n");
        fs::write(&file, text).unwrap();
        bench.install(["-c", &file]).fails_with(1, &[message]);
        bench.assert_untouched();
    }
    let empty = bench.file("o.yaml", "platform: metal\n");
    let run = installer().args(["install", "-c", &empty]).finish().unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.code() == Some(1) && text.contains("no disk is named"), "{text}");
    let exclusive = bench.file("o.yaml", "image-file: a\nimage-url: http://127.0.0.1/\n");
    bench.install(["-c", &exclusive]).fails_with(2, &["cannot be used with"]);
}

#[test]
fn a_program_follows_the_installation_and_gets_a_report() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let report = bench.dir.path().join("report.json");
    let args = ["install", "--image-file", &image, "--insecure", "--progress", "json", "--report"];
    let cmd = || installer().args(args).arg(&report).arg(&bench.disk);
    let plan = cmd().arg("--dry-run").output().unwrap();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        (&plan["event"], &plan["plan"]["disk"]["size"]),
        (&"plan".into(), &DISK_SIZE.into())
    );
    let read = || serde_json::from_str::<Value>(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(
        (&read()["outcome"], &read()["disk"]["size"]),
        (&"planned".into(), &DISK_SIZE.into())
    );
    bench.assert_untouched();
    let events = cmd().arg("--verify-written").output().unwrap();
    let events: Vec<Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), ("plan", "progress", "installed"));
    let verified = events.iter().rfind(|e| e["phase"] == "verify").unwrap();
    assert!(verified["done"] == verified["total"] && verified["total"].as_u64() > Some(15 << 20));
    assert_eq!(read()["verified_written"], true);
    let sum = Cmd::new("sha256sum").arg(&image).output().unwrap();
    let digest = format!("sha256:{}", sum.split(' ').next().unwrap());
    assert_eq!(read()["image_digest"], digest);
    assert_eq!(events.last().unwrap()["report"], read());
    assert_eq!(read()["image"]["partitions"][2]["label"], "boot");
}

#[test]
fn progress_goes_to_an_open_descriptor_only() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let args = ["--image-file", &image, "--insecure", "--progress", "json", "--progress-fd", "77"];
    bench.install(args).fails_with(1, &["file descriptor 77 is not open", "not touched"]);
    bench.assert_untouched();
    let log = bench.dir.path().join("progress");
    let line = format!(
        "exec {} install {} --image-file {image} --insecure --progress json --progress-fd 3 3>{}",
        env!("CARGO_BIN_EXE_nestos-installer"),
        bench.disk.display(),
        log.display()
    );
    assert_eq!(Cmd::new("sh").args(["-c", &line]).output().unwrap(), "");
    let last = fs::read_to_string(log).unwrap();
    assert!(last.lines().last().unwrap().contains("\"event\":\"installed\""), "{last}");
}

#[test]
fn the_plan_says_what_is_lost_and_what_comes() {
    let bench = Bench::new(DISK_SIZE);
    Cmd::new("sgdisk")
        .args(["-n", "1:2048:+1M", "-c", "1:old data"])
        .arg(&bench.disk)
        .run()
        .unwrap();
    let before = bench.disk_bytes();
    let image = bench.file("image", image());
    let run = bench.install(["--image-file", &image, "--insecure", "--dry-run"]).ok();
    for text in ["old data", "config of the first boot: none", "  4 root", "was not touched"] {
        assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
    }
    assert_eq!(bench.disk_bytes(), before);
}

#[test]
fn a_failed_disk_is_preserved_when_that_is_asked_for() {
    let bench = Bench::new(DISK_SIZE);
    let image = bench.file("image", image());
    let digest = format!("sha256:{}", "00".repeat(32));
    let args = ["--image-file", &image, "--image-digest", &digest, "--preserve-on-error"];
    bench.install(args).fails_with(1, &["stays as it is, as --preserve-on-error asks"]);
    let bytes = bench.disk_bytes();
    assert!(bytes[..1 << 20].iter().all(|b| *b == 0), "there is a boot sector or a table");
    assert!(bytes[2 << 20..3 << 20].iter().any(|b| *b != 0), "the body is gone");
}
