//! What people should know about fields, in both languages, beside the facts that parsing needs.

use super::allows::Allows;
use crate::lang::Lang;

/// The documentation of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doc {
    /// What the field does.
    pub text: Words,
    /// What happens without it.
    pub default: Default,
    /// A piece of a config that sets it, key included.
    pub example: Option<&'static str>,
    /// Which values it takes; for a list of texts, each of them.
    pub allows: Allows,
    /// What is particular on NestOS, or does not work there.
    pub nestos: Option<Words>,
}

/// A text in every language there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    english: &'static str,
    chinese: &'static str,
}

/// What the absence of a field amounts to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    /// Nothing in particular.
    Nothing,
    /// The same as this value, written in YAML.
    Value(&'static str),
    /// Something that takes words.
    Words(Words),
}

impl Words {
    pub(super) const fn new(english: &'static str, chinese: &'static str) -> Self {
        Self { english, chinese }
    }

    /// Returns the text in a language.
    pub(crate) fn in_lang(&self, lang: Lang) -> &'static str {
        lang.pick(self.english, self.chinese)
    }
}

impl Default {
    /// Returns the default in a language, if there is one.
    pub(crate) fn in_lang(&self, lang: Lang) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Value(value) => Some(value),
            Self::Words(words) => Some(words.in_lang(lang)),
        }
    }
}

impl Doc {
    /// The documentation of a field that has none yet; a test refuses it.
    pub(in crate::schema) const MISSING: Self = doc("", "");

    pub(super) const fn default(mut self, value: &'static str) -> Self {
        self.default = Default::Value(value);
        self
    }

    pub(super) const fn default_words(
        mut self,
        english: &'static str,
        chinese: &'static str,
    ) -> Self {
        self.default = Default::Words(Words::new(english, chinese));
        self
    }

    pub(super) const fn example(mut self, yaml: &'static str) -> Self {
        self.example = Some(yaml);
        self
    }

    pub(super) const fn allows(mut self, values: Allows) -> Self {
        self.allows = values;
        self
    }

    pub(super) const fn nestos(mut self, english: &'static str, chinese: &'static str) -> Self {
        self.nestos = Some(Words::new(english, chinese));
        self
    }
}

/// Starts the documentation of a field.
pub(super) const fn doc(english: &'static str, chinese: &'static str) -> Doc {
    Doc {
        text: Words::new(english, chinese),
        default: Default::Nothing,
        example: None,
        allows: Allows::Anything,
        nestos: None,
    }
}

#[cfg(test)]
mod tests {
    use nestos_formats::yaml;

    use super::*;
    use crate::decode;
    use crate::schema::{CONFIG, DIALECTS, Dialect, Field, Shape, Type};

    /// Calls `check` with each field of each version.
    fn each_field(check: &mut impl FnMut(&'static Dialect, &'static Shape, &'static Field)) {
        for dialect in DIALECTS {
            let mut shapes = vec![&CONFIG];
            while let Some(shape) = shapes.pop() {
                for field in shape.fields.iter().filter(|field| dialect.has(field)) {
                    check(dialect, shape, field);
                    match field.kind_in(dialect) {
                        Type::Object(below) | Type::Objects(below, _) => shapes.push(below),
                        _ => {}
                    }
                }
            }
        }
    }

    #[test]
    fn every_field_is_documented_in_both_languages() {
        each_field(&mut |_, shape, field| {
            let (doc, name) = (&field.doc, format!("{}.{}", shape.name, field.key()));
            let mut texts = vec![doc.text];
            texts.extend(doc.nestos);
            if let Default::Words(words) = doc.default {
                texts.push(words);
            }
            for text in texts {
                assert!(!text.english.is_empty() && !text.chinese.is_empty(), "{name}");
                assert!(text.english.is_ascii(), "{name}: {}", text.english);
            }
            assert!(doc.text.english.ends_with('.') && doc.text.chinese.ends_with('。'), "{name}");
            assert!(!doc.text.chinese.is_ascii(), "{name}");
        });
    }

    #[test]
    fn every_example_sets_its_field_and_nothing_unknown() {
        each_field(&mut |_, shape, field| {
            let Some(example) = field.doc.example else { return };
            let dialect = DIALECTS.iter().rfind(|d| d.has(field)).unwrap();
            let root = yaml::parse(example.as_bytes()).unwrap();
            assert_eq!(root.entries().unwrap().len(), 1, "{example}");
            let object = decode::config(&root, shape, dialect).unwrap();
            assert!(object.get(field.key()).is_some(), "{example}");
            let unknown = decode::unused::report(&root, &object, shape, dialect);
            assert_eq!(unknown.entries, [], "{example}");
        });
    }
}
