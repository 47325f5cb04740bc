//! Merges a fragment that sugar stands for with the config the user wrote. The user wins.

use std::collections::{HashMap, HashSet};

use crate::schema::{Field, ListRule};
use crate::value::{Kind, Object, Value};

/// Merges two mappings of one shape: what `child` sets replaces what `parent` has.
pub(crate) fn merge(parent: Object, mut child: Object) -> Object {
    let hidden = hidden_by_siblings(&parent, &child);
    let mut merged = parent;
    merged.fields_mut().for_each(|(field, value)| {
        if let (Kind::List(items), Some(hidden)) = (&mut value.kind, hidden.get(field.key())) {
            items.retain(|item| !hidden.contains(&item.identity()));
        }
    });
    let keys: Vec<_> = child.fields().map(|(field, _)| field).collect();
    for field in keys {
        let Some(above) = child.take(field.key()) else { continue };
        let value = match merged.take(field.key()) {
            Some(below) => merge_values(field, below, above),
            None => above,
        };
        merged.set(field.key(), value);
    }
    merged
}

fn merge_values(field: &Field, below: Value, above: Value) -> Value {
    let kind = match (below.kind, above.kind) {
        (Kind::Object(below), Kind::Object(above)) => Kind::Object(merge(below, above)),
        (Kind::List(below), Kind::List(above)) => Kind::List(match field.list {
            ListRule::Concatenated => below.into_iter().chain(above).collect(),
            ListRule::Keyed | ListRule::Shared(_) => merge_lists(below, above),
        }),
        (_, above) => above,
    };
    Value { origin: above.origin, kind }
}

/// Merges entries of the same identity in the place of the lower one; the others follow.
fn merge_lists(below: Vec<Value>, above: Vec<Value>) -> Vec<Value> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merged: Vec<Value> = vec![];
    for value in below {
        places.entry(value.identity()).or_insert(merged.len());
        merged.push(value);
    }
    let from_below = merged.len();
    let mut taken = HashSet::new();
    for value in above {
        let place = places.get(&value.identity()).copied().filter(|p| *p < from_below);
        match place.filter(|place| taken.insert(*place)) {
            Some(place) => {
                let slot = &mut merged[place];
                let below = std::mem::replace(&mut slot.kind, Kind::Bool(false));
                slot.kind = match (below, value.kind) {
                    (Kind::Object(below), Kind::Object(above)) => Kind::Object(merge(below, above)),
                    (_, above) => above,
                };
                slot.origin = value.origin;
            }
            None => merged.push(value),
        }
    }
    merged
}

/// Returns, for each list of `parent`, the identities that a sibling list of `child` redefines: a
/// link of the user takes the place of a generated file of that path.
fn hidden_by_siblings(parent: &Object, child: &Object) -> HashMap<&'static str, HashSet<String>> {
    let mut hidden: HashMap<&'static str, HashSet<String>> = HashMap::new();
    for (field, _) in parent.fields() {
        let ListRule::Shared(space) = field.list else { continue };
        for (sibling, value) in child.fields() {
            if sibling.list == ListRule::Shared(space) && sibling.key() != field.key() {
                let Kind::List(items) = &value.kind else { continue };
                hidden.entry(field.key()).or_default().extend(items.iter().map(Value::identity));
            }
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Spacing};
    use crate::path::Path;
    use crate::schema::{Dialect, FILE, LINK, STORAGE, SYSTEMD, UNIT};

    fn print(object: &Object) -> String {
        json::print(object, &Dialect::of_ignition(3), Spacing::Compact)
    }

    fn unit(name: &str, contents: &str) -> Value {
        let at = Path::default();
        Value::new(&at, Object::new(&UNIT).with("name", &at, name).with("contents", &at, contents))
    }

    #[test]
    fn same_names_merge_in_place_and_new_ones_follow() {
        let at = Path::default();
        let units = |units| Object::new(&SYSTEMD).with("units", &at, units);
        let parent = units(vec![unit("a", "1"), unit("b", "2")]);
        let child = units(vec![unit("c", "3"), unit("b", "4")]);
        assert_eq!(
            print(&merge(parent, child)),
            r#"{"units":[{"contents":"1","name":"a"},{"contents":"4","name":"b"},{"contents":"3","name":"c"}]}"#
        );
    }

    #[test]
    fn a_link_of_the_user_replaces_a_generated_file() {
        let at = Path::default();
        let node = |shape| vec![Value::new(&at, Object::new(shape).with("path", &at, "/a"))];
        let parent = Object::new(&STORAGE).with("files", &at, node(&FILE));
        let child = Object::new(&STORAGE).with("links", &at, node(&LINK));
        assert_eq!(print(&merge(parent, child)), r#"{"links":[{"path":"/a"}]}"#);
    }
}
