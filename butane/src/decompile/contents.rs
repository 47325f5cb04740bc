//! Data URLs become the text that is in them, where compiling makes the same URL again.

use std::collections::HashSet;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::{Encoding, json_layout};
use crate::data_url;
use crate::path::Path;
use crate::schema::{Dialect, Feature};
use crate::value::{Kind, Object, Value};

/// How much all compressed contents of a config may hold; contents beyond stay compressed.
const MOST_UNPACKED: u64 = 16 << 20;

/// A longer text is no easier to read than a data URL, and longer.
const LONGEST_TEXT: usize = 1 << 20;

/// Above this share of characters that need escapes (one in so many), a text is not readable.
const ESCAPES_ONE_IN: usize = 8;

/// What is known about the resources of a config.
#[derive(Debug, Default)]
pub(super) struct Inlining {
    /// Sources that compiling would write in another way.
    pub(super) verbatim: HashSet<String>,
    /// Whether embedded Ignition configs stay as they are.
    pub(super) keep_configs: bool,
    /// Whether all sources stay as they are.
    pub(super) keep_all: bool,
    /// Whether contents must be encoded the same afterwards.
    pub(super) encoding: Encoding,
}

/// Sets `inline` in the resources below `object` where their source is a text.
pub(super) fn inline(object: &mut Object, dialect: &Dialect, inlining: &Inlining) {
    let mut budget = MOST_UNPACKED;
    if !inlining.keep_all {
        walk(object, Owner::Other, &mut Inliner { dialect, inlining, budget: &mut budget });
    }
}

/// Returns how many sources would be texts if they might be encoded in another way.
pub(super) fn hidden_texts(object: &Object, dialect: &Dialect) -> usize {
    let sources = |object: &Object| {
        let mut found = 0;
        count_sources(object, &mut found);
        found
    };
    let mut shown = object.clone();
    inline(&mut shown, dialect, &Inlining { encoding: Encoding::Any, ..Inlining::default() });
    sources(object).saturating_sub(sources(&shown))
}

fn count_sources(object: &Object, found: &mut usize) {
    *found += usize::from(is_resource(object) && object.get("source").is_some());
    for (_, value) in object.fields() {
        match &value.kind {
            Kind::Object(below) => count_sources(below, found),
            Kind::List(items) => {
                items
                    .iter()
                    .filter_map(Value::as_object)
                    .for_each(|below| count_sources(below, found));
            }
            _ => {}
        }
    }
}

/// Whose resource it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The list of configs to merge, or the config to replace with.
    Configs,
    /// Anything else.
    Other,
}

impl Owner {
    /// Returns the owner of the resources directly in `object`.
    pub(super) fn of(object: &Object) -> Self {
        if object.shape.name == "IgnitionConfig" { Self::Configs } else { Self::Other }
    }
}

/// Returns whether an object says where contents are.
pub(super) fn is_resource(object: &Object) -> bool {
    object.shape.position("source").is_some()
}

/// Returns whether the bytes of a resource are verified.
pub(super) fn is_hashed(resource: &Object) -> bool {
    resource.object("verification").is_some_and(|verification| verification.get("hash").is_some())
}

/// Returns the bytes that a resource holds, decompressed; `None` if it names another place, or if
/// they are more than the budget allows.
pub(super) fn decode(resource: &Object, budget: &mut u64) -> Option<Vec<u8>> {
    let bytes = data_url::decode(resource.text("source")?)?;
    if resource.filled("compression") != Some("gzip") {
        return Some(bytes);
    }
    let mut unpacked = vec![];
    let read = MultiGzDecoder::new(bytes.as_slice()).take(*budget + 1).read_to_end(&mut unpacked);
    let size = u64::try_from(read.ok()?).ok()?;
    *budget = budget.checked_sub(size)?;
    Some(unpacked)
}

struct Inliner<'i> {
    dialect: &'i Dialect,
    inlining: &'i Inlining,
    budget: &'i mut u64,
}

fn walk(object: &mut Object, owner: Owner, inliner: &mut Inliner<'_>) {
    if is_resource(object) {
        inliner.resource(object, owner);
        return;
    }
    let owner = Owner::of(object);
    for (_, value) in object.fields_mut() {
        match &mut value.kind {
            Kind::Object(below) => walk(below, owner, inliner),
            Kind::List(items) => {
                for item in items {
                    if let Kind::Object(below) = &mut item.kind {
                        walk(below, owner, inliner);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Inliner<'_> {
    fn resource(&mut self, resource: &mut Object, owner: Owner) {
        let field = resource.shape.position("inline").map(|at| &resource.shape.fields[at]);
        let can = field.is_some_and(|field| self.dialect.has(field))
            && !(owner == Owner::Configs && self.inlining.keep_configs);
        let source = resource.text("source").unwrap_or_default();
        if !can || self.inlining.verbatim.contains(source) {
            return;
        }
        let Some((text, compression)) = self.text(resource) else { return };
        let text = match owner {
            Owner::Configs if !is_hashed(resource) => json_layout::readable(&text),
            _ => text,
        };
        resource.take("source");
        if compression == Given::ByCompiler {
            resource.take("compression");
        }
        resource.set("inline", Value::new(&Path::default(), text));
    }

    /// Returns the text that compiles to a resource, and whose choice its compression then is.
    fn text(&mut self, resource: &Object) -> Option<(String, Given)> {
        let chosen = self.dialect.does(Feature::ShortestContents);
        let any = self.inlining.encoding == Encoding::Any;
        match resource.text("compression") {
            // The compiler always says how it compressed.
            None if chosen && !any => None,
            Some("") if !chosen && !any => None,
            Some("gzip") if chosen || any => {
                let unpacked = decode(resource, self.budget).and_then(readable);
                let declared = || {
                    Some((readable(data_url::decode(resource.text("source")?)?)?, Given::ByUser))
                };
                unpacked.map(|text| (text, Given::ByCompiler)).or_else(declared)
            }
            None | Some("") => Some((readable(decode(resource, self.budget)?)?, Given::ByCompiler)),
            Some(_) => {
                Some((readable(data_url::decode(resource.text("source")?)?)?, Given::ByUser))
            }
        }
    }
}

/// Where the compression of a resource comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    ByUser,
    ByCompiler,
}

/// Returns bytes as text that a person can read.
fn readable(bytes: Vec<u8>) -> Option<String> {
    if bytes.len() > LONGEST_TEXT {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    let odd = text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')).count();
    (odd * ESCAPES_ONE_IN <= text.len() && !text.contains('\0')).then_some(text)
}
