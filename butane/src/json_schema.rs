//! JSON Schemas of the language, for editors: made from the table that drives parsing.
//!
//! They are of [draft 7](https://json-schema.org/draft-07/json-schema-release-notes), the newest
//! that every YAML editor knows: yaml-language-server has checked later ones for a short while only,
//! and VS Code's JSON support checks parts of them. Messages for people (`errorMessage`) and
//! Markdown (`markdownDescription`) are extensions of both, which other validators pass over.
//!
//! What the compiler accepts, the schemas accept, unknown keys excepted: the compiler warns of
//! them, an editor should mark them. So `null` is fine wherever a key may be absent, and numbers
//! and booleans are texts where texts are wanted. As editors read YAML 1.2, where `0644` is 644,
//! both readings of a mode must pass.

use std::fmt;

use serde_json::{Value, json};

use crate::lang::Lang;
use crate::schema::{CONFIG, DIALECTS, Dialect, Field, Shape, Type};

use definitions::Definitions;

mod boot_device;
mod conditions;
mod definitions;
mod merged;
mod rules;
mod values;
mod variants;

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// Says that there is no such variant, or that it has no such version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSchema {
    variant: Option<String>,
    version: Option<String>,
    lang: Lang,
}

/// Returns the JSON Schema of a variant and version, with descriptions in a language. Without one
/// or both of them, the schema picks what fits by the keys `variant` and `version` of the config.
pub fn json_schema(
    variant: Option<&str>,
    version: Option<&str>,
    lang: Lang,
) -> Result<String, NoSchema> {
    let wanted = |dialect: &&Dialect| {
        variant.is_none_or(|variant| dialect.variant == variant)
            && version.is_none_or(|version| dialect.version == version)
    };
    let dialects: Vec<&'static Dialect> = DIALECTS.iter().filter(wanted).collect();
    if dialects.is_empty() {
        let (variant, version) = (variant.map(str::to_owned), version.map(str::to_owned));
        return Err(NoSchema { variant, version, lang });
    }
    let mut definitions = Definitions::default();
    let mut schema = match dialects.as_slice() {
        [dialect] => {
            let fields = Fields::InPlace;
            Writer { dialect, lang, fields, definitions: &mut definitions }.config()
        }
        _ => choice(&dialects, lang, &mut definitions),
    };
    schema["$schema"] = json!(DRAFT);
    schema["definitions"] = definitions.into_value();
    Ok(format!("{schema:#}"))
}

/// Returns a schema that follows the keys `variant` and `version`.
fn choice(dialects: &[&'static Dialect], lang: Lang, definitions: &mut Definitions) -> Value {
    let mut variants: Vec<&str> = dialects.iter().map(|d| d.variant).collect();
    variants.dedup();
    let mut branches = vec![];
    for variant in &variants {
        let own = dialects.iter().filter(|d| d.variant == *variant);
        let versions: Vec<&str> = own.map(|d| d.version).collect();
        branches.push(json!({
            "if": { "properties": { "variant": { "const": variant } }, "required": ["variant"] },
            "then": { "properties": { "version": values::versions(&versions) } },
        }));
    }
    for dialect in dialects {
        let schema = Writer { dialect, lang, fields: Fields::Shared, definitions }.config();
        let reference = definitions.add("Config", schema);
        branches.push(json!({
            "if": {
                "properties": {
                    "variant": { "const": dialect.variant },
                    "version": values::versions(&[dialect.version]),
                },
                "required": ["variant", "version"],
            },
            "then": reference,
        }));
    }
    json!({
        "title": "Butane",
        "type": "object",
        "required": ["variant", "version"],
        "properties": { "variant": { "enum": variants }, "version": { "type": "string" } },
        "allOf": branches,
    })
}

/// Where the schemas of fields, and rules of configs as a whole, are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// In the mapping, so that a person can read them in one place.
    InPlace,
    /// Among the definitions, as most versions have the same.
    Shared,
}

/// Writes the schema of one dialect.
struct Writer<'d> {
    dialect: &'static Dialect,
    lang: Lang,
    fields: Fields,
    definitions: &'d mut Definitions,
}

impl Writer<'_> {
    fn config(&mut self) -> Value {
        let Dialect { variant, version, .. } = self.dialect;
        let mut schema = self.shape(&CONFIG);
        schema["title"] = json!(format!("Butane: {variant} {version}"));
        // A config that is nothing has no variant.
        schema["type"] = json!("object");
        let header = json!({
            "variant": { "const": variant },
            "version": values::versions(&[version]),
        });
        let required = ["variant", "version", "metadata"].into_iter();
        let required = required.filter(|key| *key != "metadata" || *variant == "openshift");
        schema["required"] = required.collect();
        let mut rules = vec![json!({ "properties": header })];
        rules.extend(merged::rules(self.dialect, self.lang));
        rules.extend(variants::rules(self.dialect, self.definitions));
        if self.fields == Fields::Shared {
            let shared = rules.into_iter().map(|rule| self.definitions.add("rule", rule));
            rules = shared.collect();
        }
        schema["allOf"] = rules.into();
        schema
    }

    /// Returns the schema of a mapping.
    fn shape(&mut self, shape: &'static Shape) -> Value {
        let mut properties = serde_json::Map::new();
        let mut required = vec![];
        for field in shape.fields.iter().filter(|field| self.dialect.has(field)) {
            let Some(key) = field.yaml.filter(|key| !key.is_empty()) else { continue };
            let mut value = self.field(shape, field);
            self.document(&mut value, field);
            if self.fields == Fields::Shared {
                value = self.definitions.add(&format!("{}.{key}", shape.name), value);
            }
            properties.insert(key.to_owned(), value);
            if values::is_required(field, self.dialect) {
                required.push(key);
            }
        }
        let mut schema = json!({
            "type": ["object", "null"],
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let rules = rules::of(shape, self.dialect, self.lang);
        if !rules.is_empty() {
            schema["allOf"] = rules.into();
        }
        schema
    }

    fn field(&mut self, shape: &'static Shape, field: &'static Field) -> Value {
        match field.kind_in(self.dialect) {
            // Alone, so that other keywords may stand beside it: draft 7 ignores the neighbours
            // of a reference.
            Type::Object(below) => json!({ "allOf": [self.reference(below)] }),
            Type::Objects(below, _) => {
                let mut item = self.reference(below);
                if rules::loosens_dropins(shape, below) {
                    item = self.any_dropin(below);
                }
                json!({ "type": ["array", "null"], "items": item })
            }
            Type::Texts(_) => {
                let item =
                    values::text(&field.doc.allows, self.dialect, self.lang, values::OPTIONAL);
                json!({ "type": ["array", "null"], "items": item })
            }
            Type::Labels => {
                json!({ "type": ["object", "null"], "additionalProperties": values::any_text() })
            }
            Type::Text | Type::Int | Type::Bool => values::scalar(field, self.dialect, self.lang),
        }
    }

    fn reference(&mut self, shape: &'static Shape) -> Value {
        let schema = self.shape(shape);
        self.definitions.add(shape.name, schema)
    }

    /// Returns the schema of drop-ins whose names may have any ending.
    fn any_dropin(&mut self, shape: &'static Shape) -> Value {
        let mut schema = self.shape(shape);
        schema["properties"]["name"] = json!({ "type": "string" });
        self.definitions.add(shape.name, schema)
    }

    /// Adds what a person wants to know.
    fn document(&self, schema: &mut Value, field: &Field) {
        let (doc, lang) = (&field.doc, self.lang);
        let text = doc.text.in_lang(lang);
        let mut plain = text.to_owned();
        let mut markdown = text.to_owned();
        let mut remark = |name: &str, text: &str| {
            let colon = lang.pick(": ", "：");
            plain.push_str(&format!("\n\n{name}{colon}{text}"));
            markdown.push_str(&format!("\n\n**{name}**{colon}{text}"));
        };
        if let Some(default) = doc.default.in_lang(lang) {
            remark(lang.pick("Default", "默认值"), default);
        }
        if let Some(words) = doc.nestos.filter(|_| self.dialect.variant == "nestos") {
            remark("NestOS", words.in_lang(lang));
        }
        if let Some(example) = doc.example {
            markdown.push_str(&format!("\n\n```yaml\n{example}\n```"));
        }
        schema["description"] = json!(plain);
        schema["markdownDescription"] = json!(markdown);
        let kind = field.kind_in(self.dialect);
        if let Some(value) = values::default(&doc.default, kind) {
            schema["default"] = value;
        }
        if let Some(value) = values::example(field, kind) {
            schema["examples"] = json!([value]);
        }
    }
}

impl fmt::Display for NoSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = [&self.variant, &self.version].into_iter().flatten();
        let given = given.map(String::as_str).collect::<Vec<_>>().join(" ");
        let of_variant = DIALECTS.iter().filter(|d| self.variant.as_deref() == Some(d.variant));
        let mut known: Vec<&str> = of_variant.map(|d| d.version).collect();
        if known.is_empty() {
            known = DIALECTS.iter().map(|d| d.variant).collect();
            known.dedup();
        }
        let known = known.join(self.lang.pick(", ", "、"));
        match self.lang {
            Lang::English => write!(f, "no schema for {given}: there are {known}"),
            Lang::Chinese => write!(f, "没有 {given} 的模式：可用的有 {known}"),
        }
    }
}

impl std::error::Error for NoSchema {}
