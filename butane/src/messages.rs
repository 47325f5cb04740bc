//! What the compiler says, in other languages. Messages are made in English, which is also what
//! the reference says; here is what they are in Chinese, `{}` standing for what varies.

use std::borrow::Cow;

use crate::lang::Lang;

mod chinese;

/// Returns a message in a language; one without a translation stays as it is.
pub fn translate(message: &str, lang: Lang) -> Cow<'_, str> {
    if lang == Lang::English {
        return Cow::Borrowed(message);
    }
    let lines: Vec<Cow<'_, str>> = message.split('\n').map(line).collect();
    Cow::Owned(lines.join("\n"))
}

fn line(text: &str) -> Cow<'_, str> {
    let translated = chinese::MESSAGES.iter().find_map(|(english, chinese)| {
        let parts = matched(english, text)?;
        Some(filled(chinese, &parts))
    });
    translated.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Matches a text with a pattern; returns what stands for each `{}`.
fn matched<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut pieces = pattern.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut parts = vec![];
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let at = match (last, piece) {
            (true, "") => rest.len(),
            (true, piece) => rest.strip_suffix(piece)?.len(),
            (false, piece) => rest.find(piece)?,
        };
        parts.push(&rest[..at]);
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty().then_some(parts)
}

/// Puts the parts in place of `{}`, each of which may itself be a message.
fn filled(pattern: &str, parts: &[&str]) -> String {
    let mut out = String::new();
    for (n, piece) in pattern.split("{}").enumerate() {
        if let Some(part) = n.checked_sub(1).and_then(|n| parts.get(n)) {
            out.push_str(&line(part));
        }
        out.push_str(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_what_varies() {
        assert_eq!(matched("unused key {}", "unused key x y"), Some(vec!["x y"]));
        assert_eq!(matched("a {} b {} c", "a 1 b 2 c"), Some(vec!["1", "2"]));
        assert_eq!(matched("a {} c", "a 1"), None);
        assert_eq!(matched("plain", "plain"), Some(vec![]));
        assert_eq!(matched("plain", "plainer"), None);
    }

    #[test]
    fn both_languages_have_the_same_blanks() {
        for (english, chinese) in chinese::MESSAGES {
            let blanks = |text: &str| text.matches("{}").count();
            assert_eq!(blanks(english), blanks(chinese), "{english}");
        }
    }
}
