//! Text on a screen of 80 columns, where a Chinese character takes two.

use dialoguer::console::measure_text_width;

/// Columns that are written to: one less than a screen has, because some terminals begin a new
/// line as soon as the last column is filled.
pub(super) const COLUMNS: usize = 79;

/// Returns how many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// Fills up with spaces to `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Cuts what takes more than `columns`, and marks the cut.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if width(&text) <= columns {
        return text;
    }
    let mut cut = String::new();
    for c in text.chars() {
        cut.push(c);
        if width(&cut) > columns.saturating_sub(3) {
            cut.pop();
            break;
        }
    }
    cut + "..."
}

/// Breaks a line into lines of at most `columns`, at spaces and between Chinese characters. Lines
/// after the first are indented as the first one is.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let indent = &text[..text.len() - text.trim_start_matches(' ').len()];
    let mut lines = vec![];
    let mut line = String::new();
    for piece in pieces(text) {
        if width(&line) + width(piece.trim_end()) > columns && !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
            line = indent.to_owned();
        }
        // A word longer than a line is cut where the line ends.
        for c in piece.chars() {
            line.push(c);
            if width(&line) > columns && c != ' ' {
                line.pop();
                lines.push(line);
                line = format!("{indent}{c}");
            }
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Splits into what stays together: a word with the spaces behind it, or a wide character with the
/// punctuation behind it.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = vec![];
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        let wide = |c: char| width(c.encode_utf8(&mut [0; 4])) == 2;
        let breaks = before.is_some_and(|b| {
            let behind_space = b == ' ' && c != ' ';
            behind_space
                || ((wide(b) || wide(c)) && c != ' ' && !"，。；：、！？）」,.;:!?)".contains(c))
        });
        if breaks {
            pieces.push(&text[start..at]);
            start = at;
        }
        before = Some(c);
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_columns_each() {
        assert_eq!(width("磁盘 /dev/sda"), 13);
        assert_eq!(pad("磁盘", 6), "磁盘  ");
        assert_eq!(fit("安装到磁盘", 10), "安装到磁盘");
        assert_eq!(fit("安装到磁盘", 9), "安装到...");
        assert_eq!(fit("安装到磁盘", 8), "安装...");
        assert_eq!(fit("a\tb\x1b[1m", 20), "a b [1m");
    }

    #[test]
    fn lines_break_at_spaces_and_between_chinese_characters() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("  one two three", 8), ["  one", "  two", "  three"]);
        assert_eq!(wrap("即将在本机安装 NestOS。好", 14), ["即将在本机安装", "NestOS。好"]);
        assert_eq!(wrap("一二三。四", 6), ["一二", "三。四"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn no_line_is_ever_too_long() {
        let text =
            "磁盘 /dev/disk/by-id/nvme-eui.0025388b71b3f1a2 上的所有数据都将丢失, EFI-SYSTEM、boot";
        for columns in 4..90 {
            for line in wrap(text, columns) {
                assert!(width(&line) <= columns, "{columns}: {line}");
            }
            assert!(width(&fit(text, columns)) <= columns);
        }
    }
}
