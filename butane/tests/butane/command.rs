//! The command line, and input that cannot be compiled.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::support::{assert_ignition_accepts, butane, nestos};

const HEADER: &str = "variant: nestos\nversion: 1.0.0\n";
const EMPTY: &str = "{\"ignition\":{\"version\":\"3.3.0\"}}\n";

#[test]
fn stdin_is_read_and_stdout_written() {
    let run = butane(Path::new("."), &[], HEADER);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, EMPTY, ""));
    let run = butane(Path::new("."), &[], "variant: x");
    assert_eq!(
        run.stderr,
        "Error translating config: error parsing version; must be a valid semver\n"
    );
}

#[test]
fn the_manual_page_is_made_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = butane(dir.path(), &["--man", "new/man1"], "");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    let page = fs::read_to_string(dir.path().join("new/man1/butane.1")).unwrap();
    assert!(page.contains(r"\-\-files\-dir") && !page.contains(r"\-\-man"), "{page}");
    let run = butane(Path::new("."), &["--man", "/dev/null/x"], "");
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.starts_with("Failed to write the manual to /dev/null/x: "),
        "{}",
        run.stderr
    );
}

#[test]
fn output_is_replaced_only_after_success() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.ign");
    fs::write(dir.path().join("in.bu"), HEADER).unwrap();
    assert_eq!(butane(dir.path(), &["in.bu", "-o", "out.ign", "-p"], "").code, 0);
    let pretty = "{\n  \"ignition\": {\n    \"version\": \"3.3.0\"\n  }\n}\n";
    assert_eq!(fs::read_to_string(&out).unwrap(), pretty);

    fs::set_permissions(&out, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(butane(dir.path(), &["-o", "out.ign"], "variant: x").code, 1);
    assert_eq!(fs::read_to_string(&out).unwrap(), pretty);
    assert_eq!(butane(dir.path(), &["-o", "out.ign"], HEADER).code, 0);
    assert_eq!(fs::read_to_string(&out).unwrap(), EMPTY);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside");
}

#[test]
fn failures_to_read_and_write_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = butane(dir.path(), &["nope.bu"], "");
    assert_eq!(run.code, 1);
    assert_eq!(run.stderr, "failed to open nope.bu: open nope.bu: no such file or directory\n");
    let run = butane(dir.path(), &["."], "");
    assert_eq!(run.stderr, "failed to read .: read .: is a directory\n");
    let run = butane(dir.path(), &["-o", "no/where"], HEADER);
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("Failed to write config to no/where: "), "{}", run.stderr);
    let run = butane(dir.path(), &["-o", "/dev/full"], HEADER);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("no space left on device"), "{}", run.stderr);
}

#[test]
fn strict_check_and_color_are_obeyed() {
    let text = format!("{HEADER}foo: 1\n");
    let run = butane(Path::new("."), &["--strict", "--raw-errors"], text.clone());
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert_eq!(
        run.stderr,
        "warning at $.foo, line 3 col 1: unused key foo\n\
         Config produced warnings and --strict was specified\n"
    );
    let run = butane(Path::new("."), &["--check"], text.clone());
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.starts_with("warning[$.foo]:\n  --> <stdin>:3:1\n"), "{}", run.stderr);
    let run = butane(Path::new("."), &["--color"], text);
    assert!(run.stderr.starts_with("\x1b[1;33mwarning\x1b[0m[$.foo]:\n"), "{}", run.stderr);
}

#[test]
fn wrong_usage_has_its_own_status_and_the_version_is_printed() {
    for args in [&["--bogus"] as &[&str], &["a", "b"], &["-d"]] {
        assert_eq!(butane(Path::new("."), args, "").code, 2, "{args:?}");
    }
    let run = butane(Path::new("."), &["--version"], "");
    assert_eq!((run.code, run.stdout.starts_with("Butane ")), (0, true));
    let help = butane(Path::new("."), &["--help"], "").stdout;
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

#[test]
fn local_files_and_trees_stay_inside_the_files_dir() {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    fs::create_dir_all(files.join("tree/etc")).unwrap();
    fs::write(files.join("tree/etc/b"), "b").unwrap();
    fs::write(files.join("tree/a.sh"), "#!").unwrap();
    fs::set_permissions(files.join("tree/a.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", files.join("tree/link")).unwrap();
    fs::write(dir.path().join("secret"), "s").unwrap();
    symlink("../secret", files.join("out")).unwrap();
    symlink("..", files.join("up")).unwrap();
    let run = |text: &str| {
        butane(dir.path(), &["-d", "files", "--raw-errors"], format!("{HEADER}storage: {text}"))
    };

    let good = run("{trees: [{local: tree, path: /opt}]}");
    assert_eq!(
        good.stdout,
        "{\"ignition\":{\"version\":\"3.3.0\"},\"storage\":{\"files\":[{\"path\":\"/opt/a.sh\",\
         \"contents\":{\"compression\":\"\",\"source\":\"data:,%23!\"},\"mode\":493},{\"path\":\
         \"/opt/etc/b\",\"contents\":{\"compression\":\"\",\"source\":\"data:,b\"},\"mode\":420}],\
         \"links\":[{\"path\":\"/opt/link\",\"target\":\"/etc/passwd\"}]}}\n"
    );
    assert_ignition_accepts(&good.stdout);
    for name in ["../secret", "out", "up/secret", "tree/../../secret"] {
        let bad = run(&format!("{{files: [{{path: /a, contents: {{local: {name}}}}}]}}"));
        let message = "line 3 col 48: local file path traverses outside the files directory\n";
        assert!(bad.code == 1 && bad.stderr.contains(message), "{name}: {}", bad.stderr);
    }
    let bad = run("{trees: [{local: up}]}");
    assert!(bad.code == 1 && bad.stderr.contains("outside the files directory"));
}

#[test]
fn local_configs_to_merge_are_checked_too() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.ign"), "{\"ignition\": {\"version\": \"3.3.0\"},}").unwrap();
    let text = format!("{HEADER}ignition: {{config: {{merge: [{{local: a.ign}}]}}}}\n");
    let run = butane(dir.path(), &["-d", ".", "--raw-errors"], text);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stderr,
        "error at line 1 col 1: invalid character '}' looking for beginning of object key string\n\
         error at $.ignition.config.merge.0.local, line 3 col 37: config is not valid\n\
         Error translating config: source config is invalid\n"
    );
}

#[test]
fn unknown_keys_and_wrong_types_have_line_and_column() {
    let run = nestos("storage:\n  files:\n    - path: /a\n      contens: {}\n");
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "warning at $.storage.files.0.contens, line 6 col 7: unused key contens\n")
    );
    let run = nestos("passwd: {users: core}\n");
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stderr,
        "Error translating config: yaml: unmarshal errors:\n  \
         line 3: cannot unmarshal !!str `core` into []v0_4.PasswdUser\n"
    );
}

#[test]
fn headers_must_name_a_known_language() {
    let cases = [
        ("", "error parsing variant; must be specified"),
        ("variant: nestos", "error parsing version; must be a valid semver"),
        (
            "variant: nestos\nversion: 1.1.0",
            "No translator exists for variant nestos with version 1.1.0",
        ),
        (
            "variant: Nestos\nversion: 1.0.0",
            "No translator exists for variant Nestos with version 1.0.0",
        ),
    ];
    for (text, message) in cases {
        let run = butane(Path::new("."), &[], text);
        assert_eq!(run.stderr, format!("Error translating config: {message}\n"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    }
}

#[test]
fn encodings_are_read_or_refused() {
    let utf16: Vec<u8> =
        format!("\u{feff}{HEADER}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let good = [
        format!("\u{feff}{HEADER}").into_bytes(),
        HEADER.replace('\n', "\r\n").into_bytes(),
        utf16,
    ];
    for text in good {
        assert_eq!(butane(Path::new("."), &[], text).stdout, EMPTY);
    }
    let bad: [(&[u8], &str); 3] = [
        (b"a: \0", "control characters are not allowed"),
        (b"a: \xff", "invalid leading UTF-8 octet"),
        (b"a: [", "line 1: did not find expected node content"),
    ];
    for (text, message) in bad {
        let run = butane(Path::new("."), &[], text);
        assert!(run.code == 1 && run.stderr.contains(message), "{}", run.stderr);
    }
}

#[test]
fn bombs_do_no_harm() {
    let mut bomb = "x0: &x0 {name: a}\n".to_owned();
    for n in 1..40 {
        let list = vec![format!("*x{}", n - 1); 10].join(",");
        bomb.push_str(&format!("x{n}: &x{n} [{list}]\n"));
    }
    assert_eq!(nestos(&bomb).code, 0, "nobody looks at it");

    let mut merge = "x0: &x0 {a: 1}\n".to_owned();
    for n in 1..40 {
        let list = vec![format!("*x{}", n - 1); 10].join(",");
        merge.push_str(&format!("x{n}: &x{n} {{<<: [{list}]}}\n"));
    }
    let run = nestos(&format!("{merge}storage: {{<<: *x39}}\n"));
    assert!(run.code == 1 && run.stderr.contains("excessive aliasing"), "{}", run.stderr);

    let deep = format!("x: {}{}\n", "[".repeat(9_990), "]".repeat(9_990));
    assert_eq!(nestos(&deep).code, 0);
    let run = nestos(&format!("x: {}", "[".repeat(20_000)));
    assert!(run.code == 1 && run.stderr.contains("exceeded max depth"), "{}", run.stderr);
}
