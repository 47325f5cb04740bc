//! What an import leaves in the repository, and what the next one does not fetch again.

use nestos_formats::image_ref::escape_for_ref;

use crate::commit::Encapsulated;
use crate::machine::Machine;
use crate::registry::Registry;
use crate::server::sha256;
use crate::tree::Tree;

const CHUNKS: [&str; 3] = ["usr/lib/modules/", "usr/bin/", "usr/share/"];

#[test]
fn an_image_is_imported_once_and_an_upgrade_fetches_what_changed() {
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    let first = Encapsulated::new(&Tree::system(), &CHUNKS);
    first.image().push(&registry, "v1");
    let changed = Tree::system().file("usr/share/app/a", "another one\n");
    let second = Encapsulated::new(&changed, &CHUNKS);
    second.image().push(&registry, "v2");

    let ran = machine.pull(&registry.image("v1"));
    let commit = ran.ok().to_owned();
    assert_eq!(ran.stderr, "4 layers fetched, 0 already present\n");
    let (root, meta) = (first.objects.root, first.objects.meta);
    assert_eq!(machine.root("repo", &commit), format!("{root} {meta}"));
    machine.fsck("repo");

    let mut seen = 0;
    registry.blobs_asked(&mut seen);
    let again = machine.pull(&registry.image("v1"));
    assert_eq!(
        (again.ok(), again.stderr.as_str()),
        (commit.as_str(), "0 layers fetched, 4 already present\n")
    );
    assert_eq!(registry.blobs_asked(&mut seen), 0);

    let upgraded = machine.pull(&registry.image("v2"));
    let root = format!("{} {meta}", second.objects.root);
    assert_eq!(machine.root("repo", upgraded.ok()), root);
    assert_eq!(upgraded.stderr, "2 layers fetched, 2 already present\n");
    assert_eq!(registry.blobs_asked(&mut seen), 3, "the config, the commit and one chunk");
    machine.fsck("repo");
    assert_eq!(machine.leftovers(), [""; 0]);
}

#[test]
fn refs_and_metadata_are_those_of_ostree_ext() {
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    let encapsulated = Encapsulated::new(&Tree::system(), &CHUNKS[..1]);
    let image = encapsulated.image();
    let digest = image.push(&registry, "v1");
    let commit = machine.pull(&registry.image("v1")).ok().to_owned();

    let name = escape_for_ref(&format!("docker://{}/nestos:v1", registry.host()));
    let layer = |n| format!("ostree/container/blob/{}", escape_for_ref(&image.digest(n)));
    let mut expected = vec![layer(0), layer(1), format!("ostree/container/image/{name}")];
    expected.sort();
    assert_eq!(machine.refs("repo"), expected);
    assert!(name.starts_with("docker_3A__2F__2F_127_2E_0_2E_0_2E_1_3A_"), "{name}");
    let base = sha256(&encapsulated.commit);
    let of_layer = machine.ostree("repo", &["rev-parse", &layer(0)]);
    assert_eq!(format!("sha256:{}", of_layer.trim()), base, "it is the encapsulated commit");
    assert_eq!(machine.ostree("repo", &["rev-parse", &expected[2]]).trim(), commit);

    let shown = |key: &str| {
        let option = format!("--print-metadata-key={key}");
        machine.ostree("repo", &["show", &option, &commit]).trim().to_owned()
    };
    assert_eq!(shown("ostree.manifest-digest"), format!("'{digest}'"));
    assert!(shown("ostree.manifest").contains(&image.digest(1)));
    assert!(shown("ostree.container.image-config").contains("rootfs"));
    assert_eq!(shown("ostree.importer.version"), "'nestos-1'");
    assert_eq!(shown("ostree.tar-filtered"), "@a{sa{su}} {}");
    let text = machine.ostree("repo", &["show", &commit]);
    assert!(text.contains("Date:  2024-09-03 00:00:00 +0000"), "{text}");
}

#[test]
fn one_image_is_one_commit_on_every_machine() {
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    machine.init_repo("other");
    let layer = crate::image::Layer::new().dir("opt/").file("opt/x", "x").file("usr/bin/x", "x");
    let image = Encapsulated::new(&Tree::system(), &CHUNKS).image().with(layer);
    image.push(&registry, "v1");
    let here = machine.pull(&registry.image("v1"));
    let there = machine.pull_into("other", &registry.image("v1"));
    assert_eq!(here.ok(), there.ok());
    machine.fsck("other");
}

#[test]
fn another_repository_mode_is_refused() {
    let Some(machine) = Machine::new() else { return };
    machine.ostree("archive", &["init", "--mode=archive"]);
    let ran = machine.pull_into("archive", "ostree-unverified-registry:127.0.0.1:1/nestos:v1");
    let expected = ["error: the repository's mode is not bare; only those of systems are"];
    assert_eq!(ran.failed(), expected);
}
