//! Every config that the documentation shows.

use std::fs;
use std::path::{Path, PathBuf};

use nestos_formats::yaml::{self, Node};

use super::support::butane;

/// What a comment before a block says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It compiles.
    Good,
    /// `<!-- butane: files -->`: it compiles, with the files that it names.
    Files,
    /// `<!-- butane: fails -->`: it shows a mistake.
    Fails,
}

#[derive(Debug)]
struct Block {
    place: String,
    kind: Kind,
    text: String,
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let readmes = ["README.md", "README.zh-CN.md"].map(|name| root.join(name));
    let mut all: Vec<PathBuf> = readmes.into_iter().chain(docs).collect();
    all.retain(|path| path.exists());
    all.sort();
    all
}

/// Returns the blocks of a document that are Butane configs.
fn blocks(path: &Path) -> Vec<Block> {
    let document = fs::read_to_string(path).unwrap();
    let mut lines = document.lines().enumerate();
    let (mut blocks, mut kind) = (vec![], Kind::Good);
    while let Some((n, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        match line.trim() {
            "<!-- butane: fails -->" => kind = Kind::Fails,
            "<!-- butane: files -->" => kind = Kind::Files,
            "```yaml" => {
                let body = lines.by_ref().take_while(|(_, line)| line.trim() != "```");
                let text: String = body
                    .map(|(_, line)| format!("{}\n", line.get(indent..).unwrap_or("")))
                    .collect();
                let place = format!("{}:{}", path.file_name().unwrap().display(), n + 1);
                if text.lines().any(|line| line.starts_with("variant:")) {
                    blocks.push(Block { place, kind, text });
                }
                kind = Kind::Good;
            }
            "" => {}
            _ => kind = Kind::Good,
        }
    }
    blocks
}

/// Makes the files and trees that a config names.
fn make_files(node: &Node, in_trees: bool, dir: &Path) {
    for (key, value) in node.entries().unwrap_or_default() {
        let key = key.key_text().unwrap_or_default();
        match value.as_str() {
            Some(local) if key == "local" && in_trees => {
                fs::create_dir_all(dir.join(local)).unwrap();
                fs::write(dir.join(local).join("file"), "text\n").unwrap();
            }
            Some(local) if matches!(key, "local" | "contents_local") => make_file(dir, local),
            _ => make_files(value, key == "trees", dir),
        }
        if key == "ssh_authorized_keys_local" {
            let names = value.items().unwrap_or_default().iter().filter_map(Node::as_str);
            names.for_each(|local| make_file(dir, local));
        }
    }
    for item in node.items().unwrap_or_default() {
        make_files(item, in_trees, dir);
    }
}

fn make_file(dir: &Path, local: &str) {
    let path = dir.join(local);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // A config to merge, or what serves as contents, as a unit and as a key.
    let text = match path.extension().and_then(|extension| extension.to_str()) {
        Some("bu") => "variant: nestos\nversion: 1.0.0\n",
        Some("ign") => "{\"ignition\": {\"version\": \"3.3.0\"}}",
        _ => "[Service]\nRestart=always\n",
    };
    fs::write(path, text).unwrap();
}

#[test]
fn every_config_in_the_documentation_does_what_is_said() {
    let mut seen = 0;
    for document in documents() {
        for Block { place, kind, text } in blocks(&document) {
            let files = tempfile::tempdir().unwrap();
            let mut args = vec!["--raw-errors"];
            if kind == Kind::Files {
                make_files(&yaml::parse(text.as_bytes()).unwrap(), false, files.path());
                args.extend(["--files-dir", "."]);
            }
            let run = butane(files.path(), &args, text);
            let expected = i32::from(kind == Kind::Fails);
            assert_eq!(run.code, expected, "{place}: {}", run.stderr);
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} configs were found");
}
