//! The reference importer, ostree-ext, on the same images: `NESTOS_TEST_PEER` names its program.
//! What either of them imported is the other's as well.

use nestos_host::cmd::Cmd;
use nestos_host::term;
use tar::EntryType;

use crate::commit::{Encapsulated, path};
use crate::derived::base;
use crate::image::{Image, Layer, Zip, header};
use crate::machine::Machine;
use crate::registry::Registry;
use crate::tree::Tree;

const PEER: &str = "NESTOS_TEST_PEER";

struct Peer(String);

impl Peer {
    fn find() -> Option<Self> {
        let path = std::env::var(PEER).ok();
        if path.is_none() {
            term::warning(format!("SKIPPED: {PEER} names no ostree-ext-cli to compare with"));
        }
        path.map(Self)
    }

    /// Imports into a repository; returns the commit and what was said.
    fn pull(&self, machine: &Machine, repo: &str, image: &str) -> (String, String) {
        let done = Cmd::new(&self.0)
            .args(["container", "image", "pull", "--quiet"])
            .arg("--insecure-skip-tls-verification")
            .arg(machine.repo(repo))
            .arg(image)
            .finish()
            .unwrap();
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        assert!(done.status.success(), "{said}");
        let refs = machine.refs(repo);
        let name = refs.iter().find(|r| r.contains("/image/")).unwrap();
        (machine.ostree(repo, &["rev-parse", name]).trim().to_owned(), said)
    }
}

fn layer(folders: &[&str]) -> Layer {
    folders.iter().fold(Layer::new(), |layer, path| layer.dir(path))
}

fn bin() -> Layer {
    layer(&["usr/", "usr/bin/"])
}

fn app() -> Layer {
    layer(&["usr/", "usr/share/", "usr/share/app/"])
}

fn one(layer: Layer) -> Image {
    base().with(layer)
}

fn additions() -> Vec<(&'static str, Image)> {
    let outside = layer(&["boot/", "opt/", "run/", "tmp/"]);
    let outside = ["boot/x", "opt/x", "run/x", "tmp/x"].iter().fold(outside, |l, p| l.file(p, "x"));
    let etc = layer(&["etc/"]).file("etc/app.conf", "x\n").file("etc/nsswitch.conf", "y\n");
    let links = bin()
        .file("usr/bin/tool", "tool\n")
        .link(EntryType::Link, "usr/bin/tool2", "usr/bin/tool")
        .link(EntryType::Symlink, "usr/bin/tool3", "tool");
    let setuid = header(EntryType::Regular, 0o4755);
    let attribute = bin().pax(&[("SCHILY.xattr.user.x", b"1")]);
    let closed = header(EntryType::Directory, 0o700);
    let zstd = one(bin().file("usr/bin/z", "z\n").zip(Zip::Zstd));
    vec![
        ("nothing on top", base()),
        ("added files and links", one(links)),
        ("etc", one(etc)),
        ("setuid", one(bin().entry("usr/bin/s", &setuid, "s\n"))),
        ("outside of usr", one(outside)),
        ("var", one(layer(&["var/", "var/lib/"]).file("var/lib/state", "s\n"))),
        ("attributes", one(attribute.file("usr/bin/x", "x\n"))),
        ("zstd and none", zstd.with(bin().file("usr/bin/n", "n\n").zip(Zip::None))),
        ("implied folders", one(Layer::new().file("usr/share/new/deep/x", "x\n"))),
        ("mode of a folder that is there", one(Layer::new().entry("usr/share/", &closed, ""))),
    ]
}

fn changes() -> Vec<(&'static str, Image)> {
    let objects = Tree::system().objects();
    let su = objects.files.iter().find(|(_, f)| f.0 == "usr/bin/su").unwrap().0;
    let su = path(su, "file");
    let touched = |kind| {
        let mut touched = header(kind, 0o755);
        touched.set_mtime(1_725_321_600);
        touched
    };
    let mut link = touched(EntryType::Link);
    link.set_link_name_literal(&su).unwrap();
    let object = bin()
        .entry(&su, &touched(EntryType::Regular), "patched su")
        .entry("usr/bin/su", &link, "")
        .entry("usr/bin/su2", &link, "");
    let opaque = app().file("usr/share/app/.wh..wh..opq", "").file("usr/share/app/b", "b\n");
    let share = layer(&["usr/", "usr/share/"]);
    let without = |name: &str| one(app().file(&format!("usr/share/app/.wh.{name}"), ""));
    let folder = app().dir("usr/share/app/a/").file("usr/share/app/a/x", "x\n");
    vec![
        ("whiteout of a file", one(bin().file("usr/bin/.wh.ping", ""))),
        ("whiteout of a folder", one(share.file("usr/share/.wh.app", ""))),
        ("opaque folder", one(opaque)),
        ("folder becomes file", without("deep").with(app().file("usr/share/app/deep", "f\n"))),
        ("file becomes folder", without("a").with(folder)),
        ("a changed object", one(object)),
    ]
}

#[test]
fn both_make_the_same_tree() {
    let Some(peer) = Peer::find() else { return };
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    let mut differ = Vec::new();
    for (n, (what, image)) in additions().into_iter().chain(changes()).enumerate() {
        let tag = format!("case{n}");
        image.push(&registry, &tag);
        let repo = format!("peer{n}");
        machine.init_repo(&repo);
        let ours = machine.pull(&registry.image(&tag)).ok().to_owned();
        let (theirs, _) = peer.pull(&machine, &repo, &registry.image(&tag));
        let list = |repo: &str, commit: &str| machine.ostree(repo, &["ls", "-R", "-X", commit]);
        if machine.root("repo", &ours) != machine.root(&repo, &theirs) {
            let (ours, theirs) = (list("repo", &ours), list(&repo, &theirs));
            let only = |a: &str, b: &str| {
                let lines = a.lines().filter(|l| !b.lines().any(|o| o == *l));
                lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
            };
            differ.push(format!(
                "{what}\n ours: {}\n theirs: {}",
                only(&ours, &theirs),
                only(&theirs, &ours)
            ));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn each_finds_the_layers_of_the_other() {
    let Some(peer) = Peer::find() else { return };
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    let image = base().with(Layer::new().dir("etc/").file("etc/motd", "hello\n"));
    image.push(&registry, "v1");
    let name = registry.image("v1");
    let mut seen = 0;
    machine.pull(&name).ok();
    registry.blobs_asked(&mut seen);
    peer.pull(&machine, "repo", &name);
    assert_eq!(registry.blobs_asked(&mut seen), 0, "the peer takes ours");
    machine.fsck("repo");

    machine.init_repo("theirs");
    peer.pull(&machine, "theirs", &name);
    registry.blobs_asked(&mut seen);
    let ran = machine.pull_into("theirs", &name);
    assert_eq!(
        (ran.ok().len(), ran.stderr.as_str()),
        (64, "0 layers fetched, 3 already present\n")
    );
    machine.fsck("theirs");
}

#[test]
fn what_the_peer_encapsulates_is_imported() {
    let Some(peer) = Peer::find() else { return };
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    Encapsulated::new(&Tree::system(), &["usr/bin/"]).image().push(&registry, "v1");
    let commit = machine.pull(&registry.image("v1")).ok().to_owned();
    let bare_user = machine.disk().join("written");
    Tree::system().write(&bare_user);
    let tree = format!("--tree=dir={}", bare_user.display());
    let linux = format!("--add-metadata-string=ostree.linux={}", crate::tree::KERNEL);
    let args = ["commit", "-b", "nestos", "--add-metadata=ostree.bootable=true", &linux, &tree];
    let encapsulated = machine.ostree("repo", &args).trim().to_owned();
    let layout = format!("oci:{}", machine.disk().join("peer-image").display());
    let done = Cmd::new(&peer.0)
        .args(["container", "encapsulate"])
        .arg(format!("--repo={}", machine.repo("repo").display()))
        .args(["nestos", &layout])
        .finish()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8(done.stderr).unwrap());
    machine.init_repo("other");
    let ran = machine.pull_into("other", &format!("ostree-unverified-image:{layout}"));
    assert_eq!(machine.root("other", ran.ok()), machine.root("repo", &encapsulated));
    assert_ne!(ran.ok(), commit);
    machine.fsck("other");
}
