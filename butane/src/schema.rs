//! The one description of Butane and Ignition configs: each field once, with its name in both
//! languages, its type and the version it appeared in. Parsing, output order, merging and
//! duplicate detection all read this table; a new spec version is new `since` facts.

pub(crate) use dialects::{DIALECTS, Dialect, Feature, REMOVED, ignition_version};
pub(crate) use tables::accounts::USER;
pub(crate) use tables::allows::{Allows, Emptiness, UNIT_SUFFIXES, digests_in, pins_in, words_in};
pub(crate) use tables::config::{CONFIG, IGNITION};
pub(crate) use tables::contents::CONTENTS;
pub(crate) use tables::disks::{DISK, PARTITION, RAID};
pub(crate) use tables::doc::{Default, Doc};
pub(crate) use tables::filesystems::{CLEVIS, CLEVIS_CUSTOM, FILESYSTEM, LUKS};
pub(crate) use tables::nodes::{DIRECTORY, FILE, LINK, NODE_GROUP, NODE_USER};
pub(crate) use tables::platform::{BOOT_DEVICE, GRUB_USER, METADATA, OPENSHIFT};
pub(crate) use tables::storage::{STORAGE, TREE};
pub(crate) use tables::systemd::{DROPIN, QUADLET, SYSTEMD, UNIT};

mod dialects;
mod tables;

/// A mapping with known keys, listed in the order Ignition prints them.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The name that type errors use.
    pub name: &'static str,
    /// Which layer of the reference compiler defines it; part of the name in type errors.
    pub home: Layer,
    /// The name before a version, if it had another one.
    pub formerly: Option<(&'static str, Since)>,
    /// What tells two entries of a list apart.
    pub identity: Identity,
    /// The keys.
    pub fields: &'static [Field],
}

/// A key of a [`Shape`].
#[derive(Debug)]
pub(crate) struct Field {
    /// The key in a Butane config; `None` for keys that only Ignition has.
    pub yaml: Option<&'static str>,
    /// The key in an Ignition config; `None` for sugar that compiling replaces.
    pub json: Option<&'static str>,
    /// What it holds.
    pub kind: Type,
    /// What an absent value means.
    pub absent: Absent,
    /// When it appeared.
    pub since: Since,
    /// What it was before a version, if anything else.
    pub formerly: Option<Formerly>,
    /// How list entries relate to each other.
    pub list: ListRule,
    /// Whether variant nestos has it before the version says so, with a warning.
    pub extension: bool,
    /// What people should know about it.
    pub doc: Doc,
}

/// What a field was in the versions before `until`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Formerly {
    /// What it held.
    pub kind: Type,
    /// What its absence meant.
    pub absent: Absent,
    /// The first version in which the present facts hold.
    pub until: Since,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// Text.
    Text,
    /// A 64-bit number.
    Int,
    /// A boolean.
    Bool,
    /// A mapping.
    Object(&'static Shape),
    /// A list of texts; with the name that type errors use for one text.
    Texts(&'static str),
    /// A list of mappings; with a name for the list, if it has its own.
    Objects(&'static Shape, Option<&'static str>),
    /// A mapping of any keys to texts.
    Labels,
}

/// What the absence of a scalar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Unset, and left out of the output.
    Unset,
    /// The zero value, which is printed.
    Zero,
    /// The zero value, which is left out of the output.
    ZeroLeftOut,
    /// Unset; but a mapping that is given without content is printed.
    UnsetOrEmpty,
}

/// The layer of the language that defines something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Shared by all variants.
    Base,
    /// Of the fcos family, which nestos and openshift build on.
    Fcos,
    /// Of openshift, `4.N`.
    Openshift,
    /// Of each variant by itself: the outermost mapping.
    Variant,
}

/// The first version with a field: the minor version of the layer's spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(pub Layer, pub u8);

/// How the entries of a list are told apart when merging and looking for duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListRule {
    /// By their identity.
    Keyed,
    /// By their identity, together with the sibling lists of the same name.
    Shared(&'static str),
    /// Not at all: entries may repeat, merging concatenates.
    Concatenated,
}

/// What identifies an entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Not used in lists that need one.
    None,
    /// The value of a field, empty if unset.
    Field(&'static str),
    /// The number, or else the label.
    Partition,
}

impl Shape {
    /// Returns the position of a field by its [`Field::key`].
    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.key() == key)
    }
}

impl Field {
    /// Returns the name of the field inside the compiler: Ignition's, or Butane's for sugar.
    pub(crate) fn key(&self) -> &'static str {
        self.json.or(self.yaml).unwrap_or_default()
    }

    /// Returns what the field holds in a version.
    pub(crate) fn kind_in(&self, dialect: &Dialect) -> Type {
        self.before(dialect).map_or(self.kind, |formerly| formerly.kind)
    }

    /// Returns what the absence of the field means in a version.
    pub(crate) fn absent_in(&self, dialect: &Dialect) -> Absent {
        self.before(dialect).map_or(self.absent, |formerly| formerly.absent)
    }

    fn before(&self, dialect: &Dialect) -> Option<&Formerly> {
        self.formerly.as_ref().filter(|formerly| !dialect.reaches(formerly.until))
    }

    const fn new(yaml: &'static str, json: &'static str, kind: Type) -> Self {
        Self {
            yaml: Some(yaml),
            json: Some(json),
            kind,
            absent: Absent::Unset,
            since: Since(Layer::Base, 1),
            formerly: None,
            list: ListRule::Keyed,
            extension: false,
            doc: Doc::MISSING,
        }
    }

    const fn sugar(mut self) -> Self {
        self.json = None;
        self
    }

    const fn ignition_only(mut self) -> Self {
        self.yaml = None;
        self
    }

    const fn always(mut self) -> Self {
        self.absent = Absent::Zero;
        self
    }

    const fn zero(mut self) -> Self {
        self.absent = Absent::ZeroLeftOut;
        self
    }

    const fn since(mut self, base: u8) -> Self {
        self.since = Since(Layer::Base, base);
        self
    }

    const fn since_fcos(mut self, minor: u8) -> Self {
        self.since = Since(Layer::Fcos, minor);
        self
    }

    const fn since_openshift(mut self, minor: u8) -> Self {
        self.since = Since(Layer::Openshift, minor);
        self
    }

    /// Says what the field held before a version of the base spec.
    const fn formerly(mut self, kind: Type, until: u8) -> Self {
        let until = Since(Layer::Base, until);
        self.formerly = Some(Formerly { kind, absent: self.absent, until });
        self
    }

    /// Says what the absence of the field meant before a version of the base spec.
    const fn formerly_absent(mut self, absent: Absent, until: u8) -> Self {
        let until = Since(Layer::Base, until);
        self.formerly = Some(Formerly { kind: self.kind, absent, until });
        self
    }

    const fn doc(mut self, doc: Doc) -> Self {
        self.doc = doc;
        self
    }

    const fn extension(mut self) -> Self {
        self.extension = true;
        self
    }

    const fn concatenated(mut self) -> Self {
        self.list = ListRule::Concatenated;
        self
    }

    const fn shared(mut self, space: &'static str) -> Self {
        self.list = ListRule::Shared(space);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nestos() -> &'static Dialect {
        Dialect::find("nestos", "1.0.0").unwrap()
    }

    #[test]
    fn fields_appear_in_the_version_that_has_them() {
        let (new, nestos) = (Dialect::find("fcos", "1.5.0").unwrap(), nestos());
        let discard = &LUKS.fields[LUKS.position("discard").unwrap()];
        assert!(new.has(discard) && !nestos.has(discard));
        let boot_device = &CONFIG.fields[CONFIG.position("boot_device").unwrap()];
        assert!(nestos.has(boot_device) && !Dialect::of_ignition(3).has(boot_device));
    }

    #[test]
    fn type_names_carry_the_version_of_their_layer() {
        assert_eq!(nestos().type_name(&FILE), "v0_4.File");
        assert_eq!(nestos().type_name(&CONFIG), "v1_4.Config");
        let newest = Dialect::find("openshift", "4.23.0-experimental").unwrap();
        assert_eq!(newest.type_name(&FILE), "v0_8_exp.File");
        assert_eq!(newest.type_name(&CONFIG), "v4_23_exp.Config");
        let oldest = Dialect::find("fcos", "1.0.0").unwrap();
        assert_eq!(oldest.type_name(&CONTENTS), "v0_1.FileContents");
    }
}
