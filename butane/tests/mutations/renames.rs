//! Names that a config chooses are copied: with other names, the result is the same with those.

use serde_json::Value;

use super::cases::{self, Case};
use super::outcome;
use super::parallel::in_parallel;
use super::random::Random;
use super::tree::{self, Tree};
use super::writer;

/// A kind of names: where they stand, in Butane configs as in Ignition configs, in which configs they
/// are only copied, and what they become.
struct Rename {
    what: &'static str,
    at: &'static [&'static [&'static str]],
    is_copied: fn(&Tree) -> bool,
    renamed: fn(&str) -> String,
}

const RENAMES: &[Rename] = &[
    Rename {
        what: "users and groups",
        at: &[&["passwd", "users", "*", "name"], &["passwd", "groups", "*", "name"]],
        // openshift allows one name only.
        is_copied: |config| config.get("metadata").is_none(),
        renamed: |name| format!("x-{name}"),
    },
    Rename {
        what: "paths",
        at: &[
            &["storage", "files", "*", "path"],
            &["storage", "directories", "*", "path"],
            &["storage", "links", "*", "path"],
        ],
        // Sugar adds paths of its own.
        is_copied: |config| {
            let has = |section: &str, key: &str| config.get(section).and_then(|s| s.get(key));
            has("storage", "trees").is_none()
                && has("systemd", "quadlets").is_none()
                && config.get("grub").is_none()
        },
        // What was below a path still is, and what was not still is not.
        renamed: |path| match path {
            "/" | "" => path.to_owned(),
            path => format!("/srv/renamed{path}"),
        },
    },
    Rename {
        what: "units",
        at: &[&["systemd", "units", "*", "name"]],
        // Units of filesystems are named after paths.
        is_copied: |config| !mentions(config, "with_mount_unit"),
        renamed: |name| format!("x-{name}"),
    },
    Rename {
        what: "labels",
        at: &[&["storage", "disks", "*", "partitions", "*", "label"]],
        // Boot devices have labels of their own.
        is_copied: |config| config.get("boot_device").is_none(),
        // Longer labels could be too long.
        renamed: |label| label.chars().map(rotated).collect(),
    },
];

/// Replaces letters by others, so that the length is the same.
fn rotated(c: char) -> char {
    match c {
        'a'..='y' | 'A'..='Y' => char::from(u8::try_from(c).unwrap() + 1),
        'z' => 'a',
        'Z' => 'A',
        c => c,
    }
}

fn mentions(tree: &Tree, key: &str) -> bool {
    match tree {
        Tree::Map(entries) => {
            entries.iter().any(|(k, value)| k.text == key || mentions(value, key))
        }
        Tree::List(items) => items.iter().any(|item| mentions(item, key)),
        _ => false,
    }
}

/// Applies a function to all texts at a path of an Ignition config.
fn each(json: &mut Value, path: &[&str], renamed: fn(&str) -> String) {
    match (path.split_first(), json) {
        (None, Value::String(text)) => *text = renamed(text),
        (Some((&"*", rest)), Value::Array(items)) => {
            items.iter_mut().for_each(|item| each(item, rest, renamed));
        }
        (Some((key, rest)), Value::Object(map)) => {
            if let Some(below) = map.get_mut(*key) {
                each(below, rest, renamed);
            }
        }
        _ => {}
    }
}

/// Returns whether the renamed case gives the renamed result; `None` if it does not apply.
fn apply(case: &Case, rename: &Rename) -> Option<Result<(), String>> {
    let mut tree = tree::read(&case.input())?;
    let before = outcome::of(case, &case.input()).json()?;
    if !(rename.is_copied)(&tree) {
        return None;
    }
    let mut changed = false;
    for path in rename.at {
        tree.each(path, &mut |value| {
            if let Tree::Scalar(scalar) = value {
                let text = (rename.renamed)(&scalar.text);
                changed |= text != scalar.text;
                scalar.text = text;
                scalar.plain = false;
            }
        });
    }
    if !changed {
        return None;
    }
    let mut expected = before;
    rename.at.iter().for_each(|path| each(&mut expected, path, rename.renamed));
    let text = writer::write(&tree, &mut Random::of(&case.name, 4)).text;
    let after = outcome::of(case, text.as_bytes());
    let same = after.json().as_ref() == Some(&expected);
    Some(if same {
        Ok(())
    } else {
        Err(format!(
            "{}, {}:\n{text}\nexpected {expected}\nfound {after:?}",
            case.name, rename.what
        ))
    })
}

#[test]
fn other_names_give_the_same_result_with_other_names() {
    for rename in RENAMES {
        let results = in_parallel(cases::all(), |case| apply(case, rename).into_iter().collect());
        let wrong: Vec<&str> =
            results.iter().filter_map(|r| r.as_ref().err().map(String::as_str)).collect();
        assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n\n"));
        assert!(results.len() > 10, "{}: only {} cases have any", rename.what, results.len());
    }
}
