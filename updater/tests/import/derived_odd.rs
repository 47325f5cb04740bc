//! Derived layers that are unusual, and those that are refused.

use tar::EntryType;

use crate::commit::Encapsulated;
use crate::derived::{base, derive, pull};
use crate::image::{Image, Layer, Zip, header};
use crate::machine::Machine;
use crate::tree::{KERNEL, Tree};

#[test]
fn attributes_are_kept_whatever_bytes_they_have() {
    let Some(machine) = Machine::new() else { return };
    // cap_dac_override and cap_fowner are the bits of a line feed.
    let capability = [1, 0, 0, 2, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x0a, 0, 0, 0, 0, 0, 0];
    let lines = b"\n\n30 path=usr/bin/other\n";
    let long = format!("usr/share/{}", "long-name".repeat(15));
    let layer = Layer::new()
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.lines", lines),
            ("SCHILY.xattr.security.selinux", b"system_u:object_r:bin_t:s0\0"),
            ("path", long.as_bytes()),
            ("uid", b"4000000"),
        ])
        .file("usr/share/short", "x\n")
        .pax(&[("SCHILY.xattr.user.dir", b"d")])
        .dir("usr/share/folder/");
    let commit = derive(&machine, layer).ok().to_owned();
    let found = machine.ostree("repo", &["ls", "-X", &commit, &format!("/{long}")]);
    let bytes =
        |value: &[u8]| value.iter().map(|b| format!("0x{b:02x}")).collect::<Vec<_>>().join(", ");
    let expected = format!(
        "[(b'security.capability', [byte {}]), (b'user.lines', [{}])]",
        bytes(&capability),
        bytes(lines)
    );
    assert!(found.starts_with("-00644 4000000 0"), "{found}");
    assert!(found.contains(&expected), "{found}\n{expected}");
    let folder = machine.ostree("repo", &["ls", "-d", "-X", &commit, "/usr/share/folder"]);
    assert!(folder.contains("b'user.dir', [byte 0x64]"), "{folder}");
    let base = machine.ostree("repo", &["ls", "-X", &commit, "/usr/bin/ping"]);
    assert!(base.contains("b'user.origin'"), "{base}");
    assert_eq!(machine.tree(&commit, "/usr/share/short"), [""; 0]);
    machine.fsck("repo");
}

#[test]
fn long_names_and_deep_folders_are_taken() {
    let Some(machine) = Machine::new() else { return };
    let (long, deep) = ("n".repeat(255), "d/".repeat(500));
    let layer = Layer::new()
        .file(&format!("usr/share/{long}"), "long\n")
        .file(&format!("usr/{deep}file"), "deep\n");
    let commit = derive(&machine, layer).ok().to_owned();
    assert_eq!(machine.cat(&commit, &format!("/usr/share/{long}")), "long\n");
    assert_eq!(machine.tree(&commit, "/usr/d").len(), 501);
    machine.fsck("repo");
}

#[test]
fn layers_that_no_system_can_have_are_refused_by_the_entry() {
    let Some(machine) = Machine::new() else { return };
    let refused = |layer: Layer| {
        let digest = base().with(layer.clone()).digest(2);
        let ran = derive(&machine, layer);
        let lines = ran.failed().join("\n").replace(&digest, "LAYER");
        lines.split_once('\n').unwrap().1.to_owned()
    };
    let mut device = header(EntryType::Char, 0o644);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    let link = |target| Layer::new().link(EntryType::Link, "usr/bin/x", target);
    let deep = format!("usr/{}file", "d/".repeat(1900));
    let says_deep =
        format!("entry {deep:?} of the layer\n  because: the path has more than 512 folders");
    for (layer, says) in [
        (Layer::new().file(&deep, "deep\n"), says_deep.as_str()),
        (
            Layer::new().file("usr/../etc/shadow", "x"),
            "entry \"usr/../etc/shadow\" of the layer\n  because: \"..\" cannot be part of a path",
        ),
        (
            Layer::new().entry("usr/bin/null", &device, ""),
            "entry \"usr/bin/null\" of the layer\n  \
             because: an entry of type Char cannot be in an image",
        ),
        (
            link("usr/bin/missing"),
            "entry \"usr/bin/x\" of the layer\n  \
             because: it is a hard link to usr/bin/missing, which the layer has not",
        ),
        (
            link("../../etc/shadow"),
            "entry \"usr/bin/x\" of the layer\n  because: \"..\" cannot be part of a path",
        ),
    ] {
        assert_eq!(refused(layer), format!("  because: layer LAYER\n  because: {says}"));
    }
    assert!(machine.refs("repo").iter().all(|r| r.contains("/blob/")), "no image is there");
    machine.fsck("repo");
    pull(&machine, &base()).ok();
}

#[test]
fn files_without_labels_are_told_about_where_labels_matter() {
    let Some(machine) = Machine::new() else { return };
    for (mode, says) in [
        (
            "enforcing",
            "warning: files of the image's own layers get no SELinux labels: \
             set SELINUX=permissive in them, or build them into the commit\n",
        ),
        ("disabled", ""),
    ] {
        let config = format!("SELINUX={mode}\nSELINUXTYPE=targeted\n");
        let tree = Tree::system().file("usr/etc/selinux/config", config);
        let image = Encapsulated::new(&tree, &["usr/bin/"]).image();
        let ran = pull(&machine, &image.with(Layer::new().file("usr/bin/x", mode)));
        ran.ok();
        let said = ran.stderr.split_inclusive('\n').filter(|l| l.starts_with("warning"));
        assert_eq!(said.collect::<String>(), says);
    }
}

#[test]
fn an_image_without_a_commit_is_a_system_as_well() {
    let Some(machine) = Machine::new() else { return };
    let first = Layer::new()
        .file(&format!("usr/lib/modules/{KERNEL}/vmlinuz"), "kernel")
        .file("etc/hostname", "nest\n")
        .file("opt/a", "a\n")
        .zip(Zip::Zstd);
    let second = Layer::new().file("etc/.wh.hostname", "").file("etc/motd", "hello\n");
    let ran = pull(&machine, &Image::new(vec![first, second]));
    let expected = [
        "d00755 0 0 0 /",
        "d00755 0 0 0 /opt",
        "-00644 0 0 2 /opt/a",
        "d00755 0 0 0 /usr",
        "d00755 0 0 0 /usr/etc",
        "-00644 0 0 6 /usr/etc/motd",
        "d00755 0 0 0 /usr/lib",
        "d00755 0 0 0 /usr/lib/modules",
        "d00755 0 0 0 /usr/lib/modules/6.6.0-72.nestos",
        "-00644 0 0 6 /usr/lib/modules/6.6.0-72.nestos/vmlinuz",
    ];
    assert_eq!(machine.tree(ran.ok(), "/"), expected);
    assert_eq!(ran.stderr, "2 layers fetched, 0 already present\n");
    machine.fsck("repo");
}
