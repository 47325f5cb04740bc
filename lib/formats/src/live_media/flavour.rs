//! The two families of media, which differ in names alone.

use std::fmt;

/// Whose names a medium uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavour {
    /// NestOS.
    Nestos,
    /// Fedora CoreOS, and what is made of it.
    Coreos,
}

/// Kernel arguments of a live system that begin with the flavour's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveOption {
    /// Name of the volume that the system runs from.
    LiveIso,
    /// Run from RAM, so that the medium can be taken out.
    FromRam,
    /// Where the rootfs is fetched from.
    RootfsUrl,
    /// The disk to install to.
    InstallDevice,
}

impl Flavour {
    /// All of them; the first is ours.
    pub const ALL: [Self; 2] = [Self::Nestos, Self::Coreos];

    /// Returns the name that paths, units and kernel arguments are made of; also the directory in
    /// the ISO.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nestos => "nestos",
            Self::Coreos => "coreos",
        }
    }

    /// Returns the name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Nestos => "NestOS",
            Self::Coreos => "CoreOS",
        }
    }

    /// Returns the path of `igninfo.json` in the ISO.
    pub fn igninfo(self) -> String {
        format!("{self}/igninfo.json")
    }

    /// Returns the path of `kargs.json` in the ISO.
    pub fn kargs(self) -> String {
        format!("{self}/kargs.json")
    }

    /// Returns the path of `features.json` in the ISO.
    pub fn features(self) -> String {
        format!("{self}/features.json")
    }

    /// Returns the path of `miniso.dat` in the ISO.
    pub fn miniso(self) -> String {
        format!("{self}/miniso.dat")
    }

    /// Returns the path in the initramfs of the stamp of a live one: its build, and a line break.
    pub fn initrd_stamp(self) -> String {
        format!("etc/{self}-live-initramfs")
    }

    /// Returns the path of the stamp that comes with the rootfs.
    pub fn rootfs_stamp(self) -> String {
        format!("etc/{self}-live-rootfs")
    }

    /// Returns the path in the initramfs of the stream hash of the rootfs.
    pub fn want_rootfs(self) -> String {
        format!("etc/{self}-live-want-rootfs")
    }

    /// Returns the path of `features.json` in the initramfs.
    pub fn initrd_features(self) -> String {
        format!("etc/{self}/features.json")
    }

    /// Returns the directory in the initramfs for NetworkManager's keyfiles.
    pub fn firstboot_network(self) -> String {
        format!("etc/{self}-firstboot-network")
    }

    /// Returns the directory of the installer's option files in the live system.
    pub fn installer_d(self) -> String {
        format!("/etc/{self}/installer.d")
    }

    /// Returns the path of the config for the installed system, in the live system.
    pub fn dest_ignition(self) -> String {
        format!("/etc/{self}/dest.ign")
    }

    /// Returns a unit of the unattended installation, such as `nestos-installer-pre.target` for
    /// `-pre.target`.
    pub fn installer_unit(self, rest: &str) -> String {
        format!("{self}-installer{rest}")
    }

    /// Returns the name of a kernel argument, such as `nestos.liveiso`.
    pub fn karg(self, option: LiveOption) -> String {
        let rest = match option {
            LiveOption::LiveIso => "liveiso",
            LiveOption::FromRam => "liveiso.fromram",
            LiveOption::RootfsUrl => "live.rootfs_url",
            LiveOption::InstallDevice => "inst.install_dev",
        };
        format!("{self}.{rest}")
    }

    /// Returns the comment that follows the area for kernel arguments in a menu.
    pub fn area_marker(self) -> &'static str {
        match self {
            Self::Nestos => " NESTOS_KARG_EMBED_AREA",
            Self::Coreos => " COREOS_KARG_EMBED_AREA",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_the_flavour() {
        let of = |f: Flavour| {
            [
                f.igninfo(),
                f.initrd_stamp(),
                f.rootfs_stamp(),
                f.want_rootfs(),
                f.initrd_features(),
                f.firstboot_network(),
                f.installer_unit("-pre.target"),
                f.karg(LiveOption::RootfsUrl),
            ]
        };
        let [nestos, coreos] = Flavour::ALL.map(of);
        assert_eq!(
            nestos,
            [
                "nestos/igninfo.json",
                "etc/nestos-live-initramfs",
                "etc/nestos-live-rootfs",
                "etc/nestos-live-want-rootfs",
                "etc/nestos/features.json",
                "etc/nestos-firstboot-network",
                "nestos-installer-pre.target",
                "nestos.live.rootfs_url",
            ]
        );
        assert_eq!(coreos, nestos.map(|name| name.replace("nestos", "coreos")));
    }
}
