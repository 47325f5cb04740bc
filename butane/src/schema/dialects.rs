//! The variants and versions of the language, and what distinguishes them besides fields.

use super::{Field, Layer, Shape, Since};

/// A language version that can be compiled.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The variant, as written in a config.
    pub variant: &'static str,
    /// The version, as written in a config.
    pub version: &'static str,
    /// The minor version of the base spec, `0.N`.
    pub base: u8,
    /// The minor version of the fcos spec, `1.N`, if the variant builds on it.
    pub fcos: Option<u8>,
    /// The minor version of the openshift spec, `4.N`, if that is the variant.
    pub openshift: Option<u8>,
    /// The minor version of the Ignition spec that is generated, `3.N.0`.
    pub ignition: u8,
}

/// The base spec, and the Ignition spec, that are still being worked on.
const EXPERIMENTAL_BASE: u8 = 8;
const EXPERIMENTAL_IGNITION: u8 = 7;
const EXPERIMENTAL_OPENSHIFT: u8 = 23;

/// Every dialect this compiler knows; the one that a help text should show comes first.
pub(crate) static DIALECTS: &[Dialect] = &[
    Dialect { variant: "nestos", version: "1.0.0", base: 4, fcos: Some(4), ignition: 3, ..FCOS },
    Dialect { variant: "fcos", version: "1.0.0", base: 1, fcos: Some(0), ignition: 0, ..FCOS },
    Dialect { version: "1.1.0", base: 2, fcos: Some(1), ignition: 1, ..FCOS },
    Dialect { version: "1.2.0", base: 3, fcos: Some(2), ignition: 2, ..FCOS },
    Dialect { version: "1.3.0", base: 3, fcos: Some(3), ignition: 2, ..FCOS },
    Dialect { version: "1.4.0", base: 4, fcos: Some(4), ignition: 3, ..FCOS },
    Dialect { version: "1.5.0", base: 5, fcos: Some(5), ignition: 4, ..FCOS },
    Dialect { version: "1.6.0", base: 6, fcos: Some(6), ignition: 5, ..FCOS },
    Dialect { version: "1.7.0", base: 7, fcos: Some(7), ignition: 6, ..FCOS },
    Dialect { version: "1.8.0-experimental", base: 8, fcos: Some(8), ignition: 7, ..FCOS },
    Dialect { variant: "flatcar", version: "1.0.0", base: 4, ignition: 3, ..PLAIN },
    Dialect { variant: "flatcar", version: "1.1.0", base: 5, ignition: 4, ..PLAIN },
    Dialect { variant: "flatcar", version: "1.2.0-experimental", base: 8, ignition: 7, ..PLAIN },
    Dialect { variant: "r4e", version: "1.0.0", base: 4, ignition: 3, ..PLAIN },
    Dialect { variant: "r4e", version: "1.1.0", base: 5, ignition: 4, ..PLAIN },
    Dialect { variant: "r4e", version: "1.2.0-experimental", base: 8, ignition: 7, ..PLAIN },
    Dialect { variant: "fiot", version: "1.0.0", base: 5, ignition: 4, ..PLAIN },
    Dialect { variant: "fiot", version: "1.1.0-experimental", base: 8, ignition: 7, ..PLAIN },
    Dialect { version: "4.8.0", openshift: Some(8), ..OPENSHIFT_8 },
    Dialect { version: "4.9.0", openshift: Some(9), ..OPENSHIFT_8 },
    Dialect { version: "4.10.0", openshift: Some(10), ..OPENSHIFT_8 },
    Dialect { version: "4.11.0", openshift: Some(11), ..OPENSHIFT_8 },
    Dialect { version: "4.12.0", openshift: Some(12), ..OPENSHIFT_8 },
    Dialect { version: "4.13.0", openshift: Some(13), ..OPENSHIFT_8 },
    Dialect { version: "4.14.0", openshift: Some(14), ..OPENSHIFT_14 },
    Dialect { version: "4.15.0", openshift: Some(15), ..OPENSHIFT_14 },
    Dialect { version: "4.16.0", openshift: Some(16), ..OPENSHIFT_14 },
    Dialect { version: "4.17.0", openshift: Some(17), ..OPENSHIFT_14 },
    Dialect { version: "4.18.0", openshift: Some(18), ..OPENSHIFT_14 },
    Dialect { version: "4.19.0", openshift: Some(19), ..OPENSHIFT_19 },
    Dialect { version: "4.20.0", openshift: Some(20), ..OPENSHIFT_19 },
    Dialect { version: "4.21.0", openshift: Some(21), ..OPENSHIFT_19 },
    Dialect { version: "4.22.0", openshift: Some(22), ..OPENSHIFT_19 },
    Dialect {
        version: "4.23.0-experimental",
        base: 8,
        fcos: Some(8),
        openshift: Some(EXPERIMENTAL_OPENSHIFT),
        ignition: 7,
        ..OPENSHIFT_8
    },
];

const PLAIN: Dialect =
    Dialect { variant: "", version: "", base: 1, fcos: None, openshift: None, ignition: 3 };
const FCOS: Dialect = Dialect { variant: "fcos", ..PLAIN };
const OPENSHIFT_8: Dialect =
    Dialect { variant: "openshift", base: 3, fcos: Some(3), ignition: 2, ..PLAIN };
const OPENSHIFT_14: Dialect = Dialect { base: 5, fcos: Some(5), ignition: 4, ..OPENSHIFT_8 };
const OPENSHIFT_19: Dialect = Dialect { base: 6, fcos: Some(6), ignition: 5, ..OPENSHIFT_8 };

/// A variant that existed once, and what to do instead.
#[derive(Debug)]
pub(crate) struct Removed {
    /// The variant.
    pub variant: &'static str,
    /// The version.
    pub version: &'static str,
    /// What is said to whoever uses it.
    pub advice: &'static str,
}

/// Every variant that is known only to say so.
pub(crate) static REMOVED: &[Removed] = &[Removed {
    variant: "rhcos",
    version: "0.1.0",
    advice: "rhcos variant has been removed; use openshift variant instead: \
             https://coreos.github.io/butane/upgrading-openshift/",
}];

/// What versions do that no field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Contents may become base64, and are compressed where that is shorter.
    ShortestContents,
    /// Mount units of devices that are unlocked over the network wait for it.
    RemoteMounts,
    /// Swap has a unit of its own kind.
    SwapUnits,
    /// Mount units must mount where the image lets them.
    MountPointRules,
    /// The root partition must have room.
    RootSize,
    /// Partitions of other disks are not found by their label.
    NoReuseByLabel,
    /// Boot devices of s390x.
    S390xLayouts,
    /// A mirror needs a layout.
    LayoutRequired,
    /// A LUKS boot device needs a method.
    LuksMethodRequired,
}

impl Feature {
    fn since(self) -> Since {
        match self {
            Self::ShortestContents => Since(Layer::Base, 2),
            Self::RemoteMounts => Since(Layer::Base, 3),
            Self::SwapUnits => Since(Layer::Base, 4),
            Self::RootSize => Since(Layer::Fcos, 3),
            Self::MountPointRules | Self::NoReuseByLabel | Self::S390xLayouts => {
                Since(Layer::Fcos, 6)
            }
            Self::LayoutRequired | Self::LuksMethodRequired => Since(Layer::Fcos, 7),
        }
    }
}

impl Dialect {
    /// Finds a dialect by the two keys of a config.
    pub(crate) fn find(variant: &str, version: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|d| d.variant == variant && d.version == version)
    }

    /// Returns the dialect of plain Ignition configs of spec `3.minor.0`.
    pub(crate) fn of_ignition(minor: u8) -> Self {
        Self { variant: "ignition", base: minor + 1, ignition: minor, ..PLAIN }
    }

    /// Returns whether a layer is there in a version or a later one.
    pub(crate) fn reaches(&self, since: Since) -> bool {
        let (have, minor) = match since {
            Since(Layer::Base | Layer::Variant, minor) => (Some(self.base), minor),
            Since(Layer::Fcos, minor) => (self.fcos, minor),
            Since(Layer::Openshift, minor) => (self.openshift, minor),
        };
        have.is_some_and(|have| have >= minor)
    }

    /// Returns whether this version has a field.
    pub(crate) fn has(&self, field: &Field) -> bool {
        self.reaches(field.since) || (field.extension && self.variant == "nestos")
    }

    /// Returns whether this version behaves in a way.
    pub(crate) fn does(&self, feature: Feature) -> bool {
        let left_out = self.openshift.is_some()
            && matches!(feature, Feature::MountPointRules | Feature::NoReuseByLabel);
        self.reaches(feature.since()) && !left_out
    }

    /// Returns whether contents may be compressed: the first machine configs did not allow it.
    pub(crate) fn compresses(&self) -> bool {
        self.openshift.is_none_or(|minor| minor >= 10)
    }

    /// Returns the qualified name of a type, as the reference compiler prints it.
    pub(crate) fn type_name(&self, shape: &Shape) -> String {
        let former = shape.formerly.filter(|(_, until)| !self.reaches(*until));
        let name = former.map_or(shape.name, |(name, _)| name);
        format!("{}.{name}", self.package(shape.home))
    }

    /// Returns the name of the layer of the reference compiler that defines a type.
    pub(crate) fn package(&self, home: Layer) -> String {
        let suffix = if self.base == EXPERIMENTAL_BASE { "_exp" } else { "" };
        match (home, self.fcos) {
            (Layer::Base, _) | (Layer::Fcos, None) => format!("v0_{}{suffix}", self.base),
            (Layer::Fcos, Some(minor)) => format!("v1_{minor}{suffix}"),
            // What nestos is called in the reference is not known; it is fcos 1.4 otherwise.
            (Layer::Variant, Some(minor)) if self.openshift.is_none() => {
                format!("v1_{minor}{suffix}")
            }
            (Layer::Openshift | Layer::Variant, _) => {
                let mut numbers = self.version.split('.');
                let (major, minor) = (numbers.next(), numbers.next());
                format!("v{}_{}{suffix}", major.unwrap_or("0"), minor.unwrap_or("0"))
            }
        }
    }

    /// Returns the version of the Ignition spec that is generated.
    pub(crate) fn ignition_version(&self) -> String {
        ignition_version(self.ignition)
    }
}

/// Returns the name of Ignition spec `3.minor`.
pub(crate) fn ignition_version(minor: u8) -> String {
    let suffix = if minor == EXPERIMENTAL_IGNITION { "-experimental" } else { "" };
    format!("3.{minor}.0{suffix}")
}
