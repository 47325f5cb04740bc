use super::*;
use crate::test_machine::{link, machine};

#[test]
fn disks_are_listed_with_what_is_on_them_and_what_stands_in_the_way() {
    let (_dir, mut sources) = machine(&[
        ("sys/block/sda/size", "2048\n"),
        ("sys/block/sda/device/model", "QEMU HARDDISK   \n"),
        ("sys/block/sda/sda2/partition", "2\n"),
        ("sys/block/sda/sda2/start", "1024\n"),
        ("sys/block/sda/sda2/size", "512\n"),
        ("sys/block/sda/sda2/uevent", "DEVNAME=sda2\n"),
        ("sys/block/sda/sda1/partition", "1\n"),
        ("sys/block/sda/sda1/uevent", "PARTNAME=EFI-SYSTEM\n"),
        ("sys/block/sdb/size", "4096\n"),
        ("proc/swaps", "Filename\n/dev/sdb partition\n"),
        ("sys/block/sr0/size", "4096\n"),
        ("sys/block/zram0/size", "4096\n"),
        ("sys/block/loop0/size", "4096\n"),
        ("sys/block/mmcblk0boot0/size", "4096\n"),
        ("sys/block/dm-0/size", "4096\n"),
        ("sys/block/nvme0c0n1/size", "4096\n"),
        ("sys/block/nvme0c0n1/hidden", "1\n"),
        ("sys/block/sdc/size", "0\n"),
    ]);
    sources.probe = Probe::Recorded(
        "DEVNAME=/dev/sda2\nLABEL=my\\ data\nTYPE=xfs\nPART_ENTRY_TYPE=0FC63DAF\n\n\
         DEVNAME=/dev/sda\nPTTYPE=gpt\n"
            .to_owned(),
    );
    let disks = list(&sources);
    assert_eq!(disks.len(), 2, "{disks:?}");
    let sda = &disks[0];
    assert_eq!((sda.model.as_str(), sda.size), ("QEMU HARDDISK", 1024 * 1024));
    assert_eq!((sda.table.as_deref(), sda.system), (Some("gpt"), Some(System::Linux)));
    let titles: Vec<&str> = sda.partitions.iter().map(Partition::title).collect();
    assert_eq!((titles, sda.obstacle.clone()), (vec!["EFI-SYSTEM", "sda2"], None));
    let data = &sda.partitions[1];
    assert_eq!((data.start, data.size), (512 * 1024, 256 * 1024));
    assert_eq!(data.content.as_ref().unwrap().to_string(), "xfs \"my data\"");
    assert_eq!(disks[1].obstacle.as_ref().unwrap().to_string(), "/dev/sdb is used as swap");
    assert!(disks[1].is_empty() && !sda.is_empty());
}

#[test]
fn names_of_the_maker_come_from_wherever_the_bus_puts_them() {
    let (dir, sources) = machine(&[
        ("sys/devices/pci0/ata1/host0/block/sda/size", "2048\n"),
        ("sys/devices/pci0/ata1/host0/block/sda/queue/rotational", "1\n"),
        ("sys/devices/pci0/ata1/host0/block/sda/device/vpd_pg80", "\0\0\0\u{8}   S3R1A\n"),
        ("sys/devices/pci0/ata1/host0/block/sda/device/wwid", "naa.5000c500a1b2c3d4\n"),
        ("sys/devices/pci0/usb1/1-1/idVendor", "0781\n"),
        ("sys/devices/pci0/usb1/1-1/serial", "4C5300\n"),
        ("sys/devices/pci0/usb1/1-1/host6/block/sdb/size", "2048\n"),
        ("sys/devices/pci0/usb1/1-1/host6/block/sdb/removable", "1\n"),
        ("sys/devices/pci0/nvme/nvme0/nvme0n1/size", "2048\n"),
        ("sys/devices/pci0/nvme/nvme0/nvme0n1/queue/logical_block_size", "4096\n"),
        ("sys/devices/pci0/nvme/nvme0/nvme0n1/wwid", "eui.0025385b71b0c2a1\n"),
        ("sys/devices/pci0/nvme/nvme0/nvme0n1/device/serial", "S4EW   \n"),
        ("sys/devices/pci0/virtio1/block/vda/size", "2048\n"),
        ("sys/devices/pci0/virtio1/block/vda/serial", "disk-1\n"),
        ("sys/devices/pci0/virtio1/block/vda/diskseq", "7\n"),
        ("sys/devices/pci0/virtio1/block/vda/dev", "254:0\n"),
        ("dev/disk/x", ""),
    ]);
    for (name, device) in [
        ("sda", "pci0/ata1/host0/block/sda"),
        ("sdb", "pci0/usb1/1-1/host6/block/sdb"),
        ("nvme0n1", "pci0/nvme/nvme0/nvme0n1"),
        ("vda", "pci0/virtio1/block/vda"),
    ] {
        link(dir.path(), &format!("sys/block/{name}"), &format!("../devices/{device}"));
    }
    link(dir.path(), "dev/disk/by-path/pci-0000:00:02.0", "../../vda");
    let told: Vec<_> = list(&sources)
        .into_iter()
        .map(|d| {
            let name = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{} {} {} {}", d.device, d.transport, name(&d.serial), name(&d.wwn))
        })
        .collect();
    assert_eq!(
        told,
        [
            "/dev/nvme0n1 nvme S4EW eui.0025385b71b0c2a1",
            "/dev/sda sata S3R1A 0x5000c500a1b2c3d4",
            "/dev/sdb usb 4C5300 ",
            "/dev/vda virtio disk-1 ",
        ]
    );
    let disks = list(&sources);
    assert!(disks[1].rotational && disks[2].removable && disks[0].sector_size == 4096);
    assert_eq!(disks[3].links, ["/dev/disk/by-path/pci-0000:00:02.0"]);
    assert_eq!(disks[3].number, DeviceNumber { device: "254:0".to_owned(), sequence: Some(7) });
}

#[test]
fn a_disk_under_the_running_system_or_under_multipath_is_not_for_installing() {
    let (_dir, sources) = machine(&[
        ("sys/block/sda/size", "2048\n"),
        ("sys/class/block/sda/sda1/partition", "1\n"),
        ("sys/class/block/sda1/dev", "8:1\n"),
        ("proc/self/mountinfo", "1 0 8:1 / /run/media/iso ro - iso9660 /dev/sda1 ro\n"),
        ("sys/block/sdb/size", "2048\n"),
        ("sys/class/block/sdb/holders/dm-0/x", ""),
        ("sys/block/dm-0/size", "2048\n"),
        ("sys/block/dm-0/dm/uuid", "mpath-36\n"),
        ("sys/class/block/dm-0/dm/uuid", "mpath-36\n"),
        ("sys/class/block/dm-0/dm/name", "mpatha\n"),
        ("sys/block/sdc/size", "2048\n"),
        ("sys/block/sdc/ro", "1\n"),
    ]);
    let disks = list(&sources);
    let told: Vec<_> = disks.iter().map(|d| d.obstacle.as_ref().unwrap().to_string()).collect();
    assert_eq!(
        told,
        [
            "holds the running system: /dev/sda1 is mounted on /run/media/iso",
            "one path to the multipath device /dev/mapper/mpatha",
            "read-only",
        ]
    );
    let named: Vec<_> = all(&sources).into_iter().map(|d| d.device).collect();
    assert_eq!(named, ["/dev/mapper/mpatha", "/dev/sda", "/dev/sdb", "/dev/sdc"]);
}

#[test]
fn disks_are_sorted_as_people_count() {
    let mut names = ["sdaa", "nvme10n1", "sdb", "nvme2n1", "vda", "sda"];
    names.sort_by_key(|name| in_order(name));
    assert_eq!(names, ["nvme2n1", "nvme10n1", "sda", "sdb", "sdaa", "vda"]);
}

#[test]
fn the_system_on_a_disk_is_guessed_from_its_partitions() {
    let disk = |partitions: &[(&str, &str, &str)]| {
        let partitions = partitions.iter().map(|(name, type_id, kind)| Partition {
            name: (*name).to_owned(),
            type_id: Some((*type_id).to_owned()),
            content: Some(Content { kind: (*kind).to_owned(), label: None }),
            ..Partition::default()
        });
        System::on(&Disk { partitions: partitions.collect(), ..Disk::default() })
    };
    let nestos = [("EFI-SYSTEM", "", "vfat"), ("boot", "", "ext4"), ("root", "", "xfs")];
    assert_eq!(disk(&nestos), Some(System::NestOs));
    let msr = "e3c9e316-0b5c-4db8-817d-f92df00215ae";
    assert_eq!(disk(&[("", msr, ""), ("", "", "ntfs")]), Some(System::Windows));
    assert_eq!(disk(&[("", "", "vfat"), ("", "", "LVM2_member")]), Some(System::Linux));
    assert_eq!(disk(&[("data", "", "vfat")]), None);
}
