//! From bytes to text: encodings, line ends, and what cannot be read.

use super::at;
use crate::yaml::{Stage, parse};

#[test]
fn unreadable_bytes_are_errors_without_a_place() {
    let cases: &[(&[u8], &str)] = &[
        (b"a: \0", "control characters are not allowed"),
        (b"a: \x7f", "control characters are not allowed"),
        (b"a: \x1b[0m", "control characters are not allowed"),
        ("a: \u{9f}".as_bytes(), "control characters are not allowed"),
        ("a: \u{fffe}".as_bytes(), "control characters are not allowed"),
        (b"\xff\xfea\0\x07\0", "control characters are not allowed"),
        (b"a: \xff", "invalid leading UTF-8 octet"),
        (b"a: \x80", "invalid leading UTF-8 octet"),
        (b"\xff", "invalid leading UTF-8 octet"),
        (b"a: \xc3", "incomplete UTF-8 octet sequence"),
        (b"a: \xe4(", "incomplete UTF-8 octet sequence"),
        (b"a: \xc3(", "invalid trailing UTF-8 octet"),
        (b"a: \xe4\xb8(", "invalid trailing UTF-8 octet"),
        (b"a: \xc0\x80", "invalid length of a UTF-8 sequence"),
        (b"a: \xf0\x80\x80\x80", "invalid length of a UTF-8 sequence"),
        (b"a: \xed\xa0\x80", "invalid Unicode character"),
        (b"a: \xf4\x90\x80\x80", "invalid Unicode character"),
        (b"\xff\xfea\0b", "incomplete UTF-16 character"),
        (b"\xff\xfea\0\0\xdc", "unexpected low surrogate area"),
        (b"\xff\xfea\0\0\xd8", "incomplete UTF-16 surrogate pair"),
        (b"\xff\xfe\0\xd8a\0", "expected low surrogate area"),
    ];
    for (bytes, problem) in cases {
        let error = parse(bytes).unwrap_err();
        assert_eq!((error.problem.as_str(), error.at), (*problem, None), "{bytes:?}");
        assert_eq!(error.stage, Stage::Reader);
    }
}

#[test]
fn what_follows_the_document_in_a_later_window_is_not_looked_at() {
    let filler = "# comment\n".repeat(60);
    for unreadable in [&b"\0"[..], b"\xff", "\u{80}".as_bytes()] {
        let far = [b"a: 1\n---\n", filler.as_bytes(), unreadable].concat();
        assert!(parse(&far).is_ok());
        let near = [b"a: 1\n---\n", unreadable].concat();
        assert_eq!(parse(&near).unwrap_err().stage, Stage::Reader);
        let inside = [filler.as_bytes(), b"a: 1\n", unreadable].concat();
        assert_eq!(parse(&inside).unwrap_err().stage, Stage::Reader);
    }
}

#[test]
fn an_unreadable_window_hides_errors_in_it_but_not_before_it() {
    let filler = "# comment\n".repeat(60);
    assert_eq!(parse(b"a: @\n\0").unwrap_err().stage, Stage::Reader);
    let error = parse(format!("a: @\n{filler}\0").as_bytes()).unwrap_err();
    assert_eq!((error.stage, error.at), (Stage::Scanner, Some(at(1, 4))));
}

#[test]
fn text_that_is_cut_in_a_character_is_read_up_to_there() {
    let filler = "字".repeat(400);
    let mut bytes = format!("a: @{filler}").into_bytes();
    bytes.pop();
    assert_eq!(parse(&bytes).unwrap_err().problem, "found character that cannot start any token");
}

#[test]
fn every_line_end_of_yaml_1_1_ends_a_line() {
    for end in ["\n", "\r\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        let text = format!("a: 1{end}b:{end}  - |{end}    x{end}    y{end}  - z{end}");
        let root = parse(text.as_bytes()).unwrap();
        let items = root.get("b").unwrap().items().unwrap();
        assert_eq!(items[1].start, at(6, 5), "{end:?}");
        // The two separators are kept, the others become a line feed.
        let kept = if end.len() == 3 { end } else { "\n" };
        assert_eq!(items[0].as_str(), Some(format!("x{kept}y{kept}").as_str()));
    }
}

#[test]
fn a_byte_order_mark_may_start_the_text_or_a_line() {
    let root = parse("\u{feff}a: 1\n\u{feff}# comment\nb: 2\n".as_bytes()).unwrap();
    assert_eq!(root.get("a").unwrap().start, at(1, 4));
    assert_eq!(root.get("b").unwrap().as_str(), Some("2"));
}
