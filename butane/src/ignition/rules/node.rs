//! Files, directories and links, each by itself.

use super::{Place, Rules};
use crate::value::Object;

const SPECIAL_BITS: i64 = 0o7000;
const ALL_BITS: i64 = 0o7777;

impl Rules {
    pub(super) fn directory(&mut self, node: &Object, place: &Place<'_>) {
        self.path(node, "path", place);
        self.mode(node, place);
        self.owners(node, place);
    }

    pub(super) fn file(&mut self, node: &Object, place: &Place<'_>) {
        self.path(node, "path", place);
        self.mode(node, place);
        let source = node.object("contents").and_then(|contents| contents.get("source"));
        if node.flag("overwrite") == Some(true) && source.is_none() {
            let message = "overwrite must be false if source is unspecified";
            self.error(&place.below(node, "overwrite"), message);
        }
        self.owners(node, place);
        self.contents_list(node, "append", place);
        self.contents_field(node, "contents", place);
    }

    pub(super) fn link(&mut self, node: &Object, place: &Place<'_>) {
        self.path(node, "path", place);
        self.owners(node, place);
    }

    /// Checks a path that must be set.
    pub(super) fn path(&mut self, object: &Object, key: &'static str, place: &Place<'_>) {
        let result = check_path(object.text(key).unwrap_or_default());
        self.require(&place.below(object, key), result);
    }

    fn mode(&mut self, node: &Object, place: &Place<'_>) {
        let Some(mode) = node.int("mode") else { return };
        let place = place.below(node, "mode");
        if !(0..=ALL_BITS).contains(&mode) {
            self.error(&place, "illegal file mode");
        }
        if mode & SPECIAL_BITS != 0 && !self.since(6) {
            let message = "setuid/setgid/sticky bits are not supported or functional in spec \
                           versions older than 3.6.0";
            self.warning(&place, message);
        }
    }

    fn owners(&mut self, node: &Object, place: &Place<'_>) {
        for key in ["group", "user"] {
            let Some(owner) = node.object(key) else { continue };
            if owner.get("id").is_some() && owner.filled("name").is_some() {
                self.error(&place.below(node, key), "cannot set both id and name");
            }
        }
    }
}

/// Checks that a path is absolute and has no detours.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("path not specified".to_owned());
    }
    if !path.starts_with('/') {
        return Err("path not absolute".to_owned());
    }
    let clean = path == "/" || path[1..].split('/').all(|part| !matches!(part, "" | "." | ".."));
    if clean { Ok(()) } else { Err("path is not fully simplified".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_simple() {
        for path in ["/", "/a", "/a/.b", "/a/..b"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for path in ["/a/", "//a", "/a/./b", "/a/../b", "/..", "/."] {
            assert_eq!(check_path(path).unwrap_err(), "path is not fully simplified", "{path}");
        }
        assert_eq!(check_path("").unwrap_err(), "path not specified");
        assert_eq!(check_path("a").unwrap_err(), "path not absolute");
    }
}
