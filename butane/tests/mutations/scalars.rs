//! The ways to write a scalar that keep its meaning.

use super::random::Random;
use super::tree::Scalar;

/// Returns whether a text without quotes could be a number, a boolean, nothing or a date; in
/// quotes, it would be another value.
fn looks_typed(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "<<",
        "=",
    ];
    WORDS.contains(&text) || text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
}

/// Returns whether the meaning of a scalar depends on it having no quotes.
pub(crate) fn is_bound(scalar: &Scalar) -> bool {
    scalar.plain && scalar.tag.is_none() && looks_typed(&scalar.text)
}

/// Returns whether a scalar can only be written outside of brackets.
pub(crate) fn needs_block(scalar: &Scalar) -> bool {
    is_bound(scalar) && !scalar.text.chars().all(is_harmless)
}

fn is_harmless(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.+/-".contains(c)
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Returns a scalar on one line.
pub(crate) fn inline(scalar: &Scalar, random: &mut Random) -> String {
    let tag = scalar.tag.as_ref().map(|tag| format!("{tag} ")).unwrap_or_default();
    let text = &scalar.text;
    let may_be_plain = !looks_typed(text)
        && text.chars().all(is_harmless)
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let value = if is_bound(scalar) || (may_be_plain && random.once_in(3)) {
        text.clone()
    } else if text.chars().all(is_printable) && random.once_in(2) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        double(text, random)
    };
    format!("{tag}{value}")
}

fn double(text: &str, random: &mut Random) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\0' => "\\0".to_owned(),
        c if is_printable(c) && (c == ' ' || !random.once_in(20)) => c.to_string(),
        c => match u32::from(c) {
            n @ ..=0xff => format!("\\x{n:02x}"),
            n @ ..=0xffff => format!("\\u{n:04X}"),
            n => format!("\\U{n:08x}"),
        },
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// Returns the header and the lines of a literal block that holds a scalar; `None` if none can.
pub(crate) fn literal(scalar: &Scalar) -> Option<(String, Vec<String>)> {
    let text = &scalar.text;
    let printable = text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c));
    if !printable || is_bound(scalar) || text.trim_matches(['\n', ' ', '\t']).is_empty() {
        return None;
    }
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    let keep = ["-", "", "+"][ends.min(2)];
    // Spaces at the start would be taken for the indentation.
    let indented = text.trim_start_matches('\n').starts_with([' ', '\t']) || text.starts_with('\n');
    let indicator = if indented { "2" } else { "" };
    let tag = scalar.tag.as_ref().map(|tag| format!("{tag} ")).unwrap_or_default();
    let mut lines: Vec<String> = body.split('\n').map(str::to_owned).collect();
    lines.extend(std::iter::repeat_n(String::new(), ends.saturating_sub(1)));
    Some((format!("{tag}|{indicator}{keep}"), lines))
}
