//! Rules of the scanner and the grammar, and the errors that name them.

use super::at;
use crate::yaml::{Mark, Node, Value, parse, parse_lenient};

fn value(text: &str) -> Node {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn scalars_are_unquoted_unescaped_and_folded() {
    let cases = [
        ("a  b # c", "a  b"),
        ("a\n b\n\n c\n", "a b\nc"),
        ("a#b:c", "a#b:c"),
        ("-a", "-a"),
        ("?a", "?a"),
        ("'it''s'", "it's"),
        ("'a \n  b\n\n  c'", "a b\nc"),
        ("\"a \n  b\n\n  c\"", "a b\nc"),
        ("\"a \\\n  b\\\n\\\n\n  c\"", "a b\nc"),
        (r#""\0\a\b\t\n\v\f\r\e\ \"\'\/\\""#, "\0\x07\x08\t\n\x0b\x0c\r\x1b \"'/\\"),
        (r#""\N\_\L\P\x41\u4e2d\U0001d11e""#, "\u{85}\u{a0}\u{2028}\u{2029}A中𝄞"),
        ("|\n a\n  b\n\n c\n\n", "a\n b\n\nc\n"),
        ("|-\n a\n\n", "a"),
        ("|+\n a\n\n", "a\n\n"),
        ("|2-\n   a\n  b\n", " a\nb"),
        ("|+1 # comment\n  a\n", " a\n"),
        ("|\n\n\n  a\n", "\n\na\n"),
        (">\n a\n b\n\n c\n  d\n e\n", "a b\nc\n d\ne\n"),
        (">-\n\n a\n\n\n b\n", "\na\n\nb"),
        ("|\n", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text).key_text(), Some(expected), "{text:?}");
    }
}

#[test]
fn bad_text_is_an_error_with_its_place() {
    let cases: &[(&str, &str, Mark)] = &[
        ("a: \"b", "found unexpected end of stream", at(1, 6)),
        ("a: 'b\n", "found unexpected end of stream", at(2, 1)),
        ("a: 'b\n--- c", "found unexpected document indicator", at(2, 1)),
        ("a: \"b\\", "found unknown escape character", at(1, 6)),
        ("\"\\xzz\"", "did not find expected hexadecimal number", at(1, 4)),
        ("\"\\ud800\"", "found invalid Unicode character escape code", at(1, 4)),
        ("a:\n\tc: d", "found character that cannot start any token", at(2, 1)),
        ("a: b\n\tc", "found a tab character that violates indentation", at(2, 1)),
        ("a:\n  b\n\tc", "found a tab character that violates indentation", at(3, 1)),
        ("|\n\ta", "found a tab character where an indentation space is expected", at(2, 1)),
        ("|0\n", "found an indentation indicator equal to 0", at(1, 2)),
        ("| a\n", "did not find expected comment or line break", at(1, 3)),
        ("@a", "found character that cannot start any token", at(1, 1)),
        ("a: - b", "block sequence entries are not allowed in this context", at(1, 4)),
        ("a: ? b", "mapping keys are not allowed in this context", at(1, 4)),
        ("a: b: c", "mapping values are not allowed in this context", at(1, 5)),
        ("a: 1\nb\n", "could not find expected ':'", at(3, 1)),
        ("a: 1\n- b", "did not find expected key", at(2, 1)),
        ("- a\nb: 1", "did not find expected '-' indicator", at(2, 1)),
        ("[a", "did not find expected ',' or ']'", at(2, 1)),
        ("{a: b", "did not find expected ',' or '}'", at(2, 1)),
        ("[- a]", "did not find expected node content", at(1, 2)),
        ("*", "did not find expected alphabetic or numeric character", at(1, 2)),
        ("!x!y a", "found undefined tag handle", at(1, 1)),
        ("!<x a", "did not find the expected '>'", at(1, 4)),
        ("!<> a", "did not find expected tag URI", at(1, 3)),
        ("!%zz a", "did not find URI escaped octet", at(1, 2)),
        ("!%80 a", "found an incorrect leading UTF-8 octet", at(1, 2)),
        ("!%c3%28 a", "found an incorrect trailing UTF-8 octet", at(1, 5)),
        ("!a\"b\"", "did not find expected whitespace or line break", at(1, 3)),
        ("%YAML 1.2\n---\na", "found incompatible YAML document", at(1, 1)),
        ("%TAG ! x:\n%YAML 2.1\n---\na", "found incompatible YAML document", at(2, 1)),
        ("%YAML 1.1\n%YAML 1.1\n---\n", "found duplicate %YAML directive", at(2, 1)),
        ("%YAML 1.100\n", "found extremely long version number", at(1, 11)),
        ("%TAG ! a\n%TAG ! b\n---\n", "found duplicate %TAG directive", at(2, 1)),
        ("%TAG !a b\n", "did not find expected '!'", at(1, 8)),
        ("%FOO\n", "found unknown directive name", at(1, 5)),
        ("%YAML 1.1\na", "did not find expected <document start>", at(2, 1)),
    ];
    for (text, problem, place) in cases {
        let error = parse_lenient(text.as_bytes()).unwrap_err();
        assert_eq!((error.problem.as_str(), error.at), (*problem, Some(*place)), "{text:?}");
    }
}

#[test]
fn tabs_may_separate_but_not_indent() {
    let root = value("a:\tb\t# c\nd: [\n\te,\n\tf]\n\ng: |\n  x\n  \ty\n");
    assert_eq!(root.get("a").unwrap().as_str(), Some("b"));
    assert_eq!(root.get("d").unwrap().items().unwrap().len(), 2);
    assert_eq!(root.get("g").unwrap().as_str(), Some("x\n\ty\n"));
}

#[test]
fn tags_are_resolved_by_their_handles() {
    let tag = |text: &str| match &value(text).value {
        Value::Scalar(scalar) => scalar.tag.as_deref().map(str::to_owned),
        _ => None,
    };
    let cases = [
        ("a", None),
        ("! a", Some("!")),
        ("!t a", Some("!t")),
        ("!!str a", Some("tag:yaml.org,2002:str")),
        ("!<tag:x,y[1]> a", Some("tag:x,y[1]")),
        ("%TAG !e! tag:e,\n---\n!e!t a", Some("tag:e,t")),
        ("%TAG ! !x-\n---\n!t a", Some("!x-t")),
        ("!caf%C3%A9%20 a", Some("!café ")),
    ];
    for (text, expected) in cases {
        assert_eq!(tag(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn a_comma_right_after_a_tag_belongs_to_the_tag() {
    let list = value("[!t, a]");
    let items = list.items().unwrap();
    assert_eq!((items.len(), items[0].as_str()), (1, Some("a")));
}

#[test]
fn a_key_has_at_most_1024_characters_on_one_line() {
    for (letter, len) in [("k", 1024), ("é", 1024), ("中", 1024)] {
        let fits = format!("{}: v\n", letter.repeat(len));
        assert_eq!(value(&fits).entries().unwrap().len(), 1, "{letter}");
        let error = parse(format!("{}: v\n", letter.repeat(len + 1)).as_bytes()).unwrap_err();
        assert_eq!(error.problem, "mapping values are not allowed in this context");
    }
    let flow = value(&format!("{{'{}': v}}", "k".repeat(1022)));
    assert!(flow.entries().unwrap()[0].1.as_str() == Some("v"));
}

#[test]
fn keys_and_values_may_be_missing_or_collections() {
    let root = value("? [a, b]\n: - c\n? d\n: \n{e: f}: g\n");
    let entries = root.entries().unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0].0.items().unwrap().len(), 2);
    assert!(entries[1].1.is_null() && entries[2].0.get("e").is_some());
    let flow = value("[a: b, ? c : d, {e, f: }]");
    assert_eq!(flow.items().unwrap().len(), 3);
    assert_eq!(flow.items().unwrap()[2].entries().unwrap().len(), 2);
    let indentless = value("a:\n- b\n-\n- c: d\ne: f\n");
    assert_eq!(indentless.get("a").unwrap().items().unwrap().len(), 3);
}

#[test]
fn a_colon_before_a_flow_indicator_belongs_to_the_scalar() {
    let list = value("[a:, b:]");
    let texts: Vec<_> = list.items().unwrap().iter().map(Node::as_str).collect();
    assert_eq!(texts, [Some("a:"), Some("b:")]);
}
