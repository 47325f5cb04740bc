//! What a build is asked for, and what of it is due.

use std::fmt;

use nestos_formats::builds::Meta;

use super::Redo;
use crate::disk::Kind;
use crate::live::{self, Effort};

/// What is made of a commit besides its container image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Disk images, each once, in the order in which they are made.
    pub(crate) kinds: Vec<Kind>,
    /// Live media, with this effort.
    pub(crate) live: Option<Effort>,
}

impl Wanted {
    /// Returns what is not in a build yet, or all of it again. Live media are made from the images
    /// for real machines, which are not made again for them.
    pub(super) fn missing_in(&self, meta: &Meta, redo: Redo) -> Self {
        let due = |key: &str| redo == Redo::Yes || !meta.images.contains_key(key);
        let live = self.live.filter(|_| live::KEYS.iter().any(|key| due(key)));
        let mut kinds: Vec<Kind> =
            self.kinds.iter().copied().filter(|kind| due(kind.name())).collect();
        if live.is_some() {
            let missing = |kind: &Kind| !meta.images.contains_key(kind.name());
            kinds.extend(live::MADE_FROM.into_iter().filter(missing));
        }
        kinds.sort();
        kinds.dedup();
        Self { kinds, live }
    }

    /// Returns the word for it in the names of commands.
    pub(crate) fn name(&self) -> &'static str {
        self.kinds.first().map_or("live", |kind| kind.name())
    }

    /// Returns whether there is nothing to make.
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.live.is_none()
    }

    /// Returns how many images take as much room as what is made. The media and what they are made
    /// of, all compressed, take about as much as one.
    pub(super) fn images(&self) -> u64 {
        self.kinds.len() as u64 + u64::from(self.live.is_some())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = self.kinds.iter().map(|kind| format!("its {} image", kind.name()));
        let live = self.live.map(|_| "its live media".to_owned());
        f.write_str(&images.chain(live).collect::<Vec<_>>().join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_formats::builds::Artifact;

    fn with(keys: &[&str]) -> Meta {
        let none = || Artifact {
            path: String::new(),
            sha256: String::new(),
            size: None,
            other: std::collections::BTreeMap::new(),
        };
        let images = keys.iter().map(|key| ((*key).to_owned(), none())).collect();
        Meta { images, ..Meta::default() }
    }

    #[test]
    fn only_what_is_missing_is_due() {
        let asked = Wanted { kinds: vec![Kind::Metal, Kind::Qemu], live: None };
        let missing = |keys: &[&str], redo| asked.missing_in(&with(keys), redo);
        assert_eq!(missing(&["metal"], Redo::No).kinds, [Kind::Qemu]);
        assert!(missing(&["metal", "qemu"], Redo::No).is_empty());
        assert_eq!(missing(&["metal", "qemu"], Redo::Yes), asked);
        assert_eq!(asked.to_string(), "its metal image and its qemu image");
    }

    #[test]
    fn live_media_bring_the_images_they_are_made_from() {
        let asked = Wanted { kinds: vec![], live: Some(Effort::Fast) };
        let missing = |keys: &[&str], redo| asked.missing_in(&with(keys), redo);
        let all = missing(&[], Redo::No);
        assert_eq!((&all.kinds[..], all.images()), (&live::MADE_FROM[..], 3));
        assert_eq!(missing(&["metal"], Redo::Yes).kinds, [Kind::Metal4k]);
        assert_eq!(missing(&["metal", "metal4k", "live-iso"], Redo::No).live, asked.live);
        let complete = [&["metal", "metal4k"][..], &live::KEYS].concat();
        assert!(missing(&complete, Redo::No).is_empty());
        assert_eq!(missing(&complete, Redo::Yes), asked);
    }
}
