use super::*;
use proptest::prelude::{any, prop, proptest};

mod bytes;
mod libyaml;
mod rules;

fn at(line: usize, column: usize) -> Mark {
    Mark { line, column }
}

#[test]
fn nodes_know_their_line_and_column() {
    let root = parse("a: 1\nb:\n  - é: x\n    c: [y, \"z\"]\n".as_bytes()).unwrap();
    let item = &root.get("b").unwrap().items().unwrap()[0];
    assert_eq!(item.start, at(3, 5));
    assert_eq!(item.get("é").unwrap().start, at(3, 8));
    let list = item.get("c").unwrap();
    assert_eq!(list.start, at(4, 8));
    assert_eq!(list.items().unwrap()[1].start, at(4, 12));
    assert_eq!(list.items().unwrap()[1].as_str(), Some("z"));
    assert_eq!((list.kind(), item.kind()), ("a list", "a mapping"));
}

#[test]
fn byte_order_marks_line_ends_and_utf16_do_not_change_what_is_read() {
    let utf16: Vec<u8> = "\u{feff}a: 𝄞\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<u8> = "\u{feff}a: 𝄞\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for text in ["\u{feff}a: 𝄞\r\n".as_bytes(), b"a: \xf0\x9d\x84\x9e", &utf16, &utf16_be] {
        let root = parse(text).unwrap();
        assert_eq!(root.get("a").unwrap().as_str(), Some("𝄞"));
        assert_eq!(root.get("a").unwrap().start, at(1, 4));
    }
}

#[test]
fn nulls_are_told_from_text() {
    let root = parse(b"a:\nb: ~\nc: null\nd: ''\ne: \"null\"\n").unwrap();
    let null = |key: &str| root.get(key).unwrap().is_null();
    assert_eq!(["a", "b", "c", "d", "e"].map(null), [true, true, true, false, false]);
    assert!(parse(b"").unwrap().is_null());
    assert!(parse(b"# only a comment\n---\n").unwrap().is_null());
}

#[test]
fn only_the_first_document_is_read() {
    let root = parse(b"a: 1\n---\nb: [\n").unwrap();
    assert_eq!(root.entries().unwrap().len(), 1);
}

#[test]
fn duplicate_keys_are_refused_with_both_places() {
    let error = parse(b"x:\n  a: 1\n  b: 2\n  a: 3\n").unwrap_err();
    assert_eq!((error.context, error.at), (Some(at(2, 3)), Some(at(4, 3))));
    assert_eq!(error.to_string(), "line 4 column 3: key \"a\" was already given on line 2");
    assert!(parse_lenient(b"a: 1\na: 2\n").is_ok());
}

#[test]
fn an_alias_is_at_its_own_place_and_shares_the_value() {
    let root = parse(b"a: &x {k: v}\nb: *x\n").unwrap();
    let b = root.get("b").unwrap();
    assert!(b.alias);
    assert_eq!(b.start, at(2, 4));
    assert_eq!(b.get("k").unwrap().start, at(1, 11));
}

#[test]
fn an_alias_bomb_is_refused_by_parse_and_harmless_otherwise() {
    let mut text = "x0: &x0 [a,a,a,a,a,a,a,a,a,a]\n".to_owned();
    for n in 1..60 {
        let list = vec![format!("*x{}", n - 1); 10].join(",");
        text.push_str(&format!("x{n}: &x{n} [{list}]\n"));
    }
    assert_eq!(parse(text.as_bytes()).unwrap_err().problem, "document contains excessive aliasing");
    assert!(parse_lenient(text.as_bytes()).is_ok());
    assert!(parse(b"a: &a [*a]").unwrap_err().problem.contains("contains itself"));
    assert!(parse(b"a: *b").unwrap_err().problem.contains("unknown anchor"));
}

#[test]
fn a_block_that_ends_the_text_without_a_line_end_has_none() {
    let cases = [
        ("a: |\n  x", "x"),
        ("a: |\n  x\n", "x\n"),
        ("a: |\n  x\n  y", "x\ny"),
        ("a: |+\n  x\n\n  ", "x\n\n"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |-\n  x", "x"),
        ("a: |\n  x  ", "x  "),
        ("a: |\n  x\n# end", "x\n"),
        ("a: |\n  x\\", "x\\"),
    ];
    for (text, value) in cases {
        let root = parse(text.as_bytes()).unwrap();
        assert_eq!(root.get("a").unwrap().as_str(), Some(value), "{text:?}");
    }
}

#[test]
fn nesting_is_bounded_and_deep_trees_are_freed_on_a_small_stack() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let error = parse_lenient(deep(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!(error.problem, "exceeded max depth of 10000");
    assert!(parse(deep(5_000).as_bytes()).is_ok());
    for (indicator, column) in [("[", 10_001), ("{? ", 30_001), ("- ", 20_001), ("? ", 20_001)] {
        let error = parse_lenient(indicator.repeat(100_000).as_bytes()).unwrap_err();
        assert_eq!(error.problem, "exceeded max depth of 10000");
        assert_eq!((error.stage, error.at), (Stage::Scanner, Some(at(1, column))));
    }
}

#[test]
fn text_at_a_deep_nesting_takes_no_longer_than_elsewhere() {
    let items = "a: b,\n*x ,".repeat(50_000);
    let text = format!("- &x 1\n- {}{items}{}", "&x [".repeat(9_000), "]".repeat(9_000));
    assert!(parse_lenient(text.as_bytes()).unwrap_err().problem.contains("contains itself"));
    let text = format!("- &y 1\n- {}{items}{}", "&x [".repeat(9_000), "]".repeat(9_000));
    assert!(parse_lenient(text.replace("*x", "*y").as_bytes()).is_ok());
}

#[test]
fn huge_scalars_and_many_anchors_are_read() {
    let line = "some text; ".repeat(100);
    let block = format!("a: |\n{}", format!("  {line}\n").repeat(5_000));
    let text = parse(block.as_bytes()).unwrap();
    assert_eq!(text.get("a").unwrap().as_str(), Some(format!("{line}\n").repeat(5_000).as_str()));
    for quote in ["", "'", "\""] {
        let text = format!("a: {quote}x{}{quote}\n", line.repeat(1_000).trim_end());
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(value.get("a").unwrap().as_str().unwrap().len(), line.len() * 1_000);
    }
    let anchors: String = (0..20_000).map(|n| format!("- &a{n} {n}\n- *a{n}\n")).collect();
    assert_eq!(parse(anchors.as_bytes()).unwrap().items().unwrap().len(), 40_000);
}

#[test]
fn an_alias_is_the_last_node_before_it_that_has_the_name() {
    let root = parse(b"- &a [&a x]\n- *a\n- &b [&b y, *b]\n- &a z\n- *a\n").unwrap();
    let items = root.items().unwrap();
    assert_eq!((items[1].as_str(), items[4].as_str()), (Some("x"), Some("z")));
    assert_eq!(items[2].items().unwrap()[1].as_str(), Some("y"));
}

#[test]
fn tags_with_a_long_prefix_do_not_fill_the_memory() {
    let prefix = "p".repeat(1 << 20);
    let items: String = (0..100).map(|n| format!("- !x!{n} a\n")).collect();
    let text = format!("%TAG !x! tag:{prefix}\n---\n{items}");
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.problem, "document contains too much text in tags");
}

#[test]
fn text_that_only_looks_like_a_trap_is_read() {
    let root = parse(b"a: {b: \"x !y, z\", c: w !u, d: 1}\n").unwrap();
    let a = root.get("a").unwrap();
    assert_eq!(a.get("b").unwrap().as_str(), Some("x !y, z"));
    assert_eq!(a.get("c").unwrap().as_str(), Some("w !u"));
    assert_eq!(parse(b"a: b\\").unwrap().get("a").unwrap().as_str(), Some("b\\"));
}

/// Parses; an error has a place in the text, or is about what cannot be read.
fn parse_anything(text: &[u8]) {
    if let Err(error) = parse(text) {
        assert!(error.at.is_some() || error.stage == Stage::Reader, "{error:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_anything(&bytes);
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in "[-a:{}\\[\\], \n\"'!&*|>%#?\\\\~0.]{0,60}") {
        parse_anything(text.as_bytes());
    }
}
