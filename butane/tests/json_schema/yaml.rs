//! YAML to JSON, as different programs read it.

use nestos_formats::yaml::{Node, Style, Value as Yaml, parse};
use serde_json::{Map, Value, json};

/// Whose idea of plain scalars counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The compiler's, where `0644` is 420.
    Compiler,
    /// That of editors, which follow YAML 1.2, where `0644` is 644.
    Editor,
}

impl Reading {
    /// Reads a config; `None` if it is not YAML.
    pub(crate) fn json(self, text: &[u8]) -> Option<Value> {
        parse(text).ok().map(|root| self.value(&root))
    }

    fn value(self, node: &Node) -> Value {
        match &node.value {
            Yaml::Null(_) => Value::Null,
            Yaml::Sequence(items) => items.iter().map(|item| self.value(item)).collect(),
            Yaml::Mapping(entries) => Value::Object(self.mapping(entries)),
            Yaml::Scalar(scalar) => {
                let quoted = scalar.style != Style::Plain;
                match scalar.tag.as_deref().map(|tag| tag.rsplit(':').next().unwrap_or(tag)) {
                    Some("str" | "binary" | "!") => json!(&*scalar.text),
                    None if quoted => json!(&*scalar.text),
                    _ => self.plain(&scalar.text),
                }
            }
        }
    }

    fn mapping(self, entries: &[(Node, Node)]) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in entries {
            match key.key_text() {
                Some("<<") => {}
                Some(key) => drop(map.insert(key.to_owned(), self.value(value))),
                None => drop(map.insert(self.value(key).to_string(), self.value(value))),
            }
        }
        for (_, merged) in entries.iter().filter(|(key, _)| key.key_text() == Some("<<")) {
            let sources = merged.items().unwrap_or(std::slice::from_ref(merged));
            for source in sources.iter().filter_map(Node::entries) {
                for (key, value) in self.mapping(source) {
                    map.entry(key).or_insert(value);
                }
            }
        }
        map
    }

    fn plain(self, text: &str) -> Value {
        let joined;
        let number = match self {
            Self::Compiler => {
                joined = text.replace('_', "");
                joined.as_str()
            }
            Self::Editor => text,
        };
        let begins = number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        match text {
            "true" | "True" | "TRUE" => json!(true),
            "false" | "False" | "FALSE" => json!(false),
            _ if begins => {
                let float = || number.parse::<f64>().ok().map(|n| json!(n));
                self.integer(number).map(|n| json!(n)).or_else(float).unwrap_or_else(|| json!(text))
            }
            _ => json!(text),
        }
    }

    fn integer(self, text: &str) -> Option<i64> {
        let digits = text.trim_start_matches(['+', '-']);
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let with_prefix = |prefixes: [&str; 2], radix| {
            let rest = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix))?;
            i64::from_str_radix(rest, radix).ok()
        };
        let old = self == Self::Compiler;
        let octal = with_prefix(["0o", if old { "0O" } else { "0o" }], 8);
        let special = octal.or_else(|| with_prefix(["0x", if old { "0X" } else { "0x" }], 16));
        let binary = special.or_else(|| with_prefix(["0b", "0B"], 2).filter(|_| old));
        let leading = |digits: &str| {
            let rest = digits.strip_prefix('0').filter(|rest| !rest.is_empty() && old)?;
            i64::from_str_radix(rest, 8).ok()
        };
        let value = binary.or_else(|| leading(digits)).or_else(|| digits.parse().ok())?;
        Some(sign * value)
    }
}

#[test]
fn plain_scalars_are_read_in_both_ways() {
    let readings = [Reading::Compiler, Reading::Editor];
    let both = |text: &str| readings.map(|reading| reading.json(text.as_bytes()).unwrap());
    assert_eq!(both("0644"), [json!(420), json!(644)]);
    assert_eq!(both("0o644"), [json!(420), json!(420)]);
    assert_eq!(both("1_000"), [json!(1000), json!("1_000")]);
    assert_eq!(both("\"0644\""), [json!("0644"), json!("0644")]);
    assert_eq!(
        both("{<<: {a: 1, b: 2}, a: 3}"),
        [json!({ "a": 3, "b": 2 }), json!({ "a": 3, "b": 2 })]
    );
}
