//! What a check found in a config, as lines for a person. The config itself is not quoted: it may
//! hold passwords' hashes and keys.

use nestos_butane::{Entry, Report, Severity};

/// Findings about one config.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What should be known, but does not keep the config from being used.
    pub warnings: Vec<String>,
    /// Why the config cannot be used, if so.
    pub refusal: Option<String>,
}

impl Findings {
    /// Words the report about the config that the reader knows as `name`.
    pub fn new(report: &Report, name: &str) -> Self {
        let line = |entry: &Entry| hide_hashes(&place(entry, name));
        let (errors, others): (Vec<&Entry>, Vec<&Entry>) =
            report.entries.iter().partition(|e| e.severity == Severity::Error);
        let errors: Vec<String> = errors.into_iter().chain(&report.causes).map(line).collect();
        let refusal = match (errors.as_slice(), &report.failure) {
            ([], failure) => failure.as_deref().map(hide_hashes),
            (errors, _) => Some(format!("it has errors\n    {}", errors.join("\n    "))),
        };
        Self { warnings: others.into_iter().map(line).collect(), refusal }
    }
}

/// Returns `name:line:column: message (path); hint`.
fn place(entry: &Entry, name: &str) -> String {
    let at = entry.at.map(|at| format!("{}:{}:", at.line, at.column)).unwrap_or_default();
    let path = entry.path.as_ref().map(ToString::to_string).filter(|path| path != "$");
    let path = path.map(|path| format!(" ({path})")).unwrap_or_default();
    let hint = entry.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{name}:{at} {}{path}{hint}", entry.message)
}

/// Replaces what may be a password hash, crypt(5)'s `$ID$...`, even the first few characters of
/// one: a message about a misplaced value shows it.
fn hide_hashes(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let length = hash_length(from);
        shown.push_str(if length == 0 { "$" } else { "(hidden)" });
        rest = &from[length.max(1)..];
    }
    shown + rest
}

/// Returns the length of the hash that begins `text`, a text that starts with `$`; 0 for none.
fn hash_length(text: &str) -> usize {
    let of_hash = |c: char| c.is_ascii_alphanumeric() || "$./=,+-".contains(c);
    let length = text.find(|c| !of_hash(c)).unwrap_or(text.len());
    match text[1..length].split_once('$') {
        Some((id, _)) if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) => length,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_hidden_and_paths_are_not() {
        for (text, shown) in [
            ("cannot decode `$6$rounds=5000$salt$aB./9` as x", "cannot decode `(hidden)` as x"),
            ("!!str `$y$j9T$...` into int", "!!str `(hidden)` into int"),
            ("a ($.passwd.users.0.$2b$10$abc)", "a ($.passwd.users.0.(hidden))"),
            ("$.storage.files.0.path, $HOME, $", "$.storage.files.0.path, $HOME, $"),
        ] {
            assert_eq!(hide_hashes(text), shown);
        }
    }

    #[test]
    fn a_report_of_errors_refuses_and_one_of_warnings_does_not() {
        let check = |text: &str| {
            Findings::new(&nestos_butane::ignition::validate(text.as_bytes()), "c.ign")
        };
        let odd = check(r#"{"ignition":{"version":"3.3.0"},"pasword":{}}"#);
        assert_eq!(odd.warnings, ["c.ign:1:33: unused key pasword ($.pasword)"]);
        assert_eq!(odd.refusal, None);
        assert_eq!(check("{}").refusal.unwrap(), "invalid config version (couldn't parse)");
        let bad = check(r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"a"}]}}"#);
        let error = "it has errors\n    c.ign:1:61: path not absolute ($.storage.files.0.path)";
        assert_eq!(bad.refusal.unwrap(), error);
    }
}
