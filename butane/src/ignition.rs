//! Checks Ignition configs: what the compiler generates, and what somebody hands over as JSON.

use nestos_formats::yaml::{Mark, Node};

use crate::path::Path;
use crate::report::{Entry, Report, Severity};
use crate::schema::{CONFIG, Dialect, ignition_version};

mod duplicates;
pub(crate) mod json_text;
pub(crate) mod json_types;
mod rules;

pub(crate) use rules::{Names, check_generated};

/// The newest spec, `3.N`, that is known here.
const NEWEST: u8 = 7;

/// Checks an Ignition config in JSON, specs 3.0.0 to 3.6.0 and the experimental 3.7.0: syntax,
/// types, values; unknown keys and what is probably not meant are warnings.
pub fn validate(text: &[u8]) -> Report {
    let mut report = Report::default();
    let fail = |report: Report, reason: String| Report { failure: Some(reason), ..report };
    if text.iter().all(u8::is_ascii_whitespace) {
        return fail(report, "not a config (empty)".to_owned());
    }
    let root = match json_text::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let (path, at) = (None, Some(error.at));
            let message = error.message.clone();
            report.entries.push(Entry::new(Severity::Error, path, at, message));
            return fail(report, "config is not valid".to_owned());
        }
    };
    let minor = match version(&root) {
        Version::Known(minor) => minor,
        Version::Other => return fail(report, "unsupported config version".to_owned()),
        Version::Missing => {
            return fail(report, "invalid config version (couldn't parse)".to_owned());
        }
    };
    let mut report = checked(&root, minor);
    report.locate(&root);
    if report.is_fatal() {
        return fail(report, "config is not valid".to_owned());
    }
    report
}

/// Why a config inside another is not checked.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is not JSON of the right types.
    Syntax(Entry),
    /// It does not say which version it is.
    NoVersion(Entry),
    /// It is of a version other than the one asked for.
    OtherVersion,
}

/// Checks a config that stands inside another, which must be of spec `3.minor.0`. Findings have
/// paths of the inner config and no places.
pub(crate) fn embedded(text: &[u8], minor: u8) -> Result<Report, Unreadable> {
    // There is no place in the outer text that fits better than its start.
    let start = Some(Mark { line: 1, column: 1 });
    let entry = |path, at, message| Entry::new(Severity::Error, path, at, message);
    let root = json_text::parse(text)
        .map_err(|error| Unreadable::Syntax(entry(None, start, error.message)))?;
    if let Err((_, message)) = json_types::decode(&root, &CONFIG, &Dialect::of_ignition(minor)) {
        return Err(Unreadable::Syntax(entry(None, start, message)));
    }
    match version(&root) {
        Version::Known(known) if known == minor => Ok(checked(&root, minor)),
        Version::Known(_) | Version::Other => Err(Unreadable::OtherVersion),
        Version::Missing => {
            let path = Path::default().key("ignition").key("version");
            let message = "invalid config version (couldn't parse)".to_owned();
            Err(Unreadable::NoVersion(entry(Some(path), None, message)))
        }
    }
}

/// Returns the scheme of a URL in lower case; `None` if it is not one.
pub(crate) fn scheme(url: &str) -> Option<String> {
    rules::scheme(url)
}

fn checked(root: &Node, minor: u8) -> Report {
    let dialect = Dialect::of_ignition(minor);
    let mut report = Report::default();
    match json_types::decode(root, &CONFIG, &dialect) {
        Ok((config, unused)) => {
            let found = check_generated(&config, &dialect, Names::AsWritten);
            report.entries.extend(found.entries);
            report.entries.extend(unused.entries);
        }
        Err((at, message)) => {
            let (path, at) = (Some(Path::default()), Some(at));
            report.entries.push(Entry::new(Severity::Error, path, at, message));
        }
    }
    report
}

enum Version {
    Known(u8),
    Other,
    Missing,
}

fn version(root: &Node) -> Version {
    let mut texts = all(root, "ignition").flat_map(|node| all(node, "version"));
    let Some(text) = texts.find_map(Node::as_str) else { return Version::Missing };
    if let Some(minor) = (0..=NEWEST).find(|minor| ignition_version(*minor) == text) {
        return Version::Known(minor);
    }
    let numbers: Vec<Option<u64>> = text.split('.').map(|n| n.parse().ok()).collect();
    match numbers.as_slice() {
        [Some(_), Some(_), Some(_)] => Version::Other,
        [Some(_), Some(_), _] if text.contains('-') => Version::Other,
        _ => Version::Missing,
    }
}

/// Returns what a key holds, the last first: Ignition does not mind its case, nor that it repeats.
fn all<'n>(node: &'n Node, key: &'static str) -> impl Iterator<Item = &'n Node> {
    let entries = node.entries().unwrap_or_default().iter().rev();
    let is = move |node: &Node| node.key_text().is_some_and(|k| k.eq_ignore_ascii_case(key));
    entries.filter(move |(key, _)| is(key)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        validate(text.as_bytes()).to_string()
    }

    #[test]
    fn a_good_config_has_nothing_to_report() {
        let text = r#"{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/a"}]}}"#;
        assert_eq!(validate(text.as_bytes()), Report::default());
    }

    #[test]
    fn versions_are_gated() {
        assert_eq!(lines(" "), "not a config (empty)");
        assert_eq!(lines("{}"), "invalid config version (couldn't parse)");
        assert_eq!(lines(r#"{"ignition": {"version": "3.9.0"}}"#), "unsupported config version");
        assert_eq!(lines(r#"{"ignition": {"version": "3.7.0"}}"#), "unsupported config version");
        for loose in [
            r#"{"IGNITION": {"Version": "3.3.0"}}"#,
            r#"{"ignition": {"version": "2.0.0"}, "ignition": {"version": "3.3.0"}}"#,
        ] {
            assert!(!validate(loose.as_bytes()).is_fatal(), "{loose}");
        }
        for known in ["3.0.0", "3.5.0", "3.7.0-experimental"] {
            assert_eq!(lines(&format!(r#"{{"ignition": {{"version": "{known}"}}}}"#)), "");
        }
    }

    #[test]
    fn errors_name_path_line_and_column() {
        let text = "{\"ignition\": {\"version\": \"3.3.0\"},\n \"storage\": {\"files\":\n  \
                    [{\"path\": \"a\", \"mode\": 99999}]}}";
        assert_eq!(
            lines(text),
            "error at $.storage.files.0.path, line 3 col 13: path not absolute\n\
             error at $.storage.files.0.mode, line 3 col 26: illegal file mode\n\
             warning at $.storage.files.0.mode, line 3 col 26: setuid/setgid/sticky bits are not \
             supported or functional in spec versions older than 3.6.0\nconfig is not valid"
        );
    }

    #[test]
    fn unknown_keys_are_warnings_and_wrong_types_errors() {
        let unknown = validate(br#"{"ignition": {"version": "3.3.0"}, "foo": 1}"#);
        assert!(!unknown.is_fatal());
        assert_eq!(
            unknown.entries[0].to_string(),
            "warning at $.foo, line 1 col 36: unused key foo"
        );
        let wrong = validate(br#"{"ignition": {"version": "3.3.0"}, "passwd": 1}"#);
        assert!(wrong.is_fatal());
        let entry = wrong.entries[0].to_string();
        assert!(entry.starts_with("error at $, line 1 col 46: json: cannot"), "{entry}");
    }

    #[test]
    fn syntax_errors_say_where() {
        assert_eq!(
            lines("{\"ignition\": {\n  \"version\": \"3.3.0\",}}"),
            "error at line 2 col 22: invalid character '}' looking for beginning of object key \
             string\nconfig is not valid"
        );
    }
}
