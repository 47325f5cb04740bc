use nestos_host::disk_use::{Free, Use};
use nestos_host::disks::{Content, Transport};
use nestos_host::term::error_lines;

use super::*;

const GB: u64 = 1_000_000_000;

fn disk(device: &str, size: u64, transport: Transport) -> Disk {
    Disk { device: device.to_owned(), size, transport, probed: true, ..Disk::default() }
}

fn busy() -> Option<Obstacle> {
    let free = Free::Run(vec!["umount".to_owned(), "/data".to_owned()]);
    Some(Obstacle::Busy(Use {
        device: "/dev/sdb1".to_owned(),
        what: "mounted on /data".to_owned(),
        free,
    }))
}

/// A machine with an NVMe disk, two SATA disks (one in use), a USB stick and a loop device.
fn disks() -> Vec<Disk> {
    vec![
        Disk {
            model: "Samsung SSD 970 EVO".to_owned(),
            serial: Some("S4EW1".to_owned()),
            wwn: Some("eui.0025385b71b0c2a1".to_owned()),
            ..disk("/dev/nvme0n1", 500_107_862_016, Transport::Nvme)
        },
        Disk {
            model: "WDC WD40EFRX".to_owned(),
            serial: Some("WD-1".to_owned()),
            wwn: Some("0x50014ee2b5c9d1f3".to_owned()),
            rotational: true,
            links: vec![
                "/dev/disk/by-id/ata-WDC_WD40EFRX_WD-1".to_owned(),
                "/dev/disk/by-path/pci-0000:00:17.0-ata-1".to_owned(),
            ],
            content: Some(Content { kind: "LVM2_member".to_owned(), label: None }),
            ..disk("/dev/sda", 4_000_787_030_016, Transport::Sata)
        },
        Disk {
            model: "WDC WD40EFRX".to_owned(),
            serial: Some("WD-2".to_owned()),
            rotational: true,
            obstacle: busy(),
            ..disk("/dev/sdb", 4_000_787_030_016, Transport::Sata)
        },
        Disk { removable: true, ..disk("/dev/sdc", 16 * GB, Transport::Usb) },
        Disk { offer: Offer::OnlyNamed, ..disk("/dev/loop3", GB, Transport::Loop) },
    ]
}

fn resolve(text: &str, disks: &[Disk]) -> Result<PathBuf> {
    text.parse::<DeviceSpec>()?.resolve(disks)
}

fn refusal(text: &str, disks: &[Disk]) -> String {
    error_lines(&resolve(text, disks).unwrap_err()).join("\n")
}

#[test]
fn conditions_select_the_one_disk_that_meets_them_all() {
    for (selector, device) in [
        ("serial=s4ew1", "/dev/nvme0n1"),
        ("serial=WD-*,size>=1T", "/dev/sda"),
        ("wwn=50014EE2B5C9D1F3", "/dev/sda"),
        ("wwn=wwn-0x50014ee2b5c9d1f3", "/dev/sda"),
        ("wwn=nvme-eui.0025385b71b0c2a1", "/dev/nvme0n1"),
        ("model=samsung*", "/dev/nvme0n1"),
        ("model= Samsung SSD 970 EVO , transport=NVMe", "/dev/nvme0n1"),
        ("path=pci-*-ata-1", "/dev/sda"),
        ("path=/dev/disk/by-path/pci-0000:00:17.0-ata-1", "/dev/sda"),
        ("path=/dev/sda", "/dev/sda"),
        ("id=ata-wdc*", "/dev/sda"),
        ("size=500GB", "/dev/nvme0n1"),
        ("size=500107862016", "/dev/nvme0n1"),
        ("size>=100G,size<=1T", "/dev/nvme0n1"),
        ("rotational=yes", "/dev/sda"),
        ("removable=no,rotational=no", "/dev/nvme0n1"),
        ("removable=no,smallest", "/dev/nvme0n1"),
        ("smallest", "/dev/sdc"),
        ("largest", "/dev/sda"),
        ("empty,largest", "/dev/nvme0n1"),
        ("transport=usb", "/dev/sdc"),
        ("path=/dev/loop*", "/dev/loop3"),
    ] {
        let found = resolve(selector, &disks());
        assert_eq!(found.unwrap(), Path::new(device), "{selector}");
    }
}

#[test]
fn paths_and_words_are_told_apart() {
    for text in ["/dev/sda", "./disk=1.img", "disk.img", "/dev/disk/by-id/a=b", "sda", "a,b"] {
        assert_eq!(text.parse(), Ok(DeviceSpec::Path(PathBuf::from(text))), "{text}");
    }
    for text in ["smallest", "EMPTY,largest", "serial=1", "size>=1G"] {
        let spec: DeviceSpec = text.parse().unwrap();
        assert!(matches!(spec, DeviceSpec::Selector(_)) && spec.to_string() == text, "{text}");
    }
}

#[test]
fn what_no_selector_can_say_is_refused_with_what_was_probably_meant() {
    for (text, want) in [
        ("", "no disk is named"),
        ("seral=1", "unknown condition `seral=1`; did you mean `serial`?"),
        ("sizes>=1G", "unknown condition `sizes>=1G`; did you mean `size`?"),
        ("serial=1,smalest", "unknown condition `smalest`; did you mean `smallest`?"),
        ("size>1G", "`size>1G`: write >=, <= or ="),
        ("serial>=1", "`serial>=1`: only size can be compared"),
        ("serial=", "`serial=`: it needs a value"),
        ("serial=1,,empty", "``: there is nothing between two commas"),
        ("empty=yes", "`empty=yes`: empty stands alone, without a value"),
        ("removable=maybe", "`removable=maybe`: it is yes or no"),
        (
            "smallest,largest",
            "`largest`: a disk is not asked to be both the smallest and the largest",
        ),
    ] {
        assert_eq!(text.parse::<DeviceSpec>().unwrap_err().to_string(), want);
    }
    let told = |text: &str| text.parse::<DeviceSpec>().unwrap_err().to_string();
    assert!(told("transport=nmve").contains("did you mean nvme?"), "{}", told("transport=nmve"));
    assert!(told("size>=10X").contains("`10X` is no size; write bytes, or 500G (1024)"));
    assert!(told("quux=1").contains("(write ./quux=1 for a file)"));
}

#[test]
fn when_nothing_matches_every_disk_is_shown_with_what_it_lacks() {
    let text = refusal("transport=nvme,size>=1T", &disks()[..2]);
    assert_eq!(
        text,
        "error: no disk matches transport=nvme,size>=1T\n    \
         /dev/nvme0n1\n        \
         size=465.7G  transport=nvme  rotational=no  removable=no  empty\n        \
         model=Samsung SSD 970 EVO  serial=S4EW1  wwn=eui.0025385b71b0c2a1\n        \
         does not match: size>=1T\n    \
         /dev/sda\n        \
         size=3.6T  transport=sata  rotational=yes  removable=no\n        \
         model=WDC WD40EFRX  serial=WD-1  wwn=0x50014ee2b5c9d1f3\n        \
         path=pci-0000:00:17.0-ata-1  id=ata-WDC_WD40EFRX_WD-1\n        \
         does not match: transport=nvme\n\
         hint: change the conditions, or give the path of the disk"
    );
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    let none = refusal("smallest", &[]);
    assert!(none.contains("this machine has no disks"), "{none}");
}

#[test]
fn when_several_match_they_are_shown_with_what_tells_them_apart() {
    let mut disks = disks();
    disks[2].obstacle = None;
    let text = refusal("model=wdc*", &disks);
    assert!(text.starts_with("error: 2 disks match model=wdc*; exactly one must\n"), "{text}");
    assert!(!text.contains("/dev/nvme0n1"), "{text}");
    assert!(
        text.ends_with("hint: add what only the one you mean has, such as serial=WD-1"),
        "{text}"
    );
    let tie = refusal("largest", &disks);
    assert!(tie.contains("2 disks are equally large; exactly one must"), "{tie}");
    let twins = [disk("/dev/vda", GB, Transport::Virtio), disk("/dev/vdb", GB, Transport::Virtio)];
    let tie = refusal("smallest", &twins);
    assert!(tie.ends_with("such as path=/dev/vda"), "{tie}");
}

#[test]
fn disks_in_use_do_not_match_but_are_named() {
    let text = refusal("serial=WD-2", &disks());
    assert!(text.contains("the only disk that matches serial=WD-2 cannot be used"), "{text}");
    assert!(text.contains("cannot be used: /dev/sdb1 is mounted on /data"), "{text}");
    assert!(text.contains("--release-holders"), "{text}");
    let spec: DeviceSpec = "serial=WD-2".parse().unwrap();
    let chosen = spec.choose(&disks(), Busy::Release).unwrap();
    assert_eq!(chosen.path, Path::new("/dev/sdb"));
    let mut read_only = disks();
    read_only[2].obstacle = Some(Obstacle::ReadOnly);
    assert!(spec.choose(&read_only, Busy::Release).is_err());
    assert!(!refusal("serial=WD-2", &read_only).contains("--release-holders"));
}

#[test]
fn loop_devices_are_selected_only_by_their_path() {
    let only_loop = &disks()[4..];
    assert!(refusal("smallest", only_loop).contains("this machine has no disks"));
    assert!(resolve("transport=loop", only_loop).is_err());
    assert!(resolve("path=/dev/loop*,transport=loop", only_loop).is_ok());
}

#[test]
fn a_disk_that_could_not_be_read_is_not_taken_for_an_empty_one() {
    let unread = Disk { probed: false, ..disk("/dev/vda", GB, Transport::Virtio) };
    assert!(refusal("empty", &[unread]).contains("does not match: empty"));
}

#[test]
fn a_misspelt_word_is_not_taken_for_a_file() {
    let text = refusal("smalest", &disks());
    assert!(text.contains("neither a file nor a disk named smalest"), "{text}");
    assert!(text.contains("did you mean the condition `smallest`?"), "{text}");
}

#[test]
fn a_chosen_disk_is_recognised_by_more_than_its_name() {
    let spec: DeviceSpec = "serial=S4EW1".parse().unwrap();
    let chosen = spec.choose(&disks(), Busy::Refuse).unwrap();
    let identity = chosen.identity.unwrap();
    assert_eq!((identity.size, identity.serial.as_deref()), (500_107_862_016, Some("S4EW1")));
}
