//! Explains keys of configs from the table that drives parsing: what a key does, since when it
//! exists, and what Ignition calls it.

use std::fmt;

use crate::lang::Lang;
use crate::schema::{DIALECTS, Dialect, Field, Type, ignition_version};
use crate::suggest::closest;

use lookup::{Found, Steps};
use paragraph::Paragraphs;

mod lookup;
mod paragraph;

/// The newest Ignition spec, `3.N.0`, that the images of NestOS read.
const IGNITION_OF_NESTOS: u8 = 3;

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplainError {
    /// There is no such variant, or it has no such version.
    UnknownDialect {
        /// The variant that was asked for.
        variant: String,
        /// The version that was asked for.
        version: String,
        /// The versions of the variant; if there are none, the variants.
        known: Vec<&'static str>,
        /// The language to say it in.
        lang: Lang,
    },
    /// No version of any variant has the key.
    UnknownKey {
        /// The path up to the first key that does not exist.
        path: String,
        /// Paths that may have been meant.
        suggestions: Vec<String>,
        /// The language to say it in.
        lang: Lang,
    },
}

/// Explains the key at `path` of a variant and version, such as `storage.files.mode`; list indexes,
/// `$` and the spelling of Ignition are understood. An empty path lists the outermost keys.
pub fn explain(
    path: &str,
    variant: &str,
    version: &str,
    lang: Lang,
) -> Result<String, ExplainError> {
    let dialect = find_dialect(variant, version, lang)?;
    let steps = Steps::parse(path);
    let explainer = Explainer { steps: &steps, dialect, lang };
    if steps.is_empty() {
        return Ok(explainer.outermost());
    }
    if let Some(found) = lookup::find(&steps, dialect) {
        return Ok(explainer.key(&found));
    }
    // Where the variant itself has it, that is nearer than what others call the same.
    let own = DIALECTS.iter().filter(|d| d.variant == variant);
    let elsewhere = own.chain(DIALECTS).find_map(|d| Some((d, lookup::find(&steps, d)?)));
    match elsewhere {
        Some((other, found)) => {
            let explainer = Explainer { dialect: other, ..explainer };
            Ok(explainer.lacking(&found, dialect))
        }
        None => Err(unknown_key(&steps, dialect, lang)),
    }
}

/// Finds a dialect, or says which there are.
pub(crate) fn find_dialect(
    variant: &str,
    version: &str,
    lang: Lang,
) -> Result<&'static Dialect, ExplainError> {
    Dialect::find(variant, version).ok_or_else(|| {
        let versions = DIALECTS.iter().filter(|d| d.variant == variant).map(|d| d.version);
        let mut known: Vec<&str> = versions.collect();
        if known.is_empty() {
            known = DIALECTS.iter().map(|d| d.variant).collect();
            known.dedup();
        }
        let (variant, version) = (variant.to_owned(), version.to_owned());
        ExplainError::UnknownDialect { variant, version, known, lang }
    })
}

fn unknown_key(steps: &Steps, dialect: &'static Dialect, lang: Lang) -> ExplainError {
    let (good, wrong) = lookup::split_at_unknown(steps, dialect);
    let siblings = lookup::keys_below(&good, dialect);
    let mut suggestions: Vec<String> =
        closest(&wrong, siblings).map(|key| good.join(key)).into_iter().collect();
    if suggestions.is_empty() {
        suggestions = lookup::paths_to(&wrong, dialect);
    }
    ExplainError::UnknownKey { path: good.join(&wrong), suggestions, lang }
}

/// What one answer is made from.
#[derive(Clone, Copy)]
struct Explainer<'s> {
    steps: &'s Steps,
    dialect: &'static Dialect,
    lang: Lang,
}

impl Explainer<'_> {
    fn outermost(&self) -> String {
        let Dialect { variant, version, .. } = self.dialect;
        let spec = self.dialect.ignition_version();
        let mut out = Paragraphs::default();
        out.line(&match self.lang {
            Lang::English => format!("{variant} {version}, compiled to Ignition {spec}"),
            Lang::Chinese => format!("{variant} {version}，编译为 Ignition {spec}"),
        });
        self.children(&mut out, &lookup::outermost(self.dialect));
        out.finish()
    }

    fn key(&self, found: &Found) -> String {
        let mut out = Paragraphs::default();
        self.heading(&mut out, found);
        self.body(&mut out, found);
        out.finish()
    }

    /// Explains a key that the version lacks which was asked for, as others have it.
    fn lacking(&self, found: &Found, asked: &Dialect) -> String {
        let mut out = Paragraphs::default();
        out.line(&format!("{}: {}", found.path(), self.type_name(found)));
        let (variant, version) = (asked.variant, asked.version);
        let since = lookup::since(self.steps).join(self.lang.pick(", ", "、"));
        out.paragraph(&match self.lang {
            Lang::English => {
                format!("{variant} {version} does not have this key. It exists since {since}.")
            }
            Lang::Chinese => format!("{variant} {version} 没有这个键。它始于 {since}。"),
        });
        self.body(&mut out, found);
        out.finish()
    }

    fn heading(&self, out: &mut Paragraphs, found: &Found) {
        let first = lookup::first_version(self.steps, self.dialect.variant);
        let (kind, variant) = (self.type_name(found), self.dialect.variant);
        let first = first.unwrap_or(self.dialect.version);
        out.line(&match self.lang {
            Lang::English => format!("{}: {kind}, since {variant} {first}", found.path()),
            Lang::Chinese => format!("{}：{kind}，自 {variant} {first} 起", found.path()),
        });
    }

    fn body(&self, out: &mut Paragraphs, found: &Found) {
        let (doc, lang) = (&found.field.doc, self.lang);
        out.paragraph(doc.text.in_lang(lang));
        if let Some(default) = doc.default.in_lang(lang) {
            out.item(lang.pick("Default", "默认值"), default);
        }
        let allowed = match found.field.kind_in(self.dialect) {
            Type::Bool => Some("true, false".to_owned()),
            _ => doc.allows.in_words(self.dialect, lang),
        };
        if let Some(allowed) = allowed {
            out.item(lang.pick("Allowed", "取值"), &allowed);
        }
        out.item("Ignition", &self.ignition_name(found));
        let remarks = self.remarks_on_nestos(found.field);
        if !remarks.is_empty() {
            out.item("NestOS", &remarks.join(lang.pick(" ", "")));
        }
        if let Some(example) = doc.example {
            out.example(lang.pick("Example", "示例"), example);
        }
        self.children(out, &found.children(self.dialect));
    }

    fn ignition_name(&self, found: &Found) -> String {
        match (found.ignition_path(), found.field.yaml) {
            (Some(path), Some(_)) => path,
            (Some(path), None) => match self.lang {
                Lang::English => format!("{path}, which only butane writes"),
                Lang::Chinese => format!("{path}，仅由 butane 写入"),
            },
            (None, _) => self
                .lang
                .pick("no key of its own; butane acts on it", "没有对应的键；由 butane 处理")
                .to_owned(),
        }
    }

    /// Returns what is particular on NestOS, first of all whether it can use the key at all.
    fn remarks_on_nestos(&self, field: &Field) -> Vec<String> {
        let mut remarks = vec![];
        let having = DIALECTS.iter().filter(|d| lookup::find(self.steps, d).is_some());
        let specs = having.map(|d| d.ignition);
        if let Some(spec) = specs.min().filter(|spec| *spec > IGNITION_OF_NESTOS) {
            let (needed, there) = (ignition_version(spec), ignition_version(IGNITION_OF_NESTOS));
            remarks.push(match self.lang {
                Lang::English => format!(
                    "Not for NestOS: configs with this key are compiled to Ignition {needed} or \
                     newer, and NestOS images read {there} at most."
                ),
                Lang::Chinese => format!(
                    "不适用于 NestOS：带有此键的配置会编译为 Ignition {needed} 或更新版本，\
                     而 NestOS 镜像最高只能读取 {there}。"
                ),
            });
        }
        remarks.extend(field.doc.nestos.map(|words| words.in_lang(self.lang).to_owned()));
        remarks
    }

    fn children(&self, out: &mut Paragraphs, children: &[&'static Field]) {
        let rows = children.iter().map(|field| {
            let kind = self.type_word(field.kind_in(self.dialect));
            [field.yaml.unwrap_or_default(), kind, first_sentence(field, self.lang)]
        });
        out.table(self.lang.pick("Keys", "键"), &rows.collect::<Vec<_>>());
    }

    fn type_name(&self, found: &Found) -> &'static str {
        self.type_word(found.field.kind_in(self.dialect))
    }

    fn type_word(&self, kind: Type) -> &'static str {
        match kind {
            Type::Text => self.lang.pick("text", "文本"),
            Type::Int => self.lang.pick("integer", "整数"),
            Type::Bool => self.lang.pick("boolean", "布尔值"),
            Type::Object(_) => self.lang.pick("mapping", "映射"),
            Type::Texts(_) => self.lang.pick("list of text", "文本列表"),
            Type::Objects(..) => self.lang.pick("list of mappings", "映射列表"),
            Type::Labels => self.lang.pick("mapping of text to text", "文本到文本的映射"),
        }
    }
}

/// Returns the documentation of a field up to the end of its first sentence.
fn first_sentence(field: &Field, lang: Lang) -> &'static str {
    let text = field.doc.text.in_lang(lang);
    let end = match lang {
        Lang::English => text.find(". "),
        Lang::Chinese => text.find('。'),
    };
    end.map_or(text, |end| &text[..end]).trim_end_matches('.')
}

impl fmt::Display for ExplainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownDialect { variant, version, known, lang } => {
                let of_variant = DIALECTS.iter().any(|d| d.variant == variant);
                let known = known.join(lang.pick(", ", "、"));
                match (lang, of_variant) {
                    (Lang::English, true) => {
                        write!(f, "variant {variant} has no version {version}: it has {known}")
                    }
                    (Lang::English, false) => {
                        write!(f, "unknown variant {variant}: there are {known}")
                    }
                    (Lang::Chinese, true) => {
                        write!(f, "变体 {variant} 没有版本 {version}：可用版本为 {known}")
                    }
                    (Lang::Chinese, false) => write!(f, "未知变体 {variant}：可用变体为 {known}"),
                }
            }
            Self::UnknownKey { path, suggestions, lang } => {
                write!(f, "{} {path}", lang.pick("no variant has a key", "任何变体都没有键"))?;
                if suggestions.is_empty() {
                    return Ok(());
                }
                let suggestions = suggestions.join(lang.pick(" or ", " 或 "));
                match lang {
                    Lang::English => write!(f, ": did you mean {suggestions}?"),
                    Lang::Chinese => write!(f, "：是否指 {suggestions}？"),
                }
            }
        }
    }
}

impl std::error::Error for ExplainError {}

#[cfg(test)]
mod tests;
