//! The verbs on a sysroot that is not booted: each change is written to its boot menu at once.

use std::fs;

use serde_json::Value;

use crate::commit::Encapsulated;
use crate::machine::Machine;
use crate::registry::Registry;
use crate::tree::Tree;

/// A machine that runs a branch, and a registry with an image of it.
fn start() -> Option<(Machine, Registry)> {
    let machine = Machine::new()?;
    machine.init_sysroot(&Tree::system());
    let registry = Registry::start();
    machine.trust(registry.host());
    push(&registry, "1");
    Some((machine, registry))
}

/// Lets the tag name another version; returns its digest.
fn push(registry: &Registry, version: &str) -> String {
    let tree = Tree::system().file("usr/share/app/version", version);
    let image = Encapsulated::new(&tree, &["usr/share/"]).image();
    image.label("org.opencontainers.image.version", version).push(registry, "stable")
}

/// Returns origin and version of the deployments, as `status --json` shows them.
fn status(machine: &Machine, registry: &Registry) -> Vec<(String, String)> {
    let ran = machine.verb(&["status", "--json"]);
    let status: Value = serde_json::from_str(ran.ok()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().replace(registry.host(), "HOST");
    let row = |d: &Value| {
        let origin = [&d["origin"], &d["container-image-reference"]].map(text).concat();
        (origin, text(&d["version"]))
    };
    status["deployments"].as_array().unwrap().iter().map(row).collect()
}

fn pair(origin: &str, version: &str) -> (String, String) {
    (origin.to_owned(), version.to_owned())
}

const IMAGE: &str = "ostree-unverified-registry:HOST/nestos:stable";

#[test]
fn a_branch_is_left_for_an_image_and_kernel_arguments_stay() {
    let Some((machine, registry)) = start() else { return };
    assert_eq!(status(&machine, &registry), [pair("nestos/stable", "0")]);
    let ran = machine.verb(&["upgrade"]);
    let expected = [
        "error: this system follows the ostree branch nestos/stable, not an image",
        "hint: nestos-updater rebase ostree-unverified-registry:HOST/NAME:TAG chooses an image",
    ];
    assert_eq!(ran.failed(), expected);
    let before = machine.menu();

    let image = registry.image("stable");
    let ran = machine.verb(&["rebase", &image]);
    assert!(ran.ok().starts_with("deployed 1 ("), "{ran:?}");
    assert_eq!(status(&machine, &registry), [pair(IMAGE, "1"), pair("nestos/stable", "0")]);
    let menu = machine.menu();
    assert_eq!(menu.len(), 2);
    assert!(menu[0].starts_with("root=LABEL=root quiet ostree=/ostree/boot."), "{menu:?}");
    let tail =
        |options: &str| options.rsplit_once('/').unwrap().0.rsplit_once('/').unwrap().1.to_owned();
    assert_eq!(tail(&menu[1]), tail(&before[0]), "the kernel of the branch");
    let deployed = machine.disk().join("ostree/deploy/nestos/deploy");
    let origins = fs::read_dir(&deployed).unwrap().map(|e| e.unwrap().path());
    let origins = origins.filter(|p| p.extension().is_some_and(|e| e == "origin"));
    let mut origins: Vec<_> = origins.map(|p| fs::read_to_string(p).unwrap()).collect();
    origins.sort();
    let expected = [
        format!("[origin]\ncontainer-image-reference={image}\n"),
        "[origin]\nrefspec=nestos/stable\n".to_owned(),
    ];
    assert_eq!(origins, expected);
    machine.fsck("ostree/repo");
}

#[test]
fn an_upgrade_follows_the_tag() {
    let Some((machine, registry)) = start() else { return };
    machine.verb(&["rebase", &registry.image("stable")]).ok();
    assert_eq!(machine.verb(&["upgrade"]).ok(), "no change");
    assert_eq!(machine.verb(&["upgrade", "--check"]).ok(), "no change");
    assert_eq!(machine.verb(&["rebase", &registry.image("stable")]).ok(), "no change");

    let digest = push(&registry, "2");
    let expected = format!("update available: 2 ({digest})");
    assert_eq!(machine.verb(&["upgrade", "--check"]).ok(), expected);
    let ran = machine.verb(&["upgrade"]);
    assert!(ran.ok().starts_with("deployed 2 ("), "{ran:?}");
    assert_eq!(status(&machine, &registry), [pair(IMAGE, "2"), pair(IMAGE, "1")]);
    let refs = machine.refs("ostree/repo");
    let kinds = |kind: &str| refs.iter().filter(|r| r.contains(kind)).count();
    assert_eq!((kinds("/image/"), kinds("/blob/")), (1, 4), "two layers of each deployment");
    machine.fsck("ostree/repo");
}

#[test]
fn a_rollback_swaps_the_first_two_of_the_menu() {
    let Some((machine, registry)) = start() else { return };
    let ran = machine.verb(&["rollback"]);
    let expected = [
        "error: there is no other deployment to roll back to",
        "hint: nestos-updater status lists the deployments",
    ];
    assert_eq!(ran.failed(), expected);
    machine.verb(&["rebase", &registry.image("stable")]).ok();
    // What an entry boots is a link; the links' names change with each new menu.
    let boots = || -> Vec<_> {
        let menu = machine.menu();
        let path = menu.iter().map(|options| options.split_once("ostree=/").unwrap().1);
        path.map(|path| fs::canonicalize(machine.disk().join(path)).unwrap()).collect()
    };
    let before = boots();
    assert!(before.len() == 2 && before[0] != before[1], "{before:?}");
    machine.verb(&["rollback"]).ok();
    assert_eq!(status(&machine, &registry), [pair("nestos/stable", "0"), pair(IMAGE, "1")]);
    assert_eq!(boots(), [before[1].clone(), before[0].clone()]);
    machine.verb(&["rollback"]).ok();
    assert_eq!(status(&machine, &registry), [pair(IMAGE, "1"), pair("nestos/stable", "0")]);
    assert_eq!(boots(), before);
    machine.fsck("ostree/repo");
}
