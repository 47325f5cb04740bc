//! Prints a report beside the lines of the config that it is about.

use crate::report::{Entry, Report, Severity};

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

const BOLD_RED: &str = "1;31";
const BOLD_YELLOW: &str = "1;33";
const BOLD_CYAN: &str = "1;36";
const BOLD_BLUE: &str = "1;34";

/// Prints the entries of `report` about the text `source`, which the reader knows as `name`. The
/// failure is left to the caller.
pub fn render(report: &Report, name: &str, source: &[u8], layout: Layout) -> String {
    let mut out = String::new();
    let text = String::from_utf8_lossy(source);
    let lines: Vec<&str> = text.split('\n').collect();
    for (n, entry) in report.entries.iter().enumerate() {
        let excerpt = match layout {
            Layout::Lines => None,
            Layout::Excerpts(color) => excerpt(entry, name, &lines, color),
        };
        if n > 0 && layout != Layout::Lines {
            out.push('\n');
        }
        out.push_str(&excerpt.unwrap_or_else(|| format!("{entry}\n")));
    }
    out
}

/// Returns the long form of an entry; `None` if its place is not in the text.
fn excerpt(entry: &Entry, name: &str, lines: &[&str], color: Color) -> Option<String> {
    let at = entry.at?;
    let (row, column) = (at.line.checked_sub(1)?, at.column.checked_sub(1)?);
    let line = lines.get(row)?;
    let (start, _) = line.char_indices().nth(column)?;
    let (before, rest) = line.split_at(start);
    let marked = rest.split(char::is_whitespace).next().unwrap_or_default();

    let first = row.saturating_sub(AROUND);
    let last = (row + AROUND).min(lines.len() - 1);
    let gutter = (last + 1).to_string().len();
    let paint = |code: &str, text: &str| paint(color, code, text);
    let mut out = String::new();
    let severity = paint(severity_color(entry.severity), entry.severity.word());
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
        put(format!(" {number} | {shown}"));
        if n == row {
            let carets = paint(BOLD_BLUE, &"^".repeat(width(marked)));
            put(format!(
                "{blank} {:indent$}{carets} {}",
                "",
                entry.message,
                indent = width(before)
            ));
        }
    }
    put(blank);
    Some(out)
}

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
    use nestos_formats::yaml::Mark;

    use super::*;
    use crate::path::Path;

    fn report(line: usize, column: usize) -> Report {
        let path = Some(Path::default().key("a"));
        let at = Some(Mark { line, column });
        let message = "odd".to_owned();
        let entry = Entry { severity: Severity::Warning, path, at, message };
        Report { entries: vec![entry], ..Report::default() }
    }

    #[test]
    fn an_excerpt_shows_two_lines_around_and_marks_the_word() {
        let source = b"1\n2\n3\na: word more\n5\n6\n7\n";
        let text = render(&report(4, 4), "in.bu", source, Layout::Excerpts(Color::Never));
        assert_eq!(
            text,
            "warning[$.a]:\n  --> in.bu:4:4\n   |\n 2 | 2\n 3 | 3\n 4 | a: word more\n   \
             |    ^^^^ odd\n 5 | 5\n 6 | 6\n   |\n"
        );
    }

    #[test]
    fn wide_characters_are_marked_in_full() {
        let text =
            render(&report(1, 4), "in.bu", "日: 本x".as_bytes(), Layout::Excerpts(Color::Never));
        assert!(text.contains("\n 1 | 日: 本x\n   |     ^^^ odd\n"), "{text}");
    }

    #[test]
    fn a_place_outside_the_text_falls_back_to_one_line() {
        let text = render(&report(1, 9), "in.bu", b"a:", Layout::Excerpts(Color::Never));
        assert_eq!(text, "warning at $.a, line 1 col 9: odd\n");
    }

    #[test]
    fn colour_is_only_added_on_request() {
        let text = render(&report(1, 1), "in.bu", b"a", Layout::Excerpts(Color::Always));
        assert!(text.starts_with("\x1b[1;33mwarning\x1b[0m[$.a]:\n  \x1b[1;34m-->\x1b[0m in.bu"));
    }
}
