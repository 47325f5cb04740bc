//! Words to say in JSON Schema what a config must not look like.
//!
//! A condition on a key asserts that the key is there, so it is false of mappings without it. What
//! is no mapping at all satisfies conditions vacuously; [`refuse`] lets it pass.

use serde_json::{Value, json};

use crate::lang::Lang;

const TRUE: [&str; 8] = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"];
const FALSE: [&str; 8] = ["n", "N", "no", "No", "NO", "off", "Off", "OFF"];

/// What is said where a rule is broken, in English and in Chinese.
pub(super) type Message = (&'static str, &'static str);

/// Returns a rule: no mapping may be so.
///
/// A mapping is never null, so the rule is broken wherever the condition holds; `not` would say the
/// same, but yaml-language-server shows no message of ours there.
pub(super) fn refuse(so: Value, message: Message, lang: Lang) -> Value {
    let mapping = json!({ "type": "object" });
    let never = json!({ "type": ["null"], "errorMessage": lang.pick(message.0, message.1) });
    json!({ "if": { "allOf": [mapping, so] }, "then": never })
}

/// A key has a value.
pub(super) fn set(key: &str) -> Value {
    with(key, json!({ "not": { "type": "null" } }))
}

/// A key has a value that is not the empty text.
pub(super) fn filled(key: &str) -> Value {
    with(key, json!({ "not": { "enum": [null, ""] } }))
}

/// A list has an entry.
pub(super) fn listed(key: &str) -> Value {
    with(key, json!({ "type": "array", "contains": { "not": { "type": "null" } } }))
}

/// A boolean is true, in whatever words.
pub(super) fn is_true(key: &str) -> Value {
    with(key, spelled(true, &TRUE))
}

/// A boolean is false, in whatever words.
pub(super) fn is_false(key: &str) -> Value {
    with(key, spelled(false, &FALSE))
}

/// A number is neither absent nor zero.
pub(super) fn nonzero(key: &str) -> Value {
    with(key, json!({ "not": { "enum": [0, null] } }))
}

/// A key is one of some texts.
pub(super) fn is_one_of(key: &str, texts: &[&str]) -> Value {
    with(key, json!({ "enum": texts }))
}

/// A key has a value that matches.
pub(super) fn with(key: &str, value: Value) -> Value {
    json!({ "required": [key], "properties": { key: value } })
}

/// A key holds a mapping that matches.
pub(super) fn inside(key: &str, value: Value) -> Value {
    with(key, json!({ "allOf": [{ "type": "object" }, value] }))
}

pub(super) fn not(condition: Value) -> Value {
    json!({ "not": condition })
}

pub(super) fn all<const N: usize>(conditions: [Value; N]) -> Value {
    json!({ "allOf": conditions.to_vec() })
}

pub(super) fn any(conditions: Vec<Value>) -> Value {
    json!({ "anyOf": conditions })
}

/// Any of some keys meets a condition.
pub(super) fn any_key(condition: fn(&str) -> Value, keys: &[&str]) -> Value {
    any(keys.iter().map(|key| condition(key)).collect())
}

fn spelled(value: bool, words: &[&str]) -> Value {
    let mut spellings = vec![json!(value)];
    spellings.extend(words.iter().map(|word| json!(word)));
    json!({ "enum": spellings })
}
