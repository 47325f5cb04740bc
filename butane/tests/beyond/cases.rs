//! What `butane` does beyond the reference compiler, as its users see it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nestos_host::cmd::Cmd;

struct Dir(tempfile::TempDir);

impl Dir {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn butane(&self, args: &[&str]) -> (bool, String, String) {
        let butane = Cmd::new(env!("CARGO_BIN_EXE_butane")).args(args).cwd(self.path());
        let done = butane.env("LC_ALL", "C").finish().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.success(), text(done.stdout), text(done.stderr))
    }
}

fn nestos(rest: &str) -> String {
    format!("variant: nestos\nversion: 1.0.0\n{rest}")
}

fn merging(name: &str) -> String {
    nestos(&format!("ignition:\n  config:\n    merge:\n      - local: {name}\n"))
}

/// Returns the config that the first merged resource holds.
fn merged(json: &str) -> serde_json::Value {
    let outer: serde_json::Value = serde_json::from_str(json).unwrap();
    let resource = &outer["ignition"]["config"]["merge"][0];
    let url = resource["source"].as_str().unwrap();
    let bytes = match url.strip_prefix("data:;base64,") {
        Some(text) => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.decode(text).unwrap()
        }
        None => percent_encoding::percent_decode_str(url.strip_prefix("data:,").unwrap()).collect(),
    };
    if resource["compression"] == "gzip" {
        return serde_json::from_reader(flate2::read::GzDecoder::new(bytes.as_slice())).unwrap();
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_merged_butane_file_is_compiled_also_two_levels_down() {
    let (a, b) = (merging("b.bu"), merging("sub/c.bu"));
    let c = nestos("storage:\n  files:\n    - path: /c\n      contents: {local: text}\n");
    let dir = Dir::with(&[("a.bu", &a), ("f/b.bu", &b), ("f/sub/c.bu", &c), ("f/text", "hi")]);
    let (ok, json, report) = dir.butane(&["-d", "f", "--strict", "a.bu"]);
    assert!(ok, "{report}");
    let inner = merged(&merged(&json).to_string());
    assert_eq!(inner["storage"]["files"][0]["contents"]["source"], "data:,hi");
    assert_eq!(inner["ignition"]["version"], "3.3.0");
}

#[test]
fn an_error_in_a_merged_file_points_into_that_file() {
    let bad = nestos("storage:\n  files:\n    - path: c\n");
    let dir = Dir::with(&[("a.bu", &merging("c.bu")), ("f/c.bu", &bad)]);
    let (ok, json, report) = dir.butane(&["-d", "f", "--raw-errors", "a.bu"]);
    assert!(!ok && json.is_empty());
    assert_eq!(
        report,
        "error in c.bu at $.storage.files.0.path, line 5 col 13: path not absolute\n\
         error at $.ignition.config.merge.0.local, line 6 col 16: c.bu cannot be compiled: config \
         generated was invalid\n\
         Error translating config: source config is invalid\n"
    );
    let (_, _, report) = dir.butane(&["-d", "f", "a.bu"]);
    assert!(report.contains("  --> c.bu:5:13\n"), "{report}");
    assert!(report.contains(" 5 |     - path: c\n   |             ^ path not absolute\n"));
}

#[test]
fn type_and_syntax_errors_in_a_merged_file_have_their_place() {
    for (text, line) in [
        ("storage: 1\n", "error in c.bu at line 3 col 10: cannot unmarshal"),
        ("storage: {\n", "error in c.bu at line 4 col 1: did not find"),
    ] {
        let dir = Dir::with(&[("a.bu", &merging("c.bu")), ("f/c.bu", &nestos(text))]);
        let (ok, _, report) = dir.butane(&["-d", "f", "--raw-errors", "a.bu"]);
        assert!(!ok && report.starts_with(line), "{report}");
    }
}

#[test]
fn configs_that_merge_each_other_are_refused() {
    let dir = Dir::with(&[
        ("a.bu", &merging("b.bu")),
        ("f/b.bu", &merging("c.bu")),
        ("f/c.bu", &merging("b.bu")),
    ]);
    let (ok, _, report) = dir.butane(&["-d", "f", "--raw-errors", "a.bu"]);
    assert!(!ok && report.contains("b.bu cannot be compiled: it merges itself"), "{report}");
}

#[test]
fn a_merged_file_of_a_newer_spec_is_warned_about() {
    let newer = "variant: fcos\nversion: 1.5.0\n";
    let dir = Dir::with(&[("a.bu", &merging("c.bu")), ("f/c.bu", newer)]);
    let (ok, _, report) = dir.butane(&["-d", "f", "--raw-errors", "a.bu"]);
    assert!(ok && report.contains("c.bu needs Ignition spec 3.4.0, newer than"), "{report}");
}

#[test]
fn a_merged_file_outside_the_files_dir_is_not_compiled() {
    let dir = Dir::with(&[("a.bu", &merging("../c.bu")), ("c.bu", &nestos("")), ("f/x", "")]);
    let (ok, _, report) = dir.butane(&["-d", "f", "--raw-errors", "a.bu"]);
    assert!(!ok && report.contains("traverses outside the files directory"), "{report}");
}

const LINTED: &str = "passwd:
  users:
    - name: core
      password_hash: geheim
      ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJhZA==]
      sshkeys: []
storage:
  files:
    - path: /a
      mode: 420
      contents: {inline: text, compression: gzip}
";

#[test]
fn lint_warns_of_what_the_reference_accepts() {
    let dir = Dir::with(&[("a.bu", &nestos(LINTED))]);
    let (ok, json, report) = dir.butane(&["--lint", "--raw-errors", "a.bu"]);
    assert!(ok && !json.is_empty());
    for line in [
        "warning at $.passwd.users.0.password_hash, line 6 col 22: this is no password hash",
        "warning at $.passwd.users.0.ssh_authorized_keys.0, line 7 col 29: sshd will ignore this",
        "warning at $.storage.files.0.mode, line 12 col 13: mode 420 is in decimal; it stands for \
         0644",
        "warning at $.storage.files.0.contents.compression, line 13 col 45: the contents are \
         declared to be gzip, but are not",
    ] {
        assert!(report.lines().any(|shown| shown.starts_with(line)), "{line}\n{report}");
    }
}

#[test]
fn without_lint_the_report_is_the_references() {
    let dir = Dir::with(&[("a.bu", &nestos(LINTED))]);
    for args in [&["--raw-errors", "a.bu"][..], &["--lint=never", "--raw-errors", "a.bu"]] {
        let (ok, _, report) = dir.butane(args);
        assert!(ok);
        assert_eq!(
            report,
            "warning at $.passwd.users.0.sshkeys, line 8 col 7: unused key sshkeys\n"
        );
    }
}

#[test]
fn lint_counts_for_strict_only_when_it_is_asked_for() {
    let config = nestos("storage:\n  files:\n    - path: /a\n      mode: 420\n");
    let dir = Dir::with(&[("a.bu", &config)]);
    assert!(dir.butane(&["--strict", "a.bu"]).0);
    let (ok, json, report) = dir.butane(&["--strict", "--lint", "a.bu"]);
    assert!(!ok && json.is_empty() && report.contains("--strict was specified"), "{report}");
}

#[test]
fn lint_looks_into_merged_files_too() {
    let inner = nestos("storage:\n  files:\n    - path: /a\n      mode: 420\n");
    let dir = Dir::with(&[("a.bu", &merging("c.bu")), ("f/c.bu", &inner)]);
    let (ok, _, report) = dir.butane(&["-d", "f", "--lint", "--raw-errors", "a.bu"]);
    let found = "warning in c.bu at $.storage.files.0.mode, line 6 col 13: mode 420 is in decimal";
    assert!(ok && report.starts_with(found), "{report}");
    assert!(dir.butane(&["-d", "f", "--strict", "a.bu"]).0);
    assert!(!dir.butane(&["-d", "f", "--strict", "--lint", "a.bu"]).0);
}

#[test]
fn a_misspelt_command_is_recognised() {
    let dir = Dir::with(&[("explian", &nestos(""))]);
    let (ok, _, report) = dir.butane(&["decompil"]);
    assert!(
        !ok && report.ends_with("hint: for the command, write: butane decompile\n"),
        "{report}"
    );
    let (ok, _, report) = dir.butane(&["decompil", "x.ign"]);
    assert!(!ok && report.contains("hint: for the command, write: butane decompile\n"), "{report}");
    // What is there is read, whatever its name is like.
    assert!(dir.butane(&["explian"]).0);
    let (ok, _, report) = dir.butane(&["nope.bu"]);
    assert!(!ok && !report.contains("hint"), "{report}");
}

#[test]
fn hints_say_what_was_probably_meant() {
    let config = nestos("sytemd: {}\nstorage:\n  trees:\n    - {local: t, file_mode: 0600}\n");
    let dir = Dir::with(&[("a.bu", &config), ("f/t/x", "")]);
    let (_, _, report) = dir.butane(&["-d", "f", "--lint", "--raw-errors", "a.bu"]);
    assert!(report.contains("unused key sytemd\n  = hint: did you mean systemd?\n"), "{report}");
    assert!(report.contains("= hint: file_mode exists from fcos 1.7.0 on\n"), "{report}");
    // What is not a guess about the spelling is said where somebody asks, and excerpts are read
    // by people only.
    let (_, _, report) = dir.butane(&["-d", "f", "a.bu"]);
    assert!(report.contains("= hint: did you mean systemd?\n"), "{report}");
    assert!(!report.contains("file_mode exists from"), "{report}");
    for args in [&["-d", "f", "--raw-errors", "a.bu"][..], &["-d", "f", "--lint=never", "a.bu"]] {
        assert!(!dir.butane(args).2.contains("hint"));
    }
}

#[test]
fn an_output_mode_is_exact_whatever_was_there() {
    let dir = Dir::with(&[("a.bu", &nestos("")), ("old.ign", "old")]);
    fs::set_permissions(dir.path().join("old.ign"), fs::Permissions::from_mode(0o666)).unwrap();
    for (name, mode) in [("new.ign", 0o600), ("old.ign", 0o640)] {
        let (ok, _, report) =
            dir.butane(&["a.bu", "-o", name, "--output-mode", &format!("{mode:04o}")]);
        assert!(ok, "{report}");
        let meta = fs::metadata(dir.path().join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn messages_are_in_the_language_that_is_asked_for() {
    let dir = Dir::with(&[("a.bu", &nestos("foo: 1\n"))]);
    let (_, _, report) = dir.butane(&["--lang", "zh", "--raw-errors", "a.bu"]);
    assert_eq!(report, "警告 $.foo，第 3 行第 1 列：未知的键 foo\n");
    let (_, _, report) = dir.butane(&["--lang=en", "--raw-errors", "a.bu"]);
    assert_eq!(report, "warning at $.foo, line 3 col 1: unused key foo\n");
    let butane = || Cmd::new(env!("CARGO_BIN_EXE_butane")).args(["--raw-errors", "a.bu"]);
    let shown = |cmd: Cmd| cmd.cwd(dir.path()).finish().unwrap().stderr;
    let chinese = shown(butane().env("LC_ALL", "zh_CN.UTF-8"));
    assert!(String::from_utf8(chinese).unwrap().starts_with("警告"));
}

#[test]
fn units_that_systemd_does_not_understand_are_warned_about() {
    if Cmd::new("systemd-analyze").arg("--version").finish().is_err() {
        return;
    }
    let unit = "systemd:\n  units:\n    - name: a.service\n      contents: |\n        [Service]\n        \
                Typ=simple\n        ExecStart=/usr/bin/not-on-this-machine\n";
    let dir = Dir::with(&[("a.bu", &nestos(unit))]);
    let (ok, _, report) = dir.butane(&["--lint", "--raw-errors", "a.bu"]);
    assert!(ok && report.contains("systemd, line 2: Unknown key"), "{report}");
    assert!(!report.contains("not-on-this-machine"), "{report}");
}

#[test]
fn decompiling_and_explaining_are_commands() {
    let json = r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/a","mode":420}]}}"#;
    let dir = Dir::with(&[("a.ign", json)]);
    let (ok, text, report) = dir.butane(&["decompile", "a.ign", "-o", "b.bu"]);
    assert!(ok && text.is_empty(), "{report}");
    let (ok, back, _) = dir.butane(&["b.bu"]);
    assert!(ok && back.contains(r#""files":[{"path":"/a","mode":420}]"#), "{back}");
    let (ok, text, _) = dir.butane(&["explain", "storage.files.mode"]);
    assert!(ok && text.starts_with("storage.files.mode: integer, since nestos 1.0.0"), "{text}");
    let (ok, _, report) = dir.butane(&["explain", "storage.fils"]);
    assert!(!ok && report.contains("storage.files"), "{report}");
}
