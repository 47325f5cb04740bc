//! Devices stacked on others: LVM, md RAID, encryption, multipath, loop devices.

use super::{Free, Sources, Tree, Use, names_in, node, read_trimmed, same_device};

/// Length of `LVM-` and the identifier of a volume group, with which the identifiers of all its
/// volumes begin.
const LVM_GROUP: usize = 36;

impl Sources {
    /// Returns the multipath device that a disk is one path to.
    pub(crate) fn multipath_above(&self, name: &str) -> Option<String> {
        let holders = names_in(&self.block(name).join("holders"));
        let holder = holders.iter().find(|h| self.mapped(h).1.starts_with("mpath-"))?;
        Some(node(&self.sysfs, holder))
    }

    /// Returns the name and the identifier that the device mapper has for a device.
    fn mapped(&self, name: &str) -> (String, String) {
        let dir = self.block(name);
        (read_trimmed(&dir.join("dm/name")), read_trimmed(&dir.join("dm/uuid")))
    }

    /// Lists the volumes of the volume group that a device belongs to.
    fn volumes_beside(&self, name: &str) -> Vec<String> {
        let uuid = self.mapped(name).1;
        let Some(group) = uuid.get(..LVM_GROUP).filter(|id| id.starts_with("LVM-")) else {
            return Vec::new();
        };
        let mut names = names_in(&self.sysfs.join("class/block"));
        names.retain(|n| n.starts_with("dm-") && self.mapped(n).1.starts_with(group));
        names
    }
}

impl Tree<'_> {
    pub(super) fn collect_stack(&mut self, name: &str) {
        let device = node(&self.sources.sysfs, name);
        for holder in self.holders(name) {
            // Only the whole group can be shut down, so its other volumes have to be free too.
            let group = self.sources.volumes_beside(&holder);
            for volume in &group {
                self.collect(volume);
            }
            self.collect(&holder);
            if !group.iter().any(|volume| volume == name) {
                let stacked = self.stacked(&device, &holder, &group);
                self.found.push(stacked);
            }
        }
        self.collect_loops(|file| same_device(file, &device));
    }

    /// Lists the devices on `name`; arrays inside a container of a BIOS RAID before the container.
    fn holders(&self, name: &str) -> Vec<String> {
        let mut holders = names_in(&self.sources.block(name).join("holders"));
        let inside = |holder: &String| {
            let version = self.sources.block(holder).join("md/metadata_version");
            read_trimmed(&version).starts_with("external:/")
        };
        holders.sort_by_key(|holder| !inside(holder));
        holders
    }

    /// Adds the loop devices whose file `ours` is true of.
    pub(super) fn collect_loops(&mut self, ours: impl Fn(&str) -> bool) {
        for name in names_in(&self.sources.sysfs.join("block")) {
            let file = self.sources.sysfs.join("block").join(&name).join("loop/backing_file");
            let file = read_trimmed(&file);
            if file.is_empty() || !ours(&file) || self.seen.contains(&name) {
                continue;
            }
            self.collect(&name);
            let device = node(&self.sources.sysfs, &name);
            let free = Free::run(&["losetup", "--detach", &device]);
            self.found.push(Use { device: file, what: format!("attached to {device}"), free });
        }
    }

    fn stacked(&self, device: &str, holder: &str, group: &[String]) -> Use {
        let (name, uuid) = self.sources.mapped(holder);
        let holder_node = node(&self.sources.sysfs, holder);
        let (what, free) = if uuid.starts_with("LVM-") {
            let vg = volume_group(&name);
            let volume = format!("in use by LVM volume {name}");
            (volume + &self.elsewhere(group), Free::run(&["vgchange", "-an", &vg]))
        } else if uuid.starts_with("CRYPT-") {
            let what = format!("in use by encrypted device {name}");
            (what, Free::run(&["cryptsetup", "close", &name]))
        } else if uuid.starts_with("mpath-") {
            let what = format!("one path to the multipath device {holder_node}");
            (
                what,
                Free::Ask(format!("install to {holder_node}, or dissolve it: multipath -f {name}")),
            )
        } else if !name.is_empty() {
            let what = format!("in use by device-mapper {name}");
            (what, Free::run(&["dmsetup", "remove", &name]))
        } else if holder.starts_with("md") {
            let what = format!("in use by RAID {holder}");
            let others = self.elsewhere(&[holder.to_owned()]);
            (what + &others, Free::run(&["mdadm", "--stop", &holder_node]))
        } else {
            let what = format!("in use by {holder}");
            (what, Free::Ask(format!("release {holder_node}")))
        };
        Use { device: device.to_owned(), what, free }
    }

    /// Says which other disks the devices are made of.
    fn elsewhere(&self, devices: &[String]) -> String {
        let below = devices.iter().flat_map(|d| names_in(&self.sources.block(d).join("slaves")));
        let own = self.sources.block(&self.disk);
        let mut others: Vec<String> = below
            .filter(|n| !devices.contains(n) && !self.seen.contains(n))
            .filter(|n| *n != self.disk && !own.join(n).exists())
            .map(|n| node(&self.sources.sysfs, &n))
            .collect();
        others.sort();
        others.dedup();
        if others.is_empty() { String::new() } else { format!(", also on {}", others.join(", ")) }
    }
}

/// Takes the volume group from a device-mapper name, in which `-` is written `--`.
fn volume_group(name: &str) -> String {
    let marked = name.replace("--", "\0");
    marked.split('-').next().unwrap_or_default().replace('\0', "-")
}
