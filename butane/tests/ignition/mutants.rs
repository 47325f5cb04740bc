//! Breaks JSON by rules: each mutant differs from the original in one place.

use serde_json::{Map, Value, json};

/// Texts that are wrong in one place or another: paths, URLs, hashes, names, GUIDs, methods.
const TEXTS: &[&str] = &[
    "",
    "relative/path",
    "/a/../b",
    "/trailing/",
    "//double",
    "/etc/has space",
    "http://[::1",
    "http://a b/",
    "ftp://host/x",
    "https://host/%zz",
    "HTTPS://Host/x",
    "data:,%zz",
    "data:,a b",
    "data:;base64,@@@",
    "data:text/plain;charset=utf-8,ok",
    "s3://bucket/key?versionId=",
    "gs://bucket/key",
    "arn:aws:s3:::bucket/key",
    "tftp://host/x",
    "sha512-abc",
    "sha256-0123456789012345678901234567890123456789012345678901234567890123",
    "md5-d41d8cd98f00b204e9800998ecf8427e",
    "sha512",
    "01234567-89AB-CDEF-EDCB-A98765432101",
    "not-a-guid",
    "raid1",
    "raid7",
    "ext4",
    "ntfs",
    "gzip",
    "bzip2",
    "name.service",
    "name.conf",
    "name.exe",
    "a label that is much longer than any field for a label would take",
    "with:colon",
    "with/slash",
    "{\"json\": 1}",
];

/// Texts of unit files, most of them broken.
const UNITS: &[&str] = &[
    "[Unit",
    "[Unit]\nDescription",
    "[Unit] x\nA=b",
    "no section",
    "[Install]\nWantedBy=multi-user.target\n",
    "[Service]\nA=b\\\n c\n# comment\n",
    "[Unit]\nA\n=b",
];

/// Returns all mutants of a config, each with a word on what was done.
pub(crate) fn all(config: &Value) -> Vec<(String, String)> {
    let mut pointers = vec![];
    collect(config, String::new(), &mut pointers);
    let mut mutants = vec![];
    for pointer in &pointers {
        for (what, value) in replacements(config.pointer(pointer).unwrap()) {
            let mut mutant = config.clone();
            *mutant.pointer_mut(pointer).unwrap() = value;
            mutants.push((format!("{pointer} {what}"), mutant.to_string()));
        }
    }
    mutants
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                collect(below, format!("{pointer}/{key}"), pointers);
            }
        }
        Value::Array(items) => {
            for (n, below) in items.iter().enumerate() {
                collect(below, format!("{pointer}/{n}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}

fn replacements(value: &Value) -> Vec<(String, Value)> {
    let mut out: Vec<(String, Value)> =
        [json!(null), json!(true), json!("text"), json!(7), json!([]), json!({})]
            .into_iter()
            .filter(|other| kind(other) != kind(value) || other.is_null())
            .map(|other| (format!("is {other}"), other))
            .collect();
    match value {
        Value::String(text) => {
            let like = if text.starts_with('[') { UNITS } else { TEXTS };
            out.extend(like.iter().map(|text| (format!("is {text:?}"), json!(text))));
        }
        Value::Number(_) => {
            let numbers = ["-1", "0", "1.5", "1.0", "1e3", "511", "4096", "99999", "1e400"];
            let big = ["9223372036854775807", "9223372036854775808", "-9223372036854775809"];
            out.extend(numbers.into_iter().chain(big).filter_map(|number| {
                Some((format!("is {number}"), serde_json::from_str(number).ok()?))
            }));
        }
        Value::Bool(is) => out.push((format!("is {}", !is), json!(!is))),
        Value::Array(items) => out.extend(list(items)),
        Value::Object(map) => out.extend(object(map)),
        Value::Null => {}
    }
    out
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn list(items: &[Value]) -> Vec<(String, Value)> {
    let mut out = vec![];
    if let Some(first) = items.first() {
        out.push((
            "repeats its first item".to_owned(),
            json!([items, std::slice::from_ref(first)].concat()),
        ));
        out.push(("begins with null".to_owned(), json!([&[Value::Null], items].concat())));
        out.push(("has an empty item".to_owned(), json!([items, &[json!({})]].concat())));
    }
    out
}

fn object(map: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut out = vec![];
    let mut more = map.clone();
    more.insert("unknownKey".to_owned(), json!({"a": [1]}));
    out.push(("has an unknown key".to_owned(), Value::Object(more)));
    for key in map.keys() {
        let mut less = map.clone();
        let value = less.remove(key).unwrap();
        out.push((format!("lacks {key}"), Value::Object(less.clone())));
        less.insert(key.to_uppercase(), value);
        out.push((format!("has {key} in upper case"), Value::Object(less)));
    }
    out
}
