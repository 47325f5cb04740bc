//! The one description of Butane and Ignition configs: each field once, with its name in both
//! languages, its type and the version it appeared in. Parsing, output order, merging and
//! duplicate detection all read this table; a new spec version is new `since` facts.

pub(crate) use tables::{
    BOOT_DEVICE, CLEVIS, CONFIG, CONTENTS, DISK, FILE, FILESYSTEM, IGNITION, LINK, LUKS, PARTITION,
    RAID, STORAGE, SYSTEMD, TREE, UNIT,
};

mod tables;

/// A mapping with known keys, listed in the order Ignition prints them.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The name that type errors use.
    pub name: &'static str,
    /// Which layer of the reference compiler defines it; part of the name in type errors.
    pub home: Layer,
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
    /// How list entries relate to each other.
    pub list: ListRule,
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
}

/// The layer of the language that defines something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Shared by all variants.
    Base,
    /// Of the fcos family, which nestos belongs to.
    Fcos,
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

/// A language version that can be compiled.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The variant, as written in a config.
    pub variant: &'static str,
    /// The version, as written in a config.
    pub version: &'static str,
    /// The minor version of the base spec, `0.N`.
    pub base: u8,
    /// The minor version of the fcos spec, `1.N`, if the variant is of that family.
    pub fcos: Option<u8>,
    /// The minor version of the Ignition spec that is generated, `3.N.0`.
    pub ignition: u8,
}

/// Every dialect this compiler knows.
pub(crate) static DIALECTS: &[Dialect] =
    &[Dialect { variant: "nestos", version: "1.0.0", base: 4, fcos: Some(4), ignition: 3 }];

impl Dialect {
    /// Returns the dialect of plain Ignition configs of spec `3.minor.0`.
    pub(crate) fn of_ignition(minor: u8) -> Self {
        Self { variant: "ignition", version: "", base: minor + 1, fcos: None, ignition: minor }
    }

    /// Returns whether this version has a field.
    pub(crate) fn has(&self, field: &Field) -> bool {
        match field.since {
            Since(Layer::Base, minor) => self.base >= minor,
            Since(Layer::Fcos, minor) => self.fcos.is_some_and(|have| have >= minor),
        }
    }

    /// Returns the qualified name of a type, as the reference compiler prints it.
    pub(crate) fn type_name(&self, home: Layer, name: &str) -> String {
        match (home, self.fcos) {
            (Layer::Fcos, Some(minor)) => format!("v1_{minor}.{name}"),
            _ => format!("v0_{}.{name}", self.base),
        }
    }

    /// Returns the version of the Ignition spec that is generated.
    pub(crate) fn ignition_version(&self) -> String {
        format!("3.{}.0", self.ignition)
    }
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

    const fn new(yaml: &'static str, json: &'static str, kind: Type) -> Self {
        Self {
            yaml: Some(yaml),
            json: Some(json),
            kind,
            absent: Absent::Unset,
            since: Since(Layer::Base, 1),
            list: ListRule::Keyed,
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

    #[test]
    fn fields_appear_in_the_version_that_has_them() {
        let new = Dialect { base: 5, fcos: Some(5), ..Dialect::of_ignition(4) };
        let discard = &LUKS.fields[LUKS.position("discard").unwrap()];
        assert!(new.has(discard) && !DIALECTS[0].has(discard));
        let boot_device = &CONFIG.fields[CONFIG.position("boot_device").unwrap()];
        assert!(DIALECTS[0].has(boot_device) && !Dialect::of_ignition(3).has(boot_device));
    }

    #[test]
    fn type_names_carry_the_version_of_their_layer() {
        assert_eq!(DIALECTS[0].type_name(Layer::Base, "File"), "v0_4.File");
        assert_eq!(DIALECTS[0].type_name(Layer::Fcos, "Config"), "v1_4.Config");
    }
}
