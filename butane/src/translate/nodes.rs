//! The files, directories and links of a config by their paths, while sugar adds to them.

use std::collections::HashMap;

use crate::value::{Kind, Object, Value};

/// What is said where a path is taken.
pub(crate) const EXISTS: &str = "matching filesystem node has existing contents or different type";

/// Which list of the storage section a path is in, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The list.
    pub list: &'static str,
    /// The position in it.
    pub index: usize,
}

/// The paths that are configured.
pub(crate) struct Nodes(HashMap<String, Place>);

impl Nodes {
    /// Collects the paths of a storage section.
    pub(crate) fn of(storage: &Object) -> Self {
        let mut nodes = HashMap::new();
        for list in ["directories", "files", "links"] {
            for (index, _, node) in storage.objects(list) {
                let path = node.text("path").unwrap_or_default().to_owned();
                nodes.insert(path, Place { list, index });
            }
        }
        Self(nodes)
    }

    /// Returns where a path is.
    pub(crate) fn find(&self, path: &str) -> Option<Place> {
        self.0.get(path).copied()
    }

    /// Returns the node at a place.
    pub(crate) fn node(storage: &mut Object, place: Place) -> Option<&mut Object> {
        let list = match storage.get_mut(place.list).map(|value| &mut value.kind) {
            Some(Kind::List(list)) => list,
            _ => return None,
        };
        match list.get_mut(place.index).map(|value| &mut value.kind) {
            Some(Kind::Object(node)) => Some(node),
            _ => None,
        }
    }

    /// Appends a node; `None` if its path is taken.
    pub(crate) fn add(
        &mut self,
        storage: &mut Object,
        list: &'static str,
        path: &str,
        node: Value,
    ) -> Option<Place> {
        if self.0.contains_key(path) {
            return None;
        }
        let origin = node.origin.clone();
        let entries = storage.list_mut(list, &origin)?;
        entries.push(node);
        let place = Place { list, index: entries.len() - 1 };
        self.0.insert(path.to_owned(), place);
        Some(place)
    }
}
