//! The cases of the corpus: what the reference compiler makes of configs.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::LazyLock;

/// A config that the reference compiles.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What it is written in: `nestos 1.0.0`.
    pub(crate) dialect: String,
    /// Whether it uses files beside it.
    pub(crate) local: bool,
    pub(crate) butane: Vec<u8>,
    pub(crate) ignition: Vec<u8>,
}

/// Returns the cases of variants nestos and fcos that compile to Ignition configs; none if there is
/// no corpus here.
pub(crate) fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(read_cases);
    &CASES
}

fn read_cases() -> Vec<Case> {
    let mut found: Vec<Case> = files().into_values().filter_map(case).collect();
    found.retain(|case| ["nestos ", "fcos "].iter().any(|v| case.dialect.starts_with(v)));
    if found.is_empty() {
        say("*** SKIPPED: no corpus; set NESTOS_BUTANE_CORPUS to its cases");
    }
    found
}

/// Tells whoever watches the tests.
pub(crate) fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

type Files = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

fn case(mut files: BTreeMap<String, Vec<u8>>) -> Option<Case> {
    let code = files.remove("expected.code")?;
    let ignition = files.remove("expected.ign")?;
    let meta: serde_json::Value = serde_json::from_slice(&files.remove("meta.json")?).ok()?;
    if code.trim_ascii() != b"0" || !ignition.starts_with(b"{") {
        return None;
    }
    let args = meta["args"].to_string();
    let butane = files.remove("input.bu")?;
    // Cases name the dialect they are about, which for a few is not the one in the text.
    let dialect = format!("{} {}", meta["variant"].as_str()?, meta["version"].as_str()?);
    let text = String::from_utf8_lossy(&butane);
    let uses = |key: &str| text.contains(&format!("{key}:"));
    let local = args.contains("-d") && ["local", "trees", "_local"].into_iter().any(uses);
    let name = String::from_utf8(files.remove("name")?).ok()?;
    Some(Case { name, dialect, local, butane, ignition })
}

/// Returns the files of each case by name.
fn files() -> Files {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/cases.tar.zst");
    match std::env::var_os("NESTOS_BUTANE_CORPUS") {
        Some(folder) if Path::new(&folder).is_dir() => in_folder(Path::new(&folder)),
        Some(archive) => in_archive(Path::new(&archive)),
        None if packed.exists() => in_archive(&packed),
        None => Files::new(),
    }
}

fn in_folder(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for file in std::fs::read_dir(&path).into_iter().flatten() {
            let file = file.unwrap().path();
            if file.is_file() {
                let bytes = std::fs::read(&file).unwrap();
                add(&mut found, &path.join(file.file_name().unwrap()), bytes);
            }
        }
    }
    found
}

fn in_archive(packed: &Path) -> Files {
    let mut found = Files::new();
    let file = std::fs::File::open(packed).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mut bytes) = (entry.path().unwrap().into_owned(), vec![]);
        entry.read_to_end(&mut bytes).unwrap();
        let in_case = path.parent().and_then(Path::parent).is_none_or(|above| {
            above.file_name().is_none_or(|name| name == "cases" || name == ".")
        });
        if in_case && entry.header().entry_type().is_file() {
            add(&mut found, &path, bytes);
        }
    }
    found
}

fn add(found: &mut Files, path: &Path, bytes: Vec<u8>) {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let Some(case) = path.parent().filter(|parent| parent.file_name().is_some()).map(name) else {
        return;
    };
    let files = found.entry(case.clone()).or_default();
    files.insert(name(path), bytes);
    files.insert("name".to_owned(), case.into_bytes());
}
