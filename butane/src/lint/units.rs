//! Asks systemd, where it is installed, what it thinks of units.

use std::fs;
use std::path::{Component, Path as FsPath};

use nestos_host::cmd::Cmd;

use crate::path::Path;
use crate::report::Report;
use crate::value::Object;

/// Warns of what `systemd-analyze verify` refuses in units and drop-ins. Whether the programs that
/// they start exist is left out: they do on another machine. Says nothing without systemd.
pub(super) fn check(systemd: &Object, report: &mut Report) {
    let Ok(dir) = tempfile::tempdir() else { return };
    let texts = texts(systemd);
    if texts.is_empty() || !texts.iter().all(|text| text.write(dir.path())) {
        return;
    }
    let mut verify = Cmd::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .env("SYSTEMD_UNIT_PATH", dir.path())
        .env("SYSTEMD_LOG_COLOR", "0");
    for text in texts.iter().filter(|text| !text.file.contains('/')) {
        verify = verify.arg(dir.path().join(&text.file));
    }
    let Ok(finished) = verify.finish() else { return };
    let prefix = format!("{}/", dir.path().display());
    for line in String::from_utf8_lossy(&finished.stderr).lines() {
        let Some((file, rest)) = line.strip_prefix(&prefix).and_then(|l| l.split_once(':')) else {
            continue;
        };
        let Some((number, message)) = rest.split_once(": ") else { continue };
        if let Some(text) = texts.iter().find(|text| text.file == file) {
            report.warning(text.origin, format!("systemd, line {number}: {message}"));
        }
    }
}

/// The text of a unit or drop-in.
struct Text<'c> {
    /// Where it is, below the directory of units.
    file: String,
    contents: &'c str,
    origin: &'c Path,
}

impl Text<'_> {
    /// Writes the text below `dir`; returns whether that went well.
    fn write(&self, dir: &FsPath) -> bool {
        let path = dir.join(&self.file);
        let parent = path.parent().map(fs::create_dir_all);
        parent.is_some_and(|made| made.is_ok()) && fs::write(&path, self.contents).is_ok()
    }
}

fn texts(systemd: &Object) -> Vec<Text<'_>> {
    let mut texts = vec![];
    for (_, _, unit) in systemd.objects("units") {
        let Some(name) = unit.text("name").filter(|name| is_file_name(name)) else { continue };
        let Some(main) = text(unit, name.to_owned()) else { continue };
        texts.push(main);
        for (_, _, dropin) in unit.objects("dropins") {
            if let Some(dropin_name) = dropin.text("name").filter(|name| is_file_name(name)) {
                texts.extend(text(dropin, format!("{name}.d/{dropin_name}")));
            }
        }
    }
    texts
}

/// Returns the text of a unit or drop-in, if it has any.
fn text(object: &Object, file: String) -> Option<Text<'_>> {
    let contents = object.get("contents")?;
    let text = contents.as_text().filter(|text| !text.is_empty())?;
    Some(Text { file, contents: text, origin: &contents.origin })
}

fn is_file_name(name: &str) -> bool {
    let mut parts = FsPath::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && !name.contains('/')
}
