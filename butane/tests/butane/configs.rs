//! Whole configs: every example of the user guide, and golden outputs.

use std::path::{Path, PathBuf};

use super::support::{assert_ignition_accepts, butane};
use proptest::prelude::{any, prop, proptest};
use proptest::test_runner::Config;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn contents(json: &serde_json::Value, pointer: &str) -> String {
    json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json}")).to_string()
}

fn compiled(folder_name: &str, file: &str) -> serde_json::Value {
    let run = butane(&folder(folder_name), &[file], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{file}");
    assert_ignition_accepts(&run.stdout);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn guide_7_4_1_users_keys_and_groups() {
    let json = compiled("guide", "users.bu");
    assert_eq!(contents(&json, "/passwd/users/0/name"), "\"nest\"");
    assert_eq!(contents(&json, "/passwd/users/2/groups"), "[\"docker\",\"wheel\"]");
    assert_eq!(
        contents(&json, "/passwd/users/2/passwordHash"),
        "\"$y$j9T$aUmgEDoFIDPhGxEe2FUjc/$C5A...\""
    );
}

#[test]
fn guide_7_4_2_a_network_connection() {
    let json = compiled("guide", "network.bu");
    assert_eq!(contents(&json, "/storage/files/0/mode"), "384");
    let file = contents(&json, "/storage/files/0/contents/source");
    assert!(file.starts_with("\"data:"), "{file}");
}

#[test]
fn guide_7_4_3_directory_files_and_link() {
    let json = compiled("guide", "files.bu");
    assert_eq!(contents(&json, "/storage/directories/0/path"), "\"/opt/tools\"");
    let hello = contents(&json, "/storage/files/0/contents/source");
    assert_eq!(hello, "\"data:,Hello%2C%20world!\"");
    assert_eq!(contents(&json, "/storage/files/1/contents/compression"), "\"gzip\"");
    assert_eq!(contents(&json, "/storage/links/0/hard"), "false");
}

#[test]
fn guide_7_4_4_a_service() {
    let json = compiled("guide", "unit.bu");
    assert_eq!(contents(&json, "/systemd/units/0/enabled"), "true");
    assert!(contents(&json, "/systemd/units/0/contents").contains(r#"-c \"\"trap 'exit 0'"#));
}

#[test]
fn guide_7_5_1_a_password_for_root() {
    let json = compiled("guide", "root-password.bu");
    let hash = contents(&json, "/passwd/users/0/passwordHash");
    assert_eq!(hash, "\"$1$root$CPjzNGH.NqmQ7rh26EeXv1\"");
}

#[test]
fn the_example_of_the_documentation_compiles() {
    let text = read(folder("../../docs/butane.md"));
    let example = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let run = butane(&folder("guide"), &["--strict"], example.unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_ignition_accepts(&run.stdout);
}

#[test]
fn one_of_everything_compiles_to_the_golden_config() {
    let run = butane(&folder("golden"), &["-p", "everything.bu"], "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout, read(folder("golden").join("everything.ign")));
    assert_ignition_accepts(&run.stdout);
}

#[test]
fn a_mirrored_encrypted_root_merges_with_what_the_user_set() {
    let run = butane(&folder("golden"), &["-p", "mirror.bu"], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, read(folder("golden").join("mirror.ign")));
    assert_ignition_accepts(&run.stdout);
}

#[test]
fn mistakes_are_reported_with_the_lines_they_are_on() {
    for name in ["mistakes", "types"] {
        let run = butane(&folder("golden"), &[&format!("{name}.bu")], "");
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{name}");
        assert_eq!(run.stderr, read(folder("golden").join(format!("{name}.report"))));
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]
    #[test]
    fn no_change_of_a_config_makes_the_compiler_panic(
        cut in any::<prop::sample::Index>(),
        length in 0usize..40,
        insert in "[-a-z0-9:{}\\[\\], \n\"'!&*|>%#?\\\\~.]{0,12}",
    ) {
        for name in ["everything.bu", "mirror.bu", "mistakes.bu"] {
            let mut text = read(folder("golden").join(name)).into_bytes();
            let start = cut.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.bytes());
            if let Err(report) = nestos_butane::compile(&text, &nestos_butane::Options::default()) {
                assert!(report.failure.is_some_and(|failure| !failure.contains("gave up")));
            }
        }
    }

    #[test]
    fn no_bytes_make_the_compiler_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        drop(nestos_butane::compile(&bytes, &nestos_butane::Options::default()));
        drop(nestos_butane::ignition::validate(&bytes));
    }
}
