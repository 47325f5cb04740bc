//! Where the root file system of a live system comes from, decided from the kernel command line
//! and from what the boot loader put into the initramfs.

use std::path::Path;

use nestos_formats::command_line::CommandLine;
use nestos_formats::live_media;

/// Where the medium is mounted, also in the real root.
pub(crate) const ISO_MOUNT: &str = "/run/media/iso";
/// The root file system that a boot loader appended to the initramfs.
const APPENDED: &str = "/root.squashfs";
/// The root file system in RAM, when it was fetched or copied.
pub(crate) const IN_RAM: &str = "/run/nestos-rootfs/rootfs.img";

/// Where the root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is already here.
    Appended,
    /// A medium with this label.
    Iso {
        /// Name of the volume.
        label: String,
        /// Whether the medium is needed further on.
        keep: Keep,
    },
    /// A server.
    Url(String),
    /// Nothing says where.
    Nowhere,
}

/// What the system runs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The medium, which stays mounted.
    Medium,
    /// A copy in RAM; the medium can be taken out.
    Copy,
}

impl Source {
    /// Decides. What is already here is taken before anything is looked for.
    pub(crate) fn of(line: &CommandLine, appended: Appended) -> Self {
        if appended == Appended::Yes {
            return Self::Appended;
        }
        if let Some(label) = line.own("liveiso") {
            let keep = if line.own_flag("liveiso.fromram") { Keep::Copy } else { Keep::Medium };
            return Self::Iso { label: label.to_owned(), keep };
        }
        line.own("live.rootfs_url").map_or(Self::Nowhere, |url| Self::Url(url.to_owned()))
    }

    /// Returns the file that is mounted, and where in it the file system begins.
    pub(crate) fn file(&self) -> (String, u64) {
        let at = live_media::ROOT_SQUASHFS_AT;
        match self {
            Self::Appended => (APPENDED.to_owned(), 0),
            Self::Iso { keep: Keep::Medium, .. } => {
                (format!("{ISO_MOUNT}/{}", live_media::ROOTFS), at)
            }
            Self::Iso { keep: Keep::Copy, .. } | Self::Url(_) | Self::Nowhere => {
                (IN_RAM.to_owned(), at)
            }
        }
    }
}

/// Whether the boot loader appended a root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is there.
    Yes,
    /// It is not.
    No,
}

impl Appended {
    /// Looks for it.
    pub(crate) fn look() -> Self {
        if Path::new(APPENDED).exists() { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_where_the_root_comes_from() {
        let iso = |keep| Source::Iso { label: "nestos-1".to_owned(), keep };
        let url = Source::Url("http://h/r.img".to_owned());
        for (line, expected) in [
            ("nestos.liveiso=nestos-1", iso(Keep::Medium)),
            ("coreos.liveiso=nestos-1", iso(Keep::Medium)),
            ("nestosos.liveiso=nestos-1 coreos.liveiso.fromram", iso(Keep::Copy)),
            ("nestos.liveiso=nestos-1 nestos.liveiso.fromram=no", iso(Keep::Medium)),
            ("coreos.live.rootfs_url=http://h/r.img", url.clone()),
            ("nestos.live.rootfs_url=http://old/ nestos.live.rootfs_url=http://h/r.img", url),
            ("nestos.live.rootfs_url= quiet", Source::Nowhere),
        ] {
            assert_eq!(Source::of(&CommandLine::parse(line), Appended::No), expected, "{line}");
            assert_eq!(Source::of(&CommandLine::parse(line), Appended::Yes), Source::Appended);
        }
    }
}
