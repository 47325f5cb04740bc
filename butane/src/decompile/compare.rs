//! Whether two Ignition configs mean the same: compressed contents are compared unpacked, embedded
//! configs without the white space of their JSON.

use super::contents::{Owner, decode, is_hashed, is_resource};
use super::tree::says_nothing;
use super::{Encoding, json_layout};
use crate::path::Path;
use crate::schema::Dialect;
use crate::value::{Kind, Object, Value};

/// How much may be unpacked to compare two resources.
const MOST_UNPACKED: u64 = 16 << 20;

/// What two values are compared by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'d> {
    /// What absent values mean.
    pub(super) dialect: &'d Dialect,
    /// Whether contents must be encoded the same.
    pub(super) encoding: Encoding,
}

/// Where two configs differ.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// The place in the Ignition config.
    pub(super) path: Path,
    /// The source that the wanted config has there, if it is a resource.
    pub(super) source: Option<String>,
}

/// Returns where a config differs from the wanted one.
pub(super) fn differences(wanted: &Object, found: &Object, terms: &Terms<'_>) -> Vec<Difference> {
    let mut compare = Compare { terms, found: vec![] };
    compare.objects(wanted, found, Owner::Other, &Path::default());
    compare.found
}

/// Returns whether two values mean the same.
pub(super) fn same(one: &Value, other: &Value, dialect: &Dialect) -> bool {
    let terms = &Terms { dialect, encoding: Encoding::Same };
    let mut compare = Compare { terms, found: vec![] };
    compare.values(&one.kind, &other.kind, Owner::Other, &Path::default());
    compare.found.is_empty()
}

struct Compare<'d> {
    terms: &'d Terms<'d>,
    found: Vec<Difference>,
}

impl Compare<'_> {
    fn objects(&mut self, one: &Object, other: &Object, owner: Owner, at: &Path) {
        let resource = is_resource(one);
        if resource && !self.same_source(one, other, owner) {
            let source = one.text("source").map(str::to_owned);
            self.found.push(Difference { path: at.clone(), source });
        }
        let owner = Owner::of(one);
        let compared = |key| !(resource && ["source", "compression"].contains(&key));
        for field in one.shape.fields.iter().filter(|field| compared(field.key())) {
            let said = |object: &Object| {
                let value = object.get(field.key()).cloned();
                value.filter(|value| !says_nothing(field, value, self.terms.dialect))
            };
            let at = at.key(field.key());
            match (said(one), said(other)) {
                (None, None) => {}
                (Some(one), Some(other)) => self.values(&one.kind, &other.kind, owner, &at),
                _ => self.differ(&at),
            }
        }
    }

    fn values(&mut self, one: &Kind, other: &Kind, owner: Owner, at: &Path) {
        let equal = match (one, other) {
            (Kind::Object(one), Kind::Object(other)) => return self.objects(one, other, owner, at),
            (Kind::List(ones), Kind::List(others)) if ones.len() == others.len() => {
                for (n, (one, other)) in ones.iter().zip(others).enumerate() {
                    self.values(&one.kind, &other.kind, owner, &at.index(n));
                }
                true
            }
            (Kind::Text(one), Kind::Text(other)) => one == other,
            (Kind::Int(one), Kind::Int(other)) => one == other,
            (Kind::Bool(one), Kind::Bool(other)) => one == other,
            _ => false,
        };
        if !equal {
            self.differ(at);
        }
    }

    fn differ(&mut self, at: &Path) {
        self.found.push(Difference { path: at.clone(), source: None });
    }

    fn same_source(&self, one: &Object, other: &Object, owner: Owner) -> bool {
        let encoded = |object: &Object| {
            ["source", "compression"].map(|key| object.text(key).map(str::to_owned))
        };
        if encoded(one) == encoded(other) {
            return true;
        }
        let unpack = |object: &Object| decode(object, &mut MOST_UNPACKED.clone());
        let (Some(first), Some(second)) = (unpack(one), unpack(other)) else { return false };
        let zipped = |object: &Object| object.text("compression") == Some("gzip");
        let says = |object: &Object| object.get("compression").is_some();
        let any = self.terms.encoding == Encoding::Any;
        match owner {
            Owner::Configs if !is_hashed(one) => {
                let compact =
                    |bytes| String::from_utf8(bytes).ok().map(|t| json_layout::compact(&t));
                (any || says(one) == says(other)) && compact(first) == compact(second)
            }
            _ => (any || zipped(one) && zipped(other)) && first == second,
        }
    }
}
