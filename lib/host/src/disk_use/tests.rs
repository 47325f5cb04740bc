use super::release::commands;
use super::*;
use crate::test_machine::{link, machine};

fn told(uses: &[Use]) -> Vec<String> {
    uses.iter().map(|u| format!("{} {}", u.device, u.what)).collect()
}

const DISK: [(&str, &str); 5] = [
    ("sys/class/block/vda/dev", "254:0\n"),
    ("sys/class/block/vda/vda1/partition", "1\n"),
    ("sys/class/block/vda/vda2/partition", "2\n"),
    ("sys/class/block/vda1/dev", "254:1\n"),
    ("sys/class/block/vda2/dev", "254:2\n"),
];

fn with_disk(files: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
    machine(&[&DISK, files].concat())
}

#[test]
fn every_user_is_listed_topmost_first_with_the_command_that_frees_it() {
    let (_dir, sources) = with_disk(&[
        ("sys/class/block/vda2/holders/dm-0/x", ""),
        ("sys/class/block/dm-0/dev", "253:0\n"),
        ("sys/class/block/dm-0/dm/name", "my--vg-data\n"),
        ("sys/class/block/dm-0/dm/uuid", "LVM-abcdefghijklmnopqrstuvwxyzabcdef1\n"),
        ("proc/self/mountinfo", "1 0 253:0 / /srv/my\\040data rw - ext4 /dev/mapper/x rw\n"),
        ("proc/swaps", "Filename Type Size\n/dev/vda1 partition 1 0 -2\n"),
    ]);
    let uses = sources.uses_of("vda");
    assert_eq!(
        told(&uses),
        [
            "/dev/vda1 used as swap",
            "/dev/mapper/my--vg-data mounted on /srv/my data",
            "/dev/vda2 in use by LVM volume my--vg-data",
        ]
    );
    assert_eq!(
        commands(&uses),
        ["swapoff /dev/vda1", "umount '/srv/my data'", "vgchange -an my-vg"]
    );
}

#[test]
fn a_volume_group_on_two_disks_is_shut_down_once_and_after_all_its_volumes_are_free() {
    let group = "LVM-abcdefghijklmnopqrstuvwxyzabcdef";
    let (_dir, sources) = with_disk(&[
        ("sys/class/block/vda1/holders/dm-0/x", ""),
        ("sys/class/block/vda2/holders/dm-0/x", ""),
        ("sys/class/block/dm-0/dm/name", "vg-one\n"),
        ("sys/class/block/dm-0/dm/uuid", &format!("{group}1\n")),
        ("sys/class/block/dm-0/slaves/vda1/x", ""),
        ("sys/class/block/dm-0/slaves/vda2/x", ""),
        ("sys/class/block/dm-1/dev", "253:1\n"),
        ("sys/class/block/dm-1/dm/name", "vg-two\n"),
        ("sys/class/block/dm-1/dm/uuid", &format!("{group}2\n")),
        ("sys/class/block/dm-1/slaves/sdb1/x", ""),
        ("proc/self/mountinfo", "1 0 253:1 / /srv rw - ext4 /dev/mapper/vg-two rw\n"),
    ]);
    let uses = sources.uses_of("vda");
    assert_eq!(
        told(&uses),
        [
            "/dev/mapper/vg-two mounted on /srv",
            "/dev/vda1 in use by LVM volume vg-one, also on /dev/sdb1",
            "/dev/vda2 in use by LVM volume vg-one, also on /dev/sdb1",
        ]
    );
    assert_eq!(commands(&uses), ["umount /srv", "vgchange -an vg"]);
}

#[test]
fn encryption_on_raid_is_closed_before_the_array_is_stopped() {
    let (_dir, sources) = with_disk(&[
        ("sys/class/block/vda1/holders/md127/x", ""),
        ("sys/class/block/md127/slaves/vda1/x", ""),
        ("sys/class/block/md127/slaves/vdb1/x", ""),
        ("sys/class/block/md127/holders/dm-3/x", ""),
        ("sys/class/block/dm-3/dm/name", "luks-1\n"),
        ("sys/class/block/dm-3/dm/uuid", "CRYPT-LUKS2-1\n"),
    ]);
    let uses = sources.uses_of("vda");
    assert_eq!(
        told(&uses),
        [
            "/dev/md127 in use by encrypted device luks-1",
            "/dev/vda1 in use by RAID md127, also on /dev/vdb1",
        ]
    );
    assert_eq!(commands(&uses), ["cryptsetup close luks-1", "mdadm --stop /dev/md127"]);
}

#[test]
fn arrays_are_stopped_before_the_container_of_a_bios_raid() {
    let (_dir, sources) = with_disk(&[
        ("sys/class/block/vda/holders/md126/x", ""),
        ("sys/class/block/vda/holders/md127/x", ""),
        ("sys/class/block/md126/md/metadata_version", "external:imsm\n"),
        ("sys/class/block/md127/md/metadata_version", "external:/md126/0\n"),
    ]);
    let commands = commands(&sources.uses_of("vda"));
    assert_eq!(commands, ["mdadm --stop /dev/md127", "mdadm --stop /dev/md126"]);
}

#[test]
fn what_lies_on_a_mount_goes_before_it() {
    let (_dir, sources) = with_disk(&[
        ("sys/block/loop0/loop/backing_file", "/srv/image\n"),
        ("sys/class/block/loop0/dev", "7:0\n"),
        ("sys/block/loop1/loop/backing_file", "/dev/vda2\n"),
        (
            "proc/self/mountinfo",
            "20 1 254:1 / /srv rw - ext4 /dev/vda1 rw\n\
             21 20 0:40 / /srv/tmp rw - tmpfs none rw\n\
             22 1 254:1 /dir /mnt/bound rw - ext4 /dev/vda1 rw\n\
             23 1 7:0 / /mnt/image rw - ext4 /dev/loop0 rw\n\
             24 1 0:41 / /mnt/over rw - overlay overlay rw,lowerdir=/usr:/srv/l,upperdir=/u\n",
        ),
        ("proc/swaps", "Filename Type Size\n/srv/swapfile file 1 0 -2\n"),
    ]);
    let uses = sources.uses_of("vda");
    assert_eq!(
        commands(&uses),
        [
            "umount /mnt/bound",
            "umount /mnt/over",
            "umount /srv/tmp",
            "umount /mnt/image",
            "losetup --detach /dev/loop0",
            "swapoff /srv/swapfile",
            "umount /srv",
            "losetup --detach /dev/loop1",
        ]
    );
    assert_eq!(uses[4].what, "attached to /dev/loop0");
}

#[test]
fn a_btrfs_is_found_by_any_of_its_devices() {
    let (_dir, sources) = with_disk(&[
        ("sys/fs/btrfs/uuid/devices/vda2/x", ""),
        ("sys/fs/btrfs/uuid/devices/vdb/x", ""),
        ("proc/self/mountinfo", "1 0 0:30 / /data rw - btrfs /dev/vdb rw\n"),
    ]);
    assert_eq!(told(&sources.uses_of("vda")), ["/dev/vda2 mounted on /data"]);
}

#[test]
fn mounts_of_containers_are_named_unless_they_are_copies_of_ours() {
    let mount = "1 0 254:1 / /data rw - ext4 /dev/vda1 rw\n";
    let both = format!("{mount}2 0 254:2 / /own\\040one rw - ext4 /dev/vda2 rw\n");
    let (dir, sources) = with_disk(&[
        ("proc/self/mountinfo", mount),
        ("proc/70/mountinfo", &both),
        ("proc/70/comm", "httpd\n"),
        ("proc/71/mountinfo", &both),
    ]);
    link(dir.path(), "proc/self/ns/mnt", "mnt:[1]");
    link(dir.path(), "proc/70/ns/mnt", "mnt:[2]");
    link(dir.path(), "proc/71/ns/mnt", "mnt:[2]");
    let uses = sources.uses_of("vda");
    assert_eq!(
        told(&uses),
        [
            "/dev/vda1 mounted on /data",
            "/dev/vda2 mounted on /own one in the mount namespace of httpd (process 70)",
        ]
    );
    let commands = commands(&uses);
    assert_eq!(commands[1], "nsenter --target 70 --mount umount '/own one'");
}

#[test]
fn programs_that_have_the_disk_or_files_on_it_open_come_first() {
    let (dir, sources) = with_disk(&[
        ("proc/self/mountinfo", "1 0 254:1 / /data rw - ext4 /dev/vda1 rw\n"),
        ("proc/41/comm", "bash\n"),
        ("proc/42/comm", "dd\n"),
        ("proc/43/comm", "(udev-worker)\n"),
    ]);
    link(dir.path(), "proc/41/cwd", "/data/work");
    link(dir.path(), "proc/42/fd/3", "/dev/vda2");
    link(dir.path(), "proc/43/fd/3", "/dev/vda");
    let uses = sources.uses_and_programs("vda");
    assert_eq!(
        told(&uses),
        [
            "/data open in bash (process 41)",
            "/dev/vda2 open in dd (process 42)",
            "/dev/vda1 mounted on /data",
        ]
    );
    let mut said = Vec::new();
    let refused = release(Path::new("/dev/vda"), &sources, |line| said.push(line.to_owned()));
    let lines = crate::term::error_lines(&refused.unwrap_err()).join("\n");
    assert!(lines.contains("some of its uses only you can end"), "{lines}");
    assert!(lines.contains("end bash: kill 41\n    end dd: kill 42"), "{lines}");
    assert_eq!(said, [""; 0]);
}

#[test]
fn what_the_running_system_needs_is_never_released() {
    for place in ["/", "/usr", "/boot", "/boot/efi", "/sysroot", "/run/media/iso"] {
        let mountinfo = format!(
            "1 0 254:1 / /data rw - ext4 /dev/vda1 rw\n2 0 254:2 / {place} rw - ext4 /dev/vda2 rw\n"
        );
        let (_dir, sources) = with_disk(&[("proc/self/mountinfo", &mountinfo)]);
        let refused = release(Path::new("/dev/vda"), &sources, |_| {}).unwrap_err();
        let lines = crate::term::error_lines(&refused).join("\n");
        let want = format!("it holds the running system\n    /dev/vda2 is mounted on {place}");
        assert!(lines.contains(&want), "{lines}");
        assert!(lines.contains("hint: choose another disk"), "{lines}");
    }
}

#[test]
fn swap_that_does_not_fit_into_memory_stays() {
    let (_dir, sources) = with_disk(&[
        ("proc/swaps", "Filename Type Size\n/dev/vda1 partition 9000 5000 -2\n"),
        ("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 4000 kB\n"),
    ]);
    let uses = sources.uses_of("vda");
    assert!(matches!(&uses[0].free, Free::Ask(why) if why.contains("more than fits")));
}
