use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nestos_host::term;

use super::*;

const HASH: &str = "password_hash: $6$salt$0123456789abcdefghij0123456789abcdefghij012\
                    3456789abcdefghij0123456789abcdefghij012345\n";

const EVERYTHING: &str = r#"user: nest
disk: /dev/sda
ssh_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbDlXrtvPZ2ZWZeQXoz5VaFhi2rZ/JHzn5pOc1wMTXi me
hostname: node1
network:
  - interface: eth0
    method: static
    addresses:
      - "192.0.2.10/24"
      - "2001:db8::10/64"
    gateways:
      - "192.0.2.1"
    dns:
      - "192.0.2.53"
  - interface: eth1
    method: dhcp
time_zone: UTC
kernel_arguments:
  - quiet
  - "x=\"a b\""
updates:
  source: "ostree-unverified-registry:r.example.com/nestos:stable"
  strategy: periodic
  days: [Sat, Sun]
  start: "03:00"
  minutes: 60
"#;

fn target() -> Target {
    let answer = "/dev/sda".to_owned();
    Target { path: PathBuf::from(&answer), answer, about: String::new(), content: None }
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Reads answers and returns what is wrong with them, without the path of the file.
fn refusal(text: &str, mode: u32) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a", text, mode);
    match read(&path, Lang::En) {
        Ok(answers) => panic!("{answers:?}"),
        Err(e) => term::error_lines(&e).join("\n").replace(path.to_str().unwrap(), "a"),
    }
}

#[test]
fn what_is_saved_is_what_was_read_without_the_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a", &format!("{EVERYTHING}{HASH}"), 0o600);
    let plan = read(&path, Lang::En).unwrap().plan(target());
    let saved = dir.path().join("saved");
    save(&saved, &plan).unwrap();
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&saved).unwrap();
    let body: String =
        text.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    assert_eq!(body, EVERYTHING);
    let error = format!("{:#}", read(&saved, Lang::En).unwrap_err());
    assert!(error.contains("missing: password_hash"), "{error}");
    let again = write(dir.path(), "again", &format!("{text}{HASH}"), 0o600);
    assert_eq!(read(&again, Lang::En).unwrap().plan(target()), plan);
}

#[test]
fn what_is_wrong_is_told_with_its_place_all_at_once() {
    let text = "usr: nest\ndisk: [1]\nhostnam: x\nhostname: -x\nnetwork:\n  - interface: eth0\n    \
                addresses: [192.0.2.0/24]\n  - adresses: []\nkernel_arguments: [a b]\n\
                updates: {strategy: never}\ntime_zone: Mars\n";
    let told = refusal(text, 0o644);
    for line in [
        "a:1:1: unknown key \"usr\"; did you mean \"user\"?",
        "a:2:7: expected a text, found a list",
        "a:3:1: unknown key \"hostnam\"; did you mean \"hostname\"?",
        "a:4:11: \"-x\" cannot be a host name",
        "a:6:5: 192.0.2.0 is the address of the network 192.0.2.0/24",
        "a:8:5: unknown key \"adresses\"; did you mean \"addresses\"?",
        "a:8:5: missing: interface",
        "a:9:20: kernel argument",
        "a:10:21: strategy is immediate, off, or periodic",
        "a:11:12: there is no time zone \"Mars\"",
        "missing: user, password_hash",
        "hint: the keys are described",
    ] {
        assert!(told.contains(line), "no {line:?} in:\n{told}");
    }
}

#[test]
fn secrets_are_taken_only_from_private_files() {
    let dir = tempfile::tempdir().unwrap();
    let base = "user: nest\ndisk: /dev/sda\n";
    let told = refusal(&format!("{base}{HASH}"), 0o640);
    assert!(told.contains("holds a secret, but its mode is 0640"), "{told}");
    assert!(told.contains("hint: make it private: chmod 600 a"), "{told}");
    assert!(refusal(&format!("{base}password: x y\n"), 0o604).contains("mode is 0604"));
    let answers = write(dir.path(), "a", &format!("{base}password_file: p\n"), 0o644);
    let password = write(dir.path(), "p", "se cret \nmore\n", 0o644);
    let error = format!("{:#}", read(&answers, Lang::En).unwrap_err());
    assert!(error.contains("but its mode is 0644") && error.contains("chmod 600"), "{error}");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let hash = read(&answers, Lang::En).unwrap().password;
    sha_crypt::sha512_check("se cret ", hash.expose()).unwrap();
}

#[test]
fn passwords_are_given_once_and_never_shown() {
    let base = "user: nest\ndisk: /dev/sda\n";
    let told = refusal(&format!("{base}{HASH}password: topsecret\n"), 0o600);
    assert!(told.contains("give one password only") && !told.contains("topsecret"), "{told}");
    let told = refusal(&format!("{base}password_hash: topsecret\n"), 0o600);
    assert!(told.contains("no complete password hash") && !told.contains("topsecret"), "{told}");
    assert!(refusal(&format!("{base}password: \"\"\n"), 0o600).contains("expected a text"));
}

#[test]
fn what_is_no_mapping_is_refused() {
    assert!(refusal("", 0o600).contains("missing: user, password_hash, disk"));
    assert!(refusal("- a", 0o600).contains("expected keys and values, found a list"));
    assert!(refusal("a: [", 0o600).contains("is no YAML"));
}

#[test]
fn the_example_of_the_manual_is_complete_in_both_languages() {
    for manual in ["installnestos.md", "installnestos.zh-CN.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(manual);
        let text = fs::read_to_string(path).unwrap();
        let example = text.split("```yaml\n").nth(1).and_then(|t| t.split("```").next()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let answers = write(dir.path(), "a", example, 0o644);
        write(dir.path(), "password", "correct horse\n", 0o600);
        let answers = read(&answers, Lang::En).unwrap();
        let keys = super::reader::KEYS.iter().filter(|k| !text.contains(&format!("| `{k}")));
        assert_eq!(keys.copied().collect::<Vec<_>>(), Vec::<&str>::new(), "{manual}");
        let Extras { ssh_keys, hostname, network, time_zone, kargs, updates } = answers.extras;
        assert_eq!((ssh_keys.len(), network.len(), kargs.iter().count()), (1, 2, 2));
        assert!(hostname.is_some() && time_zone.is_some() && updates.strategy.is_some());
    }
}
