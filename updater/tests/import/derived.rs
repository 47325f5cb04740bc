//! Ordinary layers on top of an encapsulated commit.

use tar::EntryType;

use crate::commit::{Encapsulated, path};
use crate::image::{Image, Layer, Zip, header};
use crate::machine::{Machine, Ran};
use crate::registry::Registry;
use crate::tree::Tree;

/// Imports the system with one layer on top.
pub(crate) fn derive(machine: &Machine, layer: Layer) -> Ran {
    pull(machine, &base().with(layer))
}

pub(crate) fn base() -> Image {
    Encapsulated::new(&Tree::system(), &["usr/bin/"]).image()
}

pub(crate) fn pull(machine: &Machine, image: &Image) -> Ran {
    let registry = Registry::start();
    machine.trust(registry.host());
    image.push(&registry, "derived");
    machine.pull(&registry.image("derived"))
}

#[test]
fn files_are_added_changed_and_removed() {
    let Some(machine) = Machine::new() else { return };
    let owned = {
        let mut header = header(EntryType::Regular, 0o6750);
        header.set_uid(3_000_000);
        header.set_gid(12);
        header
    };
    let layer = Layer::new()
        .dir("etc/")
        .file("etc/nsswitch.conf", "hosts: dns\n")
        .file("etc/app.conf", "x=1\n")
        .file("etc/.wh.hostname", "")
        .dir("usr/bin/")
        .file("usr/bin/tool", "tool\n")
        .link(EntryType::Link, "usr/bin/tool-again", "usr/bin/tool")
        .link(EntryType::Symlink, "usr/bin/tool-link", "../bin/tool")
        .entry("usr/bin/special", &owned, "special\n")
        .file("usr/bin/.wh.ping", "")
        .file("usr/share/.wh.app", "");
    let commit = derive(&machine, layer).ok().to_owned();
    let expected = [
        "d00755 0 0 0 /usr/bin",
        "-06750 3000000 12 8 /usr/bin/special",
        "-04755 0 0 2 /usr/bin/su",
        "-00644 0 0 5 /usr/bin/tool",
        "-00644 0 0 5 /usr/bin/tool-again",
        "l00777 0 0 0 /usr/bin/tool-link -> ../bin/tool",
    ];
    assert_eq!(machine.tree(&commit, "/usr/bin"), expected);
    let expected = [
        "d00755 0 0 0 /usr/etc",
        "-00644 0 0 4 /usr/etc/app.conf",
        "-00644 0 0 11 /usr/etc/nsswitch.conf",
    ];
    assert_eq!(machine.tree(&commit, "/usr/etc"), expected);
    assert_eq!(machine.tree(&commit, "/usr/share"), ["d00755 0 0 0 /usr/share"]);
    assert_eq!(machine.tree(&commit, "/etc"), [""; 0]);
    assert_eq!(machine.cat(&commit, "/usr/etc/nsswitch.conf"), "hosts: dns\n");
    machine.fsck("repo");
}

#[test]
fn an_opaque_folder_has_what_its_layer_has() {
    let Some(machine) = Machine::new() else { return };
    let layer = Layer::new()
        .dir("usr/share/app/")
        .file("usr/share/app/new", "new\n")
        .file("usr/share/app/.wh..wh..opq", "")
        .file("usr/share/app/b", "b\n");
    let commit = derive(&machine, layer).ok().to_owned();
    let expected = [
        "d00755 0 0 0 /usr/share/app",
        "-00644 0 0 2 /usr/share/app/b",
        "-00644 0 0 4 /usr/share/app/new",
    ];
    assert_eq!(machine.tree(&commit, "/usr/share/app"), expected);
}

#[test]
fn files_become_folders_and_folders_files_over_several_layers() {
    let Some(machine) = Machine::new() else { return };
    let first = Layer::new()
        .file("usr/share/app/deep", "now a file\n")
        .dir("usr/share/app/a/")
        .file("usr/share/app/a/inside", "x\n");
    let second = Layer::new()
        .file("usr/share/app/.wh.a", "")
        .file("usr/share/app/a/other", "other\n")
        .link(EntryType::Symlink, "usr/share/app/b", "a")
        .zip(Zip::Zstd);
    let third = Layer::new().dir("usr/share/app/b/").zip(Zip::None);
    let image = base().with(first).with(second).with(third);
    let ran = pull(&machine, &image);
    let expected = [
        "d00755 0 0 0 /usr/share/app",
        "-00644 0 0 11 /usr/share/app/deep",
        "d00755 0 0 0 /usr/share/app/a",
        "-00644 0 0 6 /usr/share/app/a/other",
        "d00755 0 0 0 /usr/share/app/b",
    ];
    assert_eq!(machine.tree(ran.ok(), "/usr/share/app"), expected);
    assert_eq!(ran.stderr, "5 layers fetched, 0 already present\n");
}

#[test]
fn what_cannot_be_part_of_a_system_is_dropped_and_counted() {
    let Some(machine) = Machine::new() else { return };
    let layer = Layer::new()
        .dir("boot/")
        .file("boot/vmlinuz", "x")
        .dir("opt/")
        .file("opt/a", "a")
        .dir("run/")
        .dir("run/lock/")
        .file("run/lock/a", "a")
        .file("tmp/t", "t")
        .file("sysroot/ostree/repo/config", "mode=bare-split-xattrs")
        .dir("var/")
        .dir("var/lib/")
        .file("var/lib/state", "state\n");
    let ran = derive(&machine, layer);
    let expected = "\
warning: 2 entries of the image below boot are left out
warning: 2 entries of the image below opt are left out
warning: 2 entries of the image below run are left out
warning: 1 entries of the image below sysroot are left out
warning: 1 entries of the image below tmp are left out
3 layers fetched, 0 already present
";
    assert_eq!((ran.ok().len(), ran.stderr.as_str()), (64, expected));
    let commit = ran.ok();
    let metadata =
        machine.ostree("repo", &["show", "--print-metadata-key=ostree.tar-filtered", commit]);
    assert!(metadata.contains("'run': "), "{metadata}");
    for dropped in ["/boot", "/opt", "/run/", "/tmp/", "/sysroot"] {
        assert_eq!(machine.tree(commit, dropped), [""; 0]);
    }
    assert_eq!(machine.tree(commit, "/run"), ["d00755 0 0 0 /run"]);
    let (kept, gone) = if ostree::check_version(2024, 3) {
        ("/var/lib/state", "/usr/share/factory")
    } else {
        ("/usr/share/factory/var/lib/state", "/var")
    };
    assert_eq!(machine.cat(commit, kept), "state\n");
    assert_eq!(machine.tree(commit, gone), [""; 0]);
}

/// What `podman build` writes when a step changes a file: the object that it is linked to.
#[test]
fn links_to_a_changed_object_become_the_new_file() {
    let Some(machine) = Machine::new() else { return };
    let objects = Tree::system().objects();
    let sum = |wanted: &str| objects.files.iter().find(|(_, f)| f.0 == wanted).unwrap().0;
    let (changed, same) = (path(sum("usr/bin/su"), "file"), path(sum("usr/bin/ping"), "file"));
    let mut touched = header(EntryType::Regular, 0o755);
    touched.set_mtime(1_725_321_600);
    let layer = Layer::new()
        .entry(&changed, &touched, "patched su")
        .link(EntryType::Link, "usr/bin/su", &changed)
        .link(EntryType::Link, "usr/bin/su2", &format!("/{changed}"))
        .link(EntryType::Link, "usr/bin/pong", &same);
    let commit = derive(&machine, layer).ok().to_owned();
    let expected = [
        "d00755 0 0 0 /usr/bin",
        "-00755 0 0 4 /usr/bin/ping",
        "-00755 0 0 4 /usr/bin/pong",
        "-00755 0 0 10 /usr/bin/su",
        "-00755 0 0 10 /usr/bin/su2",
    ];
    assert_eq!(machine.tree(&commit, "/usr/bin"), expected);
    assert_eq!(machine.cat(&commit, "/usr/bin/su2"), "patched su");
    machine.fsck("repo");
}
