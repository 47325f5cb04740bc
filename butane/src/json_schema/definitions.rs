//! Parts of a schema that are referred to from several places, each written once.

use serde_json::{Map, Value, json};

/// The parts by name.
#[derive(Debug, Default)]
pub(super) struct Definitions(Map<String, Value>);

impl Definitions {
    /// Adds a part, unless an equal one of the same name is there; returns the reference to it.
    pub(super) fn add(&mut self, name: &str, schema: Value) -> Value {
        let mut taken = name.to_owned();
        for n in 2.. {
            match self.0.get(&taken) {
                Some(there) if *there != schema => taken = format!("{name}{n}"),
                _ => break,
            }
        }
        let reference = json!({ "$ref": format!("#/definitions/{taken}") });
        self.0.insert(taken, schema);
        reference
    }

    /// Returns the parts as they stand in a schema.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_are_written_once() {
        let mut definitions = Definitions::default();
        let first = definitions.add("File", json!({ "a": 1 }));
        assert_ne!(definitions.add("File", json!({ "a": 2 })), first);
        assert_eq!(definitions.add("File", json!({ "a": 1 })), first);
        assert_eq!(definitions.into_value(), json!({ "File": { "a": 1 }, "File2": { "a": 2 } }));
    }
}
