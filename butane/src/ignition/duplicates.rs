//! List entries that have the same identity, where merging would have to guess which one counts.

use std::collections::{HashMap, HashSet};

use super::rules::Place;
use crate::report::Report;
use crate::schema::ListRule;
use crate::value::{Kind, Object};

/// Reports the later of two entries with one identity, level by level.
pub(super) fn check(object: &Object, place: &Place<'_>, report: &mut Report) {
    let mut seen: HashMap<&str, HashSet<String>> = HashMap::new();
    for (field, value) in object.fields() {
        let Kind::List(items) = &value.kind else { continue };
        let space = match field.list {
            ListRule::Concatenated => continue,
            ListRule::Keyed => field.key(),
            ListRule::Shared(space) => space,
        };
        let seen = seen.entry(space).or_default();
        for (index, item) in items.iter().enumerate() {
            if !seen.insert(item.identity()) {
                let path = place.below(object, field.key()).item(index, item).report_path();
                report.error(&path, "duplicate entry defined");
            }
        }
    }
    for (field, value) in object.fields() {
        match &value.kind {
            Kind::Object(below) => check(below, &place.below(object, field.key()), report),
            Kind::List(items) => {
                let list = place.below(object, field.key());
                for (index, item) in items.iter().enumerate() {
                    if let Kind::Object(below) = &item.kind {
                        check(below, &list.item(index, item), report);
                    }
                }
            }
            _ => {}
        }
    }
}
