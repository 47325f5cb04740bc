//! The schemas, compiled once each.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, Validator};
use nestos_butane::{Lang, json_schema};
use serde_json::Value;

use crate::cases::Case;

/// What a schema finds in a config.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Keys that it does not know.
    pub(crate) unknown: Vec<String>,
    /// Everything else.
    pub(crate) others: Vec<String>,
}

impl Findings {
    /// Looks for what is wrong in a config.
    pub(crate) fn of(validator: &Validator, config: &Value) -> Self {
        let mut findings = Self::default();
        for error in validator.iter_errors(config) {
            let text = format!("{}: {error}", error.instance_path());
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { .. } => findings.unknown.push(text),
                _ => findings.others.push(text),
            }
        }
        findings
    }
}

/// Returns the schema of the dialect of a case; `None` if there is no such dialect.
pub(crate) fn of(case: &Case) -> Option<&'static Validator> {
    type Known = HashMap<(String, String), Option<&'static Validator>>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let name = |key| case.meta(key).as_str().unwrap_or_default().to_owned();
    let (variant, version) = (name("variant"), name("version"));
    let mut known = KNOWN.lock().unwrap();
    *known.entry((variant.clone(), version.clone())).or_insert_with(|| {
        let schema = json_schema(Some(&variant), Some(&version), Lang::English).ok()?;
        Some(Box::leak(Box::new(compiled(&schema))))
    })
}

/// Returns the schema of all dialects.
pub(crate) fn of_all() -> &'static Validator {
    static ALL: LazyLock<Validator> =
        LazyLock::new(|| compiled(&json_schema(None, None, Lang::English).unwrap()));
    &ALL
}

/// Compiles a schema.
pub(crate) fn compiled(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::options().with_draft(Draft::Draft7).build(&schema).unwrap()
}

#[test]
fn every_schema_is_one_in_every_language() {
    for lang in [Lang::English, Lang::Chinese] {
        let schema = json_schema(None, None, lang).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        jsonschema::draft7::meta::validate(&schema).unwrap();
    }
}

#[test]
fn a_schema_that_does_not_exist_is_refused_with_those_that_do() {
    let error = |variant, version| json_schema(variant, version, Lang::English).unwrap_err();
    let known = "there are nestos, fcos, flatcar, r4e, fiot, openshift";
    assert_eq!(error(Some("coreos"), None).to_string(), format!("no schema for coreos: {known}"));
    let of_nestos = error(Some("nestos"), Some("9.0.0")).to_string();
    assert_eq!(of_nestos, "no schema for nestos 9.0.0: there are 1.0.0");
}
