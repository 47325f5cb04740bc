//! Which file objects share a layer. An update fetches each layer that changed, whole; so what
//! changes together is together, and nothing moves because something else grew: large components
//! have a layer of their own, small ones a bin that only their name decides.

use std::collections::{BTreeMap, BTreeSet};

use nestos_formats::ostree::Checksum;
use sha2::{Digest, Sha256};

use super::contents::File;
use super::owners::{Component, Owners};

/// A component of this size has a layer of its own.
const LARGE: u64 = 4 * 1024 * 1024;
/// At most so many have; the largest.
const MAX_LARGE: usize = 36;
/// Bins for all others. With the commit, the kernel, the initramfs and the rest this makes 64
/// layers; container engines stop at 127, and people derive more.
const BINS: u32 = 24;
/// A smaller file that is in several components is in the layer that each build changes, so that
/// a component that loses or gains it changes no layer but its own.
const SMALL: u64 = 64 * 1024;

/// The file objects of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    /// Name, for people.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) components: Vec<String>,
    /// The objects.
    pub(crate) files: BTreeMap<Checksum, &'a File>,
}

/// Where a component goes; the order is that of layers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Commit,
    Alone(Component),
    Bin(u32),
    Rest,
}

/// Assigns all file objects. The first chunk is that of the commit and may be empty, no other is.
pub(crate) fn assign<'a>(files: &'a BTreeMap<Checksum, File>, owners: &Owners) -> Vec<Chunk<'a>> {
    let mut components: BTreeMap<Component, BTreeMap<Checksum, &File>> = BTreeMap::new();
    for (checksum, file) in files {
        components.entry(owner(file, owners)).or_default().insert(*checksum, file);
    }
    let large = large(&components);
    let mut chunks: BTreeMap<Place, Chunk<'_>> = BTreeMap::new();
    let commit = Chunk { name: "commit".into(), components: Vec::new(), files: BTreeMap::new() };
    chunks.insert(Place::Commit, commit);
    for (component, files) in components {
        let place = place(&component, &large);
        let chunk = chunks.entry(place.clone()).or_insert_with(|| Chunk {
            name: name(&place),
            components: Vec::new(),
            files: BTreeMap::new(),
        });
        if component != Component::EachBuild {
            chunk.components.push(component.to_string());
        }
        chunk.files.extend(files);
    }
    chunks.into_values().collect()
}

/// Returns the one component that a file counts to.
fn owner(file: &File, owners: &Owners) -> Component {
    let all: BTreeSet<Component> = file.paths.iter().map(|path| owners.owner(path)).collect();
    let shared = all.len() > 1 && file.size < SMALL;
    let first = all.into_iter().next().filter(|_| !shared);
    first.unwrap_or(Component::EachBuild)
}

fn large(components: &BTreeMap<Component, BTreeMap<Checksum, &File>>) -> BTreeSet<Component> {
    let fixed = [Component::EachBuild, Component::Initramfs, Component::Kernel, Component::Rest];
    let movable = components.iter().filter(|(component, _)| !fixed.contains(component));
    let sizes = movable.map(|(component, files)| {
        let size: u64 = files.values().map(|file| file.size).sum();
        (size, component)
    });
    let mut large: Vec<_> = sizes.filter(|(size, _)| *size >= LARGE).collect();
    large.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.cmp(y)));
    large.into_iter().take(MAX_LARGE).map(|(_, component)| component.clone()).collect()
}

fn place(component: &Component, large: &BTreeSet<Component>) -> Place {
    match component {
        Component::EachBuild => Place::Commit,
        Component::Rest => Place::Rest,
        Component::Initramfs | Component::Kernel => Place::Alone(component.clone()),
        _ if large.contains(component) => Place::Alone(component.clone()),
        Component::Package(name) | Component::Overlay(name) => Place::Bin(bin(name)),
    }
}

/// The bin of a name; it must be the same in all builds and versions.
fn bin(name: &str) -> u32 {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(name));
    u32::from_be_bytes([a, b, c, d]) % BINS
}

fn name(place: &Place) -> String {
    match place {
        Place::Commit => "commit".to_owned(),
        Place::Alone(component) => component.to_string(),
        Place::Bin(n) => format!("packages {}", n + 1),
        Place::Rest => "rest".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn file(size: u64, paths: &[&str]) -> File {
        File { size, paths: paths.iter().map(|&path| path.to_owned()).collect() }
    }

    /// Packages `p0`, `p1`, … with one file each; `n` is the content of the files.
    fn tree(sizes: &[u64], n: u8) -> (BTreeMap<Checksum, File>, Owners) {
        let mut owners = Owners::default();
        let mut files = BTreeMap::new();
        for (i, size) in sizes.iter().enumerate() {
            let path = format!("usr/share/p{i}/file");
            owners.add_overlay(&format!("p{i}"), [path.clone()]);
            files.insert(Checksum::of(format!("{i} {n}").as_bytes()), file(*size, &[&path]));
        }
        (files, owners)
    }

    fn changed(a: &[Chunk<'_>], b: &[Chunk<'_>]) -> Vec<String> {
        b.iter().filter(|chunk| !a.contains(chunk)).map(|chunk| chunk.name.clone()).collect()
    }

    #[test]
    fn a_changed_package_changes_one_chunk() {
        let (old, owners) = tree(&[1, 2, 3, 4, 5, 6 * MIB, 7 * MIB], 0);
        let before = assign(&old, &owners);
        for (i, expected) in [(0, format!("packages {}", bin("p0") + 1)), (5, "p5".to_owned())] {
            let mut new = old.clone();
            let gone = new.remove(&Checksum::of(format!("{i} 0").as_bytes())).unwrap();
            new.insert(Checksum::of(b"new"), gone);
            assert_eq!(changed(&before, &assign(&new, &owners)), [expected]);
        }
    }

    #[test]
    fn a_new_package_changes_one_chunk() {
        let sizes: Vec<u64> = (1..200).collect();
        let (old, _) = tree(&sizes[..198], 0);
        let (new, owners) = tree(&sizes, 0);
        let after = assign(&new, &owners);
        assert_eq!(
            changed(&assign(&old, &owners), &after),
            [format!("packages {}", bin("p198") + 1)]
        );
    }

    #[test]
    fn bins_of_names_never_change() {
        assert_eq!(["bash", "glibc", "systemd"].map(bin), [13, 13, 0]);
    }

    #[test]
    fn layers_are_limited_and_no_file_is_lost() {
        let (mut files, owners) = tree(&(0..900).map(|i| i * 30_000).collect::<Vec<_>>(), 0);
        files.insert(Checksum::of(b"k"), file(9, &["usr/lib/modules/1/vmlinuz"]));
        files.insert(Checksum::of(b"i"), file(9, &["usr/lib/modules/1/initramfs.img"]));
        files.insert(Checksum::of(b"r"), file(9, &["usr/share/rest"]));
        let chunks = assign(&files, &owners);
        assert_eq!(chunks.len(), 64);
        assert_eq!(chunks.iter().map(|chunk| chunk.files.len()).sum::<usize>(), files.len());
        assert_eq!(chunks[0].name, "commit");
    }

    #[test]
    fn a_small_file_of_two_packages_binds_neither_to_the_other() {
        let (_, mut owners) = tree(&[1, 1], 0);
        owners.add_overlay("p0", ["usr/a".to_owned()]);
        owners.add_overlay("p1", ["usr/b".to_owned()]);
        for (size, name) in
            [(10, "commit".to_owned()), (MIB, format!("packages {}", bin("p0") + 1))]
        {
            let files = [(Checksum::of(b"x"), file(size, &["usr/b", "usr/a"]))].into();
            let chunks = assign(&files, &owners);
            assert_eq!(chunks.iter().rfind(|c| !c.files.is_empty()).unwrap().name, name);
        }
    }
}
