//! Names that the system itself uses: a user of the same name could not be made at the first boot,
//! or would be somebody else.

use std::collections::BTreeSet;
use std::fs;

/// Where users and groups are listed: of this machine, and of the image (nss-altfiles). The live
/// system and the new one come from the same tree.
const FILES: [&str; 4] = ["/etc/passwd", "/usr/lib/passwd", "/etc/group", "/usr/lib/group"];

/// Numbers of people (login.defs(5)); all others are the system's.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60000;

/// Users and groups that there are even where no list says so.
const BUILT_IN: [&str; 88] = [
    "adm",
    "apache",
    "audio",
    "avahi",
    "backup",
    "bin",
    "cdrom",
    "chrony",
    "clevis",
    "cockpit-ws",
    "containerd",
    "crontab",
    "daemon",
    "dbus",
    "dialout",
    "dip",
    "disk",
    "dnsmasq",
    "docker",
    "etcd",
    "fax",
    "floppy",
    "ftp",
    "fuse",
    "games",
    "gnats",
    "gopher",
    "halt",
    "input",
    "irc",
    "isula",
    "isulad",
    "kmem",
    "kube",
    "kvm",
    "libvirt",
    "list",
    "lock",
    "lp",
    "lxc-dnsmasq",
    "mail",
    "man",
    "messagebus",
    "named",
    "news",
    "nfsnobody",
    "nginx",
    "nobody",
    "nogroup",
    "ntp",
    "operator",
    "plugdev",
    "podman",
    "polkitd",
    "printadmin",
    "proxy",
    "qemu",
    "render",
    "root",
    "rpc",
    "rpcuser",
    "sasl",
    "saned",
    "screen",
    "shadow",
    "shutdown",
    "src",
    "ssh_keys",
    "sshd",
    "sssd",
    "staff",
    "sudo",
    "sync",
    "sys",
    "systemd-coredump",
    "systemd-journal",
    "systemd-network",
    "systemd-oom",
    "systemd-resolve",
    "systemd-timesync",
    "tape",
    "tcpdump",
    "tss",
    "tty",
    "users",
    "utmp",
    "uucp",
    "wheel",
];

/// Names that are taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    /// Reads the names of this system.
    pub(super) fn here() -> Self {
        // What is not there lists nobody; the names built in are refused anyway.
        let texts: Vec<String> =
            FILES.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        Self::listed_in(texts.iter().map(String::as_str))
    }

    /// Takes the names in files like passwd(5) and group(5) whose numbers are no person's.
    fn listed_in<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let name = |line: &str| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            let person = number.parse().is_ok_and(|n| PEOPLE.contains(&n));
            (!person && !name.is_empty()).then(|| name.to_owned())
        };
        Self(texts.into_iter().flat_map(str::lines).filter_map(name).collect())
    }

    /// Returns whether a name is one of them, or one that every system has.
    pub(super) fn has(&self, name: &str) -> bool {
        BUILT_IN.contains(&name) || self.0.contains(name) || name.starts_with("systemd-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_of_the_system_are_taken_and_those_of_people_are_not() {
        let passwd = "root:x:0:0::/root:/bin/sh\nweird:x:971:971::/:/sbin/nologin\n\
                      core:x:1000:1000::/home/core:/bin/bash\nhigh:x:65534:65534::/:/x\n";
        let group = "special:x:5:\ncore:x:1000:\n\nbroken\n";
        let taken = Taken::listed_in([passwd, group]);
        for name in ["root", "weird", "high", "special", "docker", "wheel", "sudo", "halt"] {
            assert!(taken.has(name), "{name}");
        }
        for name in ["core", "nest", "broken", ""] {
            assert!(!taken.has(name), "{name}");
        }
    }
}
