//! How a text is written in YAML: plain, quoted or as a block, such that every reader takes it for
//! the same text. Follows YAML 1.1 where it is stricter (`on` and `6:44` are quoted).

use nestos_formats::yaml::{Scalar, Style};

use crate::quote::escaped;
use crate::scalar::{Resolved, resolve};

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// On a line of its own.
    Block,
    /// In `[a, b]` or `{a: b}`.
    Flow,
}

/// What YAML 1.1 or a merge takes for something else than text.
const WORDS: [&str; 13] =
    ["~", "null", "y", "yes", "n", "no", "on", "off", "true", "false", "=", "<<", ""];

/// A line longer than this is better alone.
const LONG_LINE: usize = 60;

/// Writes a text on one line.
pub(super) fn one_line(text: &str, context: Context) -> String {
    if is_plain(text, context) {
        return text.to_owned();
    }
    let single = text.contains(['"', '\\']) && !text.contains('\'') && text.chars().all(is_clear);
    if single { format!("'{text}'") } else { format!("\"{}\"", escaped(text, is_clear)) }
}

/// Writes a text of several lines as a literal block, or quoted if it has characters that a block
/// cannot have. Lines after the first are indented by `indent`, which must be two more than what
/// the text belongs to.
pub(super) fn block(text: &str, indent: usize) -> String {
    if is_literal(text) { literal(text, indent) } else { quoted_lines(text, indent) }
}

/// Returns whether a text is written on lines of its own: it has several, or one with its end that
/// would be longer or harder to read in quotes.
pub(super) fn wants_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    if body.trim_matches('\n').is_empty() {
        return false;
    }
    let line = body.len() < text.len() && is_literal(text);
    body.contains('\n') || line && (body.len() > LONG_LINE || body.contains(['"', '\\']))
}

/// Returns whether a literal block can hold a text.
pub(super) fn is_literal(text: &str) -> bool {
    text.chars().any(|c| c != '\n') && text.chars().all(|c| matches!(c, '\n' | '\t') || is_clear(c))
}

fn literal(text: &str, indent: usize) -> String {
    // Without the number, a reader would take the first line's own indentation for the block's.
    let number = if text.trim_start_matches('\n').starts_with([' ', '\t']) { "2" } else { "" };
    let chomp = match text.strip_suffix('\n') {
        None => "-",
        Some(rest) if rest.ends_with('\n') => "+",
        Some(_) => "",
    };
    let mut out = format!("|{number}{chomp}");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out
}

/// Writes a quoted text with a line for each of its lines.
fn quoted_lines(text: &str, indent: usize) -> String {
    let mut out = "\"".to_owned();
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if n > 0 {
            // The backslash keeps the break out of the text.
            out.push_str("\\\n");
            out.extend(std::iter::repeat_n(' ', indent));
            if line.starts_with(' ') {
                out.push('\\');
            }
        }
        out.push_str(&escaped(line, is_clear));
    }
    out.push('"');
    out
}

fn is_plain(text: &str, context: Context) -> bool {
    let indicator = |c| "?:,[]{}#&*!|>'\"%@`".contains(c);
    let safe = text.chars().all(is_clear)
        && !text.starts_with(indicator)
        && !text.starts_with([' ', '.', '-'])
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #");
    // A dot or a hyphen may begin a text that does not end a document or begin an item.
    let dashed = |text: &str| {
        let rest = text.trim_start_matches(['.', '-']);
        rest.len() < text.len()
            && !text.starts_with("--- ")
            && rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "/_".contains(c))
            && is_plain(rest, context)
    };
    (safe || dashed(text))
        && (context == Context::Block || !text.contains([',', '[', ']', '{', '}', ':']))
        && !means_something_else(text)
}

/// Returns whether a plain text is taken for a number, a date or a word with a meaning.
fn means_something_else(text: &str) -> bool {
    let scalar = Scalar { text: text.into(), style: Style::Plain, tag: None };
    WORDS.contains(&text.to_ascii_lowercase().as_str())
        || resolve(&scalar) != Ok(Resolved::Text)
        || is_sexagesimal(text)
}

/// Returns whether YAML 1.1 takes a text for a number to base 60.
fn is_sexagesimal(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.contains(':') && digits.bytes().all(|b| b.is_ascii_digit() || b":_.".contains(&b))
}

/// Returns whether a character can be written as it is and can be seen.
fn is_clear(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // No-break space, soft hyphen, direction marks and joiners, line and paragraph separators,
        // the byte order mark.
        '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' => {
            false
        }
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => false,
        '\u{a1}'..='\u{fffd}' => true,
        '\u{10000}'..='\u{1fffd}' | '\u{20000}'..='\u{dffff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use nestos_formats::yaml::parse;
    use proptest::prelude::{any, proptest};
    use proptest::strategy::Strategy;

    use super::*;

    /// Returns what is read of a text in each of the places where it may stand.
    fn read_back(text: &str) -> Vec<String> {
        let at = |text: String, path: &[&str]| {
            let root = parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}:\n{text}"));
            let found = path.iter().fold(&root, |node, key| match node.items() {
                Some(items) => &items[key.parse::<usize>().unwrap()],
                None => node.get(key).unwrap_or_else(|| panic!("no {key} in:\n{text}")),
            });
            found.as_str().unwrap_or_else(|| panic!("no text in:\n{text}")).to_owned()
        };
        let (line, flow) = (one_line(text, Context::Block), one_line(text, Context::Flow));
        vec![
            at(format!("a:\n  b: {line}\n  c: x\n"), &["a", "b"]),
            at(format!("a:\n  - {line}\n  - {line}\n"), &["a", "1"]),
            at(format!("a: {{b: {flow}, c: [{flow}, {flow}]}}\n"), &["a", "b"]),
            at(format!("a: {{b: {flow}, c: [{flow}, {flow}]}}\n"), &["a", "c", "1"]),
            at(format!("a:\n  b: {}\n  c: x\n", block(text, 4)), &["a", "b"]),
            at(format!("a:\n  - {}\n  - x\n", block(text, 4)), &["a", "0"]),
            at(format!("a:\n  - b: {}\n", block(text, 6)), &["a", "0", "b"]),
        ]
    }

    #[test]
    fn texts_that_look_like_something_else_are_quoted() {
        for text in ["", "~", "null", "Yes", "off", "0644", "1.5", "2001-12-14", "6:44", ".inf"] {
            assert_eq!(one_line(text, Context::Block), format!("\"{text}\""));
        }
        for text in ["- a", "-", "---", "...", "a: b", "a #b", " a", "a ", "#a", "*a", "a:", "<<"] {
            assert_eq!(one_line(text, Context::Block), format!("\"{text}\""));
        }
        for text in ["a", "/dev/vda", "--metadata=1.0", "$6$a", "a b", "1.2.3.4", "é", ".x", "a#"]
        {
            assert_eq!(one_line(text, Context::Flow), text);
        }
        assert_eq!(one_line("http://a", Context::Block), "http://a");
        assert_eq!(one_line("http://a", Context::Flow), "\"http://a\"");
        assert_eq!(one_line("say \"x\" #", Context::Block), "'say \"x\" #'");
        assert_eq!(one_line("\u{85}\u{feff}\0\r", Context::Block), "\"\\N\\uFEFF\\0\\r\"");
    }

    #[test]
    fn blocks_say_how_they_end_and_how_they_are_indented() {
        assert_eq!(block("a\nb\n", 2), "|\n  a\n  b");
        assert_eq!(block("a\n\nb", 2), "|-\n  a\n\n  b");
        assert_eq!(block("a\nb\n\n", 2), "|+\n  a\n  b\n");
        assert_eq!(block(" a\nb", 2), "|2-\n   a\n  b");
        assert_eq!(block("\n\ta\n", 2), "|2\n\n  \ta");
        assert_eq!(block("a\r\n  b\r\n", 2), "\"a\\r\\n\\\n  \\  b\\r\\n\"");
    }

    #[test]
    fn hard_texts_are_read_back() {
        let texts = [
            "",
            "\n",
            "\n\n",
            " ",
            " \n",
            "a\n ",
            "a\n \n",
            "\n a",
            "\n\n  a\nb",
            "\ta\nb",
            "#\n#",
            "a\n\n\n",
            "---\n...\n",
            "- a\n- b",
            "a: b\nc: d\n",
            "\u{2028}\n",
            "a\u{85}b\nc",
            "\u{feff}a\nb",
            "a\r\nb\r\n",
            "\r",
            "\t",
            "'",
            "\"",
            "\\",
            "a\\\n b\\",
            "%a",
            "? a\n",
            "🦀\n🦀",
            "\u{7f}",
            "\u{fffe}\n ",
            "a\n  b\n c\n",
            " \n\na\n",
            "|\n",
            "a\n\n ",
            "!a,b",
            "x\n\t\ny",
            "\n\n\nx",
            "-.",
            ".-",
            "--",
            "-- a",
            "-a: b",
            "...",
            "... a",
            "--- a",
            ":a",
        ];
        for text in texts {
            for read in read_back(text) {
                assert_eq!(read, text);
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>()) {
            assert!(read_back(&text).iter().all(|read| *read == text));
        }

        #[test]
        fn any_text_of_special_characters_is_read_back(
            text in "[-a 0:{}\\[\\], \n\n\"'!&*|>%#?\\\\~.\t\r@`=<\u{85}\u{2028}\u{feff}\u{a0}]{0,24}"
                .prop_map(|text| text)
        ) {
            assert!(read_back(&text).iter().all(|read| *read == text), "{:?}", read_back(&text));
        }

        #[test]
        fn what_is_plain_is_text(text in "[-+.0-9a-fxXoOeE_:TZtz ~nulNULyY]{0,12}") {
            if one_line(&text, Context::Block) == text {
                let scalar = Scalar { text: text.as_str().into(), style: Style::Plain, tag: None };
                assert_eq!(resolve(&scalar), Ok(Resolved::Text));
            }
        }
    }
}
