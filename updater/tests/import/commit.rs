//! A commit as an image: layers of ostree objects.

use std::collections::BTreeMap;

use nestos_formats::ostree::{Checksum, FileHeader};
use ostree::glib::prelude::ToVariant;
use ostree::glib::{Variant, VariantTy};
use tar::EntryType;

use crate::image::{Image, Layer, header};
use crate::server::sha256;
use crate::tree::{Objects, Tree};

const OBJECTS: &str = "sysroot/ostree/repo/objects";

/// A commit, and which of its files are in which layer.
#[derive(Debug)]
pub(crate) struct Encapsulated {
    pub(crate) objects: Objects,
    pub(crate) commit: Vec<u8>,
    /// Paths of the files in the layers after the first start so.
    pub(crate) chunks: Vec<&'static str>,
}

impl Encapsulated {
    /// Commits a tree.
    pub(crate) fn new(tree: &Tree, chunks: &[&'static str]) -> Self {
        let objects = tree.objects();
        let metadata =
            BTreeMap::from([("ostree.bootable", true.to_variant()), ("version", "1".to_variant())]);
        let metadata = metadata.into_iter().map(|(key, value)| {
            Variant::from_dict_entry(&key.to_variant(), &Variant::from_variant(&value))
        });
        let sum = |sum: &Checksum| Variant::array_from_fixed_array(&sum.0);
        let none: [Variant; 0] = [];
        let commit = Variant::tuple_from_iter([
            Variant::array_from_iter_with_type(VariantTy::new("{sv}").unwrap(), metadata),
            Variant::array_from_fixed_array::<u8>(&[]),
            Variant::array_from_iter_with_type(VariantTy::new("(say)").unwrap(), none),
            "NestOS".to_variant(),
            "".to_variant(),
            1_725_321_600_u64.to_be().to_variant(),
            sum(&objects.root),
            sum(&objects.meta),
        ]);
        let commit = commit.normal_form().data().to_vec();
        Self { objects, commit, chunks: chunks.to_vec() }
    }

    /// Returns the image, with layers that follow each other in the order of the objects' names.
    pub(crate) fn image(&self) -> Image {
        let mut first = object(Layer::new(), &Checksum::of(&self.commit), "commit", &self.commit);
        for (sum, bytes) in &self.objects.dirtrees {
            first = object(first, sum, "dirtree", bytes);
        }
        for (sum, bytes) in &self.objects.dirmetas {
            first = object(first, sum, "dirmeta", bytes);
        }
        let mut layers = vec![first];
        layers.resize(self.chunks.len() + 1, Layer::new());
        for (sum, (path, head, content)) in &self.objects.files {
            let chunk = self.chunks.iter().position(|start| path.starts_with(start));
            let layer = &mut layers[chunk.map_or(0, |n| n + 1)];
            *layer = file(std::mem::replace(layer, Layer::new()), sum, head, content);
        }
        let last = sha256(&layers[self.chunks.len()].stream());
        Image::new(layers)
            .label("ostree.final-diffid", &last)
            .label("ostree.commit", &Checksum::of(&self.commit).to_string())
            .label("org.opencontainers.image.version", "1")
    }
}

/// Adds an object that is no file.
pub(crate) fn object(layer: Layer, sum: &Checksum, kind: &str, bytes: &[u8]) -> Layer {
    layer.file(&path(sum, kind), bytes)
}

/// Adds a file object, after its attributes.
pub(crate) fn file(layer: Layer, sum: &Checksum, head: &FileHeader, content: &[u8]) -> Layer {
    let xattrs = head.xattrs.to_bytes();
    let named = path(&Checksum::of(&xattrs), "file-xattrs");
    let layer = object(layer, &Checksum::of(&xattrs), "file-xattrs", &xattrs);
    let layer = layer.link(EntryType::Link, &path(sum, "file-xattrs-link"), &named);
    if head.is_symlink() {
        return layer.link(EntryType::Symlink, &path(sum, "file"), &head.target);
    }
    let mut entry = header(EntryType::Regular, head.mode);
    entry.set_uid(head.uid.into());
    entry.set_gid(head.gid.into());
    layer.entry(&path(sum, "file"), &entry, content)
}

/// Returns the path of an object in a layer.
pub(crate) fn path(sum: &Checksum, kind: &str) -> String {
    let hex = sum.to_string();
    format!("{OBJECTS}/{}/{}.{kind}", &hex[..2], &hex[2..])
}
