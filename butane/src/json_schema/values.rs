//! Schemas of texts, numbers and booleans.

use nestos_formats::yaml::{self, Node};
use serde_json::{Map, Value, json};

use crate::lang::Lang;
use crate::scalar;
use crate::schema::{
    Absent, Allows, Default, Dialect, Emptiness, Field, Type, digests_in, pins_in, words_in,
};

/// The types of values that a text may be written as, and of none.
const TEXT: [&str; 4] = ["string", "number", "boolean", "null"];

/// Booleans that are plain texts in YAML 1.2.
const BOOLEAN_WORDS: &str = "^([yY]|yes|Yes|YES|[nN]|no|No|NO|on|On|ON|off|Off|OFF)$";

/// Numbers that are plain texts in YAML 1.2: with separators, in binary, or with a capital prefix.
const NUMBER_WORDS: &str = "^[-+]?(0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9]+(_[0-9]*)+)$";

/// Absolute and clean.
const PATH: &str = r"^(/|(/(?!\.\.?(/|$))[^/]+)+)$";

const GUID: &str = "[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}";

/// No colon, at most 36 bytes: of so many, there cannot be 19 characters of two bytes or more, nor
/// 13 of three or more.
const PARTITION_LABEL: &str = r"^(?!([\u0000-\u007f]*[^\u0000-\u007f]){19})(?!([\u0000-\u07ff]*[^\u0000-\u07ff]){13})[^:]{0,36}$";

/// A media type, parameters, then data without what must be escaped.
const DATA_URL: &str = concat!(
    r#"data:([^",;/]+/[^",;]*)?(;[^",;]+("([^"\\]|\\[\s\S])*")?)*,"#,
    r#"([^\u0000-\u0020\u007f-\uffff<>#"{}|\\^\[\]`%]|%[0-9A-Fa-f]{2}|\n)*"#
);

/// Anything but control characters, and hosts without half a pair of brackets.
const REST_OF_URL: &str = r":(?!//[^/?#]*\[[^\]/?#]*([/?#]|$))[^\u0000-\u001f\u007f]*";

/// The greatest mode, read as the decimal number that YAML 1.2 takes `07777` for.
const GREATEST_MODE: u32 = 7777;

/// Whether a text may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It may.
    Optional,
    /// It may not.
    Required,
}

pub(super) const OPTIONAL: Presence = Presence::Optional;

/// Returns whether a mapping without this key is refused, whatever else is in the config.
pub(super) fn is_required(field: &Field, dialect: &Dialect) -> bool {
    match field.doc.allows {
        Allows::Filled | Allows::Suffix(_) => true,
        Allows::Path | Allows::Url(_, Emptiness::Refused) => {
            let list = matches!(field.kind_in(dialect), Type::Texts(_));
            !list && field.absent_in(dialect) != Absent::Unset
        }
        _ => false,
    }
}

/// Returns the schema of a field that is no list or mapping.
pub(super) fn scalar(field: &Field, dialect: &Dialect, lang: Lang) -> Value {
    match field.kind_in(dialect) {
        Type::Bool => json!({ "type": ["boolean", "string", "null"], "pattern": BOOLEAN_WORDS }),
        Type::Int => {
            let mut schema =
                json!({ "type": ["integer", "number", "string", "null"], "pattern": NUMBER_WORDS });
            if matches!(field.doc.allows, Allows::Mode) {
                schema["minimum"] = json!(0);
                schema["maximum"] = json!(GREATEST_MODE);
            }
            schema
        }
        _ => {
            let required = is_required(field, dialect);
            let presence = if required { Presence::Required } else { Presence::Optional };
            text(&field.doc.allows, dialect, lang, presence)
        }
    }
}

/// Returns the schema of some versions of the language; their numbers may have leading zeros.
pub(super) fn versions(versions: &[&str]) -> Value {
    let padded = |version: &&str| format!("0*{}", version.replace('.', r"\.0*"));
    let padded: Vec<String> = versions.iter().map(padded).collect();
    json!({ "anyOf": [{ "enum": versions }, { "pattern": format!("^({})$", padded.join("|")) }] })
}

/// Returns the schema of any text.
pub(super) fn any_text() -> Value {
    json!({ "type": TEXT })
}

/// Returns the schema of a text with what it may be.
pub(super) fn text(allows: &Allows, dialect: &Dialect, lang: Lang, presence: Presence) -> Value {
    let message = allows.in_words(dialect, lang);
    // Where no number or boolean can be meant, only texts will do.
    let matching = |pattern: String| {
        let kind = match presence {
            Presence::Required => json!("string"),
            Presence::Optional => json!(["string", "null"]),
        };
        json!({ "type": kind, "pattern": pattern, "patternErrorMessage": message })
    };
    match allows {
        Allows::Anything | Allows::Mode => any_text(),
        Allows::Filled => json!({ "type": ["string", "number", "boolean"], "minLength": 1 }),
        Allows::NotEmpty => json!({ "type": TEXT, "minLength": 1 }),
        Allows::OneOf(words) => one_of(&words_in(words, dialect)),
        Allows::Pin => {
            let pins = pins_in(dialect);
            pins.map_or_else(any_text, |pins| one_of(&[&pins[..], &[""]].concat()))
        }
        Allows::Suffix(endings) => matching(format!(r"\.({})$", endings.join("|"))),
        Allows::MaxBytes(most) => json!({ "type": TEXT, "maxLength": most }),
        Allows::NoSlash => {
            json!({ "type": TEXT, "pattern": "^[^/]*$", "patternErrorMessage": message })
        }
        Allows::PartitionLabel => {
            json!({ "type": TEXT, "pattern": PARTITION_LABEL, "patternErrorMessage": message })
        }
        Allows::Path => matching(PATH.to_owned()),
        Allows::PathOrEmpty => matching(format!("^$|{PATH}")),
        Allows::Guid => matching(format!("^({GUID})?$")),
        Allows::Digest => {
            let forms = digests_in(dialect).iter();
            let forms = forms.map(|(function, digits)| format!(r"{function}-[\s\S]{{{digits}}}"));
            matching(format!("^({})$", forms.collect::<Vec<_>>().join("|")))
        }
        Allows::Url(schemes, emptiness) => matching(url(&words_in(schemes, dialect), *emptiness)),
    }
}

fn one_of(words: &[&str]) -> Value {
    let numbers = words.iter().filter_map(|word| word.parse::<u32>().ok()).map(Value::from);
    let filled = words.iter().filter(|word| !word.is_empty()).map(|word| json!(word));
    // What an editor offers first should be what people want.
    let empty = words.iter().filter(|word| word.is_empty()).map(|word| json!(word));
    json!({ "enum": filled.chain(numbers).chain(empty).chain([Value::Null]).collect::<Vec<_>>() })
}

fn url(schemes: &[&str], emptiness: Emptiness) -> String {
    let fetched: Vec<String> =
        schemes.iter().filter(|s| **s != "data").map(|scheme| any_case(scheme)).collect();
    let mut forms = vec![format!("({}){REST_OF_URL}", fetched.join("|"))];
    if schemes.contains(&"data") {
        forms.push(DATA_URL.to_owned());
    }
    if emptiness == Emptiness::Unset {
        forms.push(String::new());
    }
    format!("^({})$", forms.join("|"))
}

/// Returns a pattern for a word in capitals or not.
fn any_case(word: &str) -> String {
    let letter = |c: char| match c.is_ascii_lowercase() {
        true => format!("[{c}{}]", c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    word.chars().map(letter).collect()
}

/// Returns the value that a key has if it is absent. Modes are left to the description: JSON could
/// only say them in decimal.
pub(super) fn default(default: &Default, kind: Type) -> Option<Value> {
    let Default::Value(text) = default else { return None };
    let node = yaml::parse(text.as_bytes()).ok()?;
    value(&node, kind).filter(|_| !is_octal(&node, kind))
}

/// Returns the value that the example of a field gives it.
pub(super) fn example(field: &Field, kind: Type) -> Option<Value> {
    let root = yaml::parse(field.doc.example?.as_bytes()).ok()?;
    let node = root.get(field.yaml?)?;
    value(node, kind).filter(|_| !is_octal(node, kind))
}

fn is_octal(node: &Node, kind: Type) -> bool {
    let octal = |text: &str| text.len() > 1 && text.starts_with('0');
    matches!(kind, Type::Int) && node.as_str().is_some_and(octal)
}

/// Converts what was read as YAML to JSON; `None` if a part has the wrong type.
fn value(node: &Node, kind: Type) -> Option<Value> {
    match kind {
        Type::Text => node.as_str().map(Value::from),
        Type::Int | Type::Bool => {
            let yaml::Value::Scalar(text) = &node.value else { return None };
            let resolved = scalar::resolve(text).ok()?;
            match kind {
                Type::Int => scalar::as_int(&resolved).map(Value::from),
                _ => scalar::as_bool(&resolved, &text.text).map(Value::from),
            }
        }
        Type::Texts(_) => node.items()?.iter().map(|item| value(item, Type::Text)).collect(),
        Type::Objects(shape, _) => {
            node.items()?.iter().map(|item| value(item, Type::Object(shape))).collect()
        }
        Type::Labels => mapping(node, |_| Some(Type::Text)),
        Type::Object(shape) => mapping(node, |key| {
            shape.fields.iter().find(|field| field.yaml == Some(key)).map(|field| field.kind)
        }),
    }
}

fn mapping(node: &Node, kind: impl Fn(&str) -> Option<Type>) -> Option<Value> {
    let mut map = Map::new();
    for (key, below) in node.entries()? {
        let key = key.key_text()?;
        let kind = kind(key)?;
        if !is_octal(below, kind) {
            map.insert(key.to_owned(), value(below, kind)?);
        }
    }
    Some(Value::Object(map))
}
