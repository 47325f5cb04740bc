//! What the reference compiler does not look at, and users trip over: warnings only, on request.
//! Nothing here changes the output.

use std::collections::HashSet;

use nestos_formats::yaml::{Node, Style, Value as Yaml};

use crate::Lint;
use crate::data_url;
use crate::path::Path;
use crate::report::{Entry, Report, child};
use crate::schema::CONTENTS;
use crate::value::{Kind, Object, Value};

mod ssh_key;
mod units;

/// What a gzip stream begins with (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Findings {
    lint: Lint,
    report: Report,
}

impl Findings {
    pub(crate) fn new(lint: Lint) -> Self {
        Self { lint, report: Report::default() }
    }

    /// Checks a config as it is written: `root` is its text, `config` what was read from that.
    pub(crate) fn source(&mut self, root: &Node, config: &Object) {
        if self.lint == Lint::Off {
            return;
        }
        let mut modes = vec![];
        collect_modes(config, &mut modes);
        for mode in modes.into_iter().filter(|mode| is_decimal(root, mode)) {
            if let Kind::Int(number) = mode.kind {
                let message = format!("mode {number} is in decimal; it stands for 0{number:03o}");
                self.report.warning(&mode.origin, message);
            }
        }
    }

    /// Checks a config without sugar.
    pub(crate) fn result(&mut self, config: &Object) {
        if self.lint == Lint::Off {
            return;
        }
        let report = &mut self.report;
        if let Some(passwd) = config.object("passwd") {
            passwd.objects("users").for_each(|(_, _, user)| check_user(user, report));
            passwd.objects("groups").for_each(|(_, _, group)| check_password(group, report));
        }
        check_contents(config, report);
        if let Some(systemd) = config.object("systemd") {
            units::check(systemd, report);
        }
    }

    /// Returns what the report does not say already, with places.
    pub(crate) fn besides(mut self, said: &Report, root: &Node) -> Report {
        let own = said.entries.iter().filter(|entry| entry.source.is_none());
        let named = |entry: &Entry| entry.path.as_ref().map(Path::to_string);
        let paths: HashSet<String> = own.filter_map(named).collect();
        self.report.entries.retain(|entry| named(entry).is_none_or(|path| !paths.contains(&path)));
        self.report.locate(root);
        self.report
    }
}

fn check_user(user: &Object, report: &mut Report) {
    check_password(user, report);
    for key in user.list("sshAuthorizedKeys") {
        if let Err(reason) = ssh_key::check(key.as_text().unwrap_or_default()) {
            report.warning(&key.origin, format!("sshd will ignore this key: {reason}"));
        }
    }
}

/// Warns of a password that nobody can log in with, and that everybody can read.
fn check_password(owner: &Object, report: &mut Report) {
    let Some(value) = owner.get("passwordHash") else { return };
    let hash = value.as_text().unwrap_or_default();
    // `!` and `*` lock an account; `!` may stand before a hash; old DES hashes have no mark.
    let locked = hash.starts_with(['!', '*']);
    let des =
        hash.len() == 13 && hash.bytes().all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b));
    if !(hash.is_empty() || locked || des || hash.starts_with('$')) {
        let message = "this is no password hash; make one with mkpasswd, or with openssl passwd -6";
        report.warning(&value.origin, message);
    }
}

fn check_contents(object: &Object, report: &mut Report) {
    if std::ptr::eq(object.shape, &raw const CONTENTS) {
        check_compression(object, report);
    }
    for (_, value) in object.fields() {
        match &value.kind {
            Kind::Object(below) => check_contents(below, report),
            Kind::List(items) => {
                items.iter().filter_map(Value::as_object).for_each(|o| check_contents(o, report));
            }
            _ => {}
        }
    }
}

/// Warns of contents that are said to be compressed and are not: they fail at the first boot.
fn check_compression(resource: &Object, report: &mut Report) {
    let Some(compression) = resource.get("compression") else { return };
    if compression.as_text() != Some("gzip") {
        return;
    }
    let zipped = match resource.get("source").map(|source| &source.kind) {
        Some(Kind::Data(url)) => url.bytes().starts_with(&GZIP_MAGIC),
        Some(Kind::Text(text)) => {
            data_url::decode(text).is_none_or(|bytes| bytes.starts_with(&GZIP_MAGIC))
        }
        _ => true,
    };
    if !zipped {
        let message = "the contents are declared to be gzip, but are not; leave compression out \
                       and they are compressed where that is shorter";
        report.warning(&compression.origin, message);
    }
}

fn collect_modes<'c>(object: &'c Object, modes: &mut Vec<&'c Value>) {
    for (field, value) in object.fields() {
        match &value.kind {
            Kind::Int(_) if matches!(field.yaml, Some("mode" | "file_mode" | "dir_mode")) => {
                modes.push(value);
            }
            Kind::Object(below) => collect_modes(below, modes),
            Kind::List(items) => {
                items.iter().filter_map(Value::as_object).for_each(|o| collect_modes(o, modes));
            }
            _ => {}
        }
    }
}

/// Returns whether a number of three digits or more is written in decimal.
fn is_decimal(root: &Node, value: &Value) -> bool {
    let parts = value.origin.parts();
    let node = parts.into_iter().try_fold(root, child);
    let Some(Yaml::Scalar(scalar)) = node.map(|node| &node.value) else { return false };
    scalar.style == Style::Plain
        && scalar.text.len() > 2
        && !scalar.text.starts_with('0')
        && scalar.text.bytes().all(|b| b.is_ascii_digit())
}
