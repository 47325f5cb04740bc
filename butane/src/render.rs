//! Prints a report beside the lines of the config that it is about.

use std::borrow::Cow;

use crate::lang::Lang;
use crate::messages;
use crate::report::{Entry, Hint, Report, Severity};

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One line for each entry.
    Lines,
    /// With the lines around the place, and a mark under it.
    Excerpts(Color),
}

/// Whether excerpts are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

/// How many lines are shown before and after the one in question.
const AROUND: usize = 2;

/// Longer lines, in bytes, are not printed in full, nor is anything marked in them: that would be a
/// screen of text for each finding.
const LONGEST_LINE: usize = 16 * 1024;

/// How many findings are printed with their lines; what is beyond is one line each.
const MOST_EXCERPTS: usize = 1000;

const BOLD_RED: &str = "1;31";
const BOLD_YELLOW: &str = "1;33";
const BOLD_CYAN: &str = "1;36";
const BOLD_BLUE: &str = "1;34";

/// How a report is shown to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// How each entry is laid out.
    pub layout: Layout,
    /// The language.
    pub lang: Lang,
    /// Whether hints follow the entries that have one.
    pub hints: Hints,
}

/// Whether more is said than the reference compiler says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// No.
    Hide,
    /// What was probably meant, below excerpts: nobody reads those but people.
    Spelling,
    /// Everything.
    Show,
}

impl Hints {
    /// Returns whether a hint is shown.
    fn include(self, hint: &Hint, layout: Layout) -> bool {
        let spelling = matches!(hint, Hint::DidYouMean(_)) && layout != Layout::Lines;
        self == Self::Show || (self == Self::Spelling && spelling)
    }
}

impl View {
    /// Returns the view that the reference compiler gives.
    pub fn plain(layout: Layout) -> Self {
        Self { layout, lang: Lang::English, hints: Hints::Hide }
    }
}

/// Prints the entries of `report` about the text `source`, which the reader knows as `name`. The
/// failure is left to the caller.
pub fn render(report: &Report, name: &str, source: &[u8], view: View) -> String {
    let mut out = String::new();
    let text = String::from_utf8_lossy(source);
    let lines: Vec<&str> = text.split('\n').collect();
    for (n, entry) in report.entries.iter().enumerate() {
        let excerpt = match (view.layout, &entry.source) {
            (Layout::Lines, _) => None,
            _ if n >= MOST_EXCERPTS => None,
            (Layout::Excerpts(color), None) => excerpt(entry, name, &lines, (color, view.lang)),
            (Layout::Excerpts(color), Some(inner)) => {
                let lines: Vec<&str> = inner.text.split('\n').collect();
                excerpt(entry, &inner.name, &lines, (color, view.lang))
            }
        };
        if n > 0 && view.layout != Layout::Lines {
            out.push('\n');
        }
        out.push_str(&excerpt.unwrap_or_else(|| format!("{}\n", entry.in_language(view.lang))));
        if let Some(hint) = entry.hint.as_ref().filter(|h| view.hints.include(h, view.layout)) {
            let (word, hint) = (view.lang.pick("hint", "提示"), hint.to_string());
            out.push_str(&format!("  = {word}: {}\n", messages::translate(&hint, view.lang)));
        }
    }
    out
}

/// Returns the long form of an entry; `None` if its place is not in the text.
fn excerpt(
    entry: &Entry,
    name: &str,
    lines: &[&str],
    (color, lang): (Color, Lang),
) -> Option<String> {
    let at = entry.at?;
    let (row, column) = (at.line.checked_sub(1)?, at.column.checked_sub(1)?);
    let line = lines.get(row).filter(|line| line.len() <= LONGEST_LINE)?;
    let (start, _) = line.char_indices().nth(column)?;
    let (before, rest) = line.split_at(start);
    let marked = rest.split(char::is_whitespace).next().unwrap_or_default();

    let first = row.saturating_sub(AROUND);
    let last = (row + AROUND).min(lines.len() - 1);
    let gutter = (last + 1).to_string().len();
    let paint = |code: &str, text: &str| paint(color, code, text);
    let mut out = String::new();
    let severity = paint(severity_color(entry.severity), entry.severity.word_in(lang));
    let path = entry.path.as_ref().map(|path| format!("[{path}]")).unwrap_or_default();
    let arrow = paint(BOLD_BLUE, "-->");
    let mut put = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    put(format!("{severity}{path}:"));
    put(format!("  {arrow} {name}:{}:{}", at.line, at.column));
    let blank = format!(" {:gutter$} |", "");
    put(blank.clone());
    for (n, shown) in lines.iter().enumerate().take(last + 1).skip(first) {
        let number = paint(BOLD_BLUE, &format!("{:>gutter$}", n + 1));
        put(format!(" {number} | {}", cut(shown)));
        if n == row {
            let carets = paint(BOLD_BLUE, &"^".repeat(width(marked)));
            let message = messages::translate(&entry.message, lang);
            put(format!("{blank} {:indent$}{carets} {message}", "", indent = width(before)));
        }
    }
    put(blank);
    Some(out)
}

/// Returns a line, or the beginning of a long one.
fn cut(line: &str) -> Cow<'_, str> {
    if line.len() <= LONGEST_LINE {
        return Cow::Borrowed(line);
    }
    let end = (0..=CUT_TO).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
    Cow::Owned(format!("{}…", &line[..end]))
}

/// How many bytes of a long line are shown.
const CUT_TO: usize = 200;

fn severity_color(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => BOLD_RED,
        Severity::Warning => BOLD_YELLOW,
        Severity::Info => BOLD_CYAN,
    }
}

fn paint(color: Color, code: &str, text: &str) -> String {
    match color {
        Color::Never => text.to_owned(),
        Color::Always => format!("\x1b[{code}m{text}\x1b[0m"),
    }
}

/// Returns how many columns of a terminal `text` takes.
fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Returns the columns of a character: CJK and emoji take two, combining marks none.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nestos_formats::yaml::Mark;

    use super::*;
    use crate::path::Path;
    use crate::report::Source;

    const NEVER: View =
        View { layout: Layout::Excerpts(Color::Never), lang: Lang::English, hints: Hints::Hide };
    const ALWAYS: View = View { layout: Layout::Excerpts(Color::Always), ..NEVER };

    fn report(line: usize, column: usize) -> Report {
        let path = Some(Path::default().key("a"));
        let at = Some(Mark { line, column });
        let message = "odd".to_owned();
        let entry = Entry::new(Severity::Warning, path, at, message);
        Report { entries: vec![entry], ..Report::default() }
    }

    #[test]
    fn an_excerpt_shows_two_lines_around_and_marks_the_word() {
        let source = b"1\n2\n3\na: word more\n5\n6\n7\n";
        let text = render(&report(4, 4), "in.bu", source, NEVER);
        assert_eq!(
            text,
            "warning[$.a]:\n  --> in.bu:4:4\n   |\n 2 | 2\n 3 | 3\n 4 | a: word more\n   \
             |    ^^^^ odd\n 5 | 5\n 6 | 6\n   |\n"
        );
    }

    #[test]
    fn wide_characters_are_marked_in_full() {
        let text = render(&report(1, 4), "in.bu", "日: 本x".as_bytes(), NEVER);
        assert!(text.contains("\n 1 | 日: 本x\n   |     ^^^ odd\n"), "{text}");
    }

    #[test]
    fn a_place_outside_the_text_falls_back_to_one_line() {
        let text = render(&report(1, 9), "in.bu", b"a:", NEVER);
        assert_eq!(text, "warning at $.a, line 1 col 9: odd\n");
    }

    #[test]
    fn hints_are_only_given_to_who_asks_and_in_their_language() {
        let mut report = report(1, 1);
        report.entries[0].hint = Some(Hint::DidYouMean("path".to_owned()));
        assert!(!render(&report, "in.bu", b"a", NEVER).contains("path?"));
        for hints in [Hints::Spelling, Hints::Show] {
            let text = render(&report, "in.bu", b"a", View { hints, ..NEVER });
            assert!(text.ends_with("   |\n  = hint: did you mean path?\n"), "{text}");
        }
        let lines = View { hints: Hints::Spelling, layout: Layout::Lines, ..NEVER };
        assert!(!render(&report, "in.bu", b"a", lines).contains("path?"));
        let view = View { hints: Hints::Show, lang: Lang::Chinese, layout: Layout::Lines };
        let text = render(&report, "in.bu", b"a", view);
        assert_eq!(text, "警告 $.a，第 1 行第 1 列：odd\n  = 提示: 是不是 path？\n");
    }

    #[test]
    fn entries_about_a_merged_file_show_its_lines() {
        let mut report = report(2, 1);
        let text = "x: 1\ny: 2\n".to_owned();
        report.entries[0].source = Some(Arc::new(Source { name: "base.bu".to_owned(), text }));
        let text = render(&report, "in.bu", b"a", NEVER);
        assert!(text.contains("--> base.bu:2:1\n"), "{text}");
        assert!(text.contains("2 | y: 2\n   | ^^ odd"), "{text}");
        let line = render(&report, "in.bu", b"a", View { layout: Layout::Lines, ..NEVER });
        assert_eq!(line, "warning in base.bu at $.a, line 2 col 1: odd\n");
    }

    #[test]
    fn long_lines_and_long_reports_are_not_printed_in_full() {
        let long = format!("a: 1\n{}\n", "x".repeat(20_000));
        let text = render(&report(1, 1), "in.bu", long.as_bytes(), NEVER);
        assert!(text.len() < 500 && text.contains("xx…\n"), "{text}");
        let text = render(&report(2, 1), "in.bu", long.as_bytes(), NEVER);
        assert_eq!(text, "warning at $.a, line 2 col 1: odd\n");
        let mut many = report(1, 1);
        many.entries = vec![many.entries.remove(0); 1002];
        let text = render(&many, "in.bu", b"a: 1", NEVER);
        assert_eq!(text.matches("  --> in.bu:1:1\n").count(), 1000);
        assert_eq!(text.matches("warning at $.a, line 1 col 1: odd\n").count(), 2);
    }

    #[test]
    fn colour_is_only_added_on_request() {
        let text = render(&report(1, 1), "in.bu", b"a", ALWAYS);
        assert!(text.starts_with("\x1b[1;33mwarning\x1b[0m[$.a]:\n  \x1b[1;34m-->\x1b[0m in.bu"));
    }
}
