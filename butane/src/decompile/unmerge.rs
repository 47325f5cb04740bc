//! The reverse of merging: what a user must write above a fragment to get a given config.

use super::compare::same;
use crate::schema::{Dialect, Identity, ListRule};
use crate::value::{Kind, Object, Value};

/// Returns the config that, merged above `fragment`, gives `whole`; `None` if none does.
pub(super) fn unmerge(whole: &Object, fragment: &Object, dialect: &Dialect) -> Option<Object> {
    let mut above = whole.clone();
    for (field, below) in fragment.fields() {
        let value = whole.get(field.key())?;
        let left = match (&value.kind, &below.kind) {
            (Kind::Object(value), Kind::Object(below)) => {
                let left = unmerge(value, below, dialect)?;
                let some = left.fields().next().is_some();
                some.then_some(Kind::Object(left))
            }
            (Kind::List(items), Kind::List(below)) => {
                let left = match field.list {
                    ListRule::Concatenated => without_prefix(items, below, dialect)?,
                    ListRule::Keyed | ListRule::Shared(_) => unmerge_list(items, below, dialect)?,
                };
                (!left.is_empty()).then_some(Kind::List(left))
            }
            _ if same(value, below, dialect) => None,
            (kind, _) => Some(kind.clone()),
        };
        match left {
            Some(kind) => above.set(field.key(), Value { kind, ..value.clone() }),
            None => drop(above.take(field.key())),
        }
    }
    Some(above)
}

fn without_prefix(items: &[Value], below: &[Value], dialect: &Dialect) -> Option<Vec<Value>> {
    let (first, rest) = items.split_at_checked(below.len())?;
    let equal = first.iter().zip(below).all(|(one, other)| same(one, other, dialect));
    equal.then(|| rest.to_vec())
}

fn unmerge_list(items: &[Value], below: &[Value], dialect: &Dialect) -> Option<Vec<Value>> {
    let (first, rest) = items.split_at_checked(below.len())?;
    let mut left = vec![];
    for (item, below) in first.iter().zip(below) {
        if item.identity() != below.identity() {
            return None;
        }
        if let (Some(whole), Some(below)) = (item.as_object(), below.as_object()) {
            let above = unmerge(whole, below, dialect)?;
            if above.fields().next().is_some() {
                left.push(Value::new(&item.origin, identified(above, whole)));
            }
        }
    }
    left.extend(rest.iter().cloned());
    Some(left)
}

/// Adds what tells an entry from others.
fn identified(mut above: Object, whole: &Object) -> Object {
    let keys: &[&str] = match whole.shape.identity {
        Identity::None => &[],
        Identity::Field(key) => &[key],
        Identity::Partition => &["number", "label"],
    };
    for key in keys {
        if let Some(value) = whole.get(key) {
            above.set(key, value.clone());
        }
    }
    above
}
