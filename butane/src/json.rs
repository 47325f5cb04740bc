//! Writes Ignition JSON: keys in the order of the schema, nothing that is unset, and the escapes
//! of the reference compiler.

use crate::schema::{Absent, Dialect, Field};
use crate::value::{Kind, Object, Value};

/// How the output is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spacing {
    /// Everything on one line.
    #[default]
    Compact,
    /// Indented by two spaces.
    Indented,
}

/// Prints a config, without a line end.
pub(crate) fn print(config: &Object, dialect: &Dialect, spacing: Spacing) -> String {
    let mut printer = Printer { out: String::new(), dialect, spacing, depth: 0 };
    printer.object(config);
    printer.out
}

struct Printer<'d> {
    out: String,
    dialect: &'d Dialect,
    spacing: Spacing,
    depth: usize,
}

impl Printer<'_> {
    fn value(&mut self, value: &Value) {
        match &value.kind {
            Kind::Text(text) => self.text(text),
            // Only source text may be other than UTF-8, and compiling has replaced that.
            Kind::Bytes(bytes) => self.text(&String::from_utf8_lossy(bytes)),
            Kind::Int(n) => self.out.push_str(&n.to_string()),
            Kind::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Kind::List(items) => {
                self.open('[');
                for (n, item) in items.iter().enumerate() {
                    self.next(n == 0);
                    self.value(item);
                }
                self.close(']', items.is_empty());
            }
            Kind::Object(object) => self.object(object),
            Kind::Data(url) => {
                // Nothing in a data URL needs an escape.
                self.out.push('"');
                url.write_to(&mut self.out);
                self.out.push('"');
            }
            Kind::Labels(labels) => {
                self.open('{');
                for (n, (key, value)) in labels.iter().enumerate() {
                    self.next(n == 0);
                    self.text(key);
                    self.out.push_str(if self.spacing == Spacing::Compact { ":" } else { ": " });
                    self.text(value);
                }
                self.close('}', labels.is_empty());
            }
        }
    }

    fn object(&mut self, object: &Object) {
        self.open('{');
        let mut empty = true;
        for (field, value) in object.fields() {
            let Some(key) = field.json else { continue };
            if is_left_out(field, value, self.dialect) {
                continue;
            }
            self.next(empty);
            empty = false;
            self.text(key);
            self.out.push_str(if self.spacing == Spacing::Compact { ":" } else { ": " });
            self.value(value);
        }
        self.close('}', empty);
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
    }

    fn next(&mut self, first: bool) {
        if !first {
            self.out.push(',');
        }
        self.line();
    }

    fn close(&mut self, bracket: char, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if self.spacing == Spacing::Indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        let mut plain = 0;
        for (at, c) in text.char_indices() {
            let Some(escape) = escape(c) else { continue };
            self.out.push_str(&text[plain..at]);
            self.out.push_str(&escape);
            plain = at + c.len_utf8();
        }
        self.out.push_str(&text[plain..]);
        self.out.push('"');
    }
}

/// Returns whether a value says nothing: an unset zero, or a collection without content.
fn is_left_out(field: &Field, value: &Value, dialect: &Dialect) -> bool {
    let absent = field.absent_in(dialect);
    match &value.kind {
        Kind::List(items) => items.is_empty(),
        Kind::Object(object) => absent != Absent::UnsetOrEmpty && is_empty(object, dialect),
        Kind::Int(0) => absent == Absent::ZeroLeftOut,
        Kind::Text(text) => absent == Absent::ZeroLeftOut && text.is_empty(),
        _ => false,
    }
}

/// Returns whether a mapping prints as `{}`.
fn is_empty(object: &Object, dialect: &Dialect) -> bool {
    object.fields().all(|(field, value)| field.json.is_none() || is_left_out(field, value, dialect))
}

fn escape(c: char) -> Option<String> {
    match c {
        '"' => Some("\\\"".to_owned()),
        '\\' => Some("\\\\".to_owned()),
        '\n' => Some("\\n".to_owned()),
        '\r' => Some("\\r".to_owned()),
        '\t' => Some("\\t".to_owned()),
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
            Some(format!("\\u{:04x}", u32::from(c)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;
    use crate::schema::{CONFIG, CONTENTS, FILE, STORAGE};

    fn sample(contents: &str) -> Object {
        let at = Path::default();
        let file = Object::new(&FILE).with("mode", &at, 420).with("path", &at, "/a").with(
            "contents",
            &at,
            Object::new(&CONTENTS).with("source", &at, contents),
        );
        let files = vec![Value::new(&at, file)];
        let storage = Object::new(&STORAGE).with("files", &at, files).with("luks", &at, vec![]);
        Object::new(&CONFIG).with("storage", &at, storage)
    }

    fn print_nestos(config: &Object, spacing: Spacing) -> String {
        print(config, &Dialect::of_ignition(3), spacing)
    }

    #[test]
    fn keys_stand_in_the_order_of_the_schema_and_empty_lists_are_left_out() {
        assert_eq!(
            print_nestos(&sample("x"), Spacing::Compact),
            r#"{"storage":{"files":[{"path":"/a","contents":{"source":"x"},"mode":420}]}}"#
        );
    }

    #[test]
    fn text_is_escaped_as_the_reference_does() {
        let text = print_nestos(&sample("<a>&\"\\\n\t\x08\x7fé\u{2028}"), Spacing::Compact);
        let want = r#""\u003ca\u003e\u0026\"\\\n\t\u0008"#;
        assert!(text.contains(&format!("{want}\x7fé\\u2028\"")), "{text}");
    }

    #[test]
    fn indented_output_has_two_spaces_a_level() {
        let text = print_nestos(&sample("x"), Spacing::Indented);
        assert!(text.starts_with("{\n  \"storage\": {\n    \"files\": [\n      {\n"), "{text}");
        assert!(text.ends_with("\n    ]\n  }\n}"), "{text}");
    }
}
