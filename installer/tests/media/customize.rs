//! `iso customize`, `iso describe`, `iso extract` and `dev show`.

use std::fs;

use serde_json::Value;

use crate::scene::{CONFIG, Maker, Scene};

fn files(scene: &Scene) {
    scene.file("dest.ign", CONFIG);
    scene.file("hook.sh", "#!/bin/bash\nsecretword\n");
    scene.file("eth0.nmconnection", "[connection]\nid=e\n[wifi]\npsk=secretword\n");
    scene.file("opts.yaml", "append-karg: [from-file]\nimage-url: https://u:secretword@x/y\n");
}

const CUSTOMIZE: [&str; 18] = [
    "iso",
    "customize",
    "--dest-ignition",
    "dest.ign",
    "--dest-device",
    "/dev/sda",
    "--pre-install",
    "hook.sh",
    "--post-install",
    "hook.sh",
    "--network-keyfile",
    "eth0.nmconnection",
    "--installer-config",
    "opts.yaml",
    "--live-karg-append",
    "quiet",
    "--live-karg-delete",
    "ignition.firstboot",
];

fn describe(scene: &Scene) -> Value {
    let text = scene.run(&["iso", "describe", "--json", "ISO"]).good().text();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_image_that_installs_by_itself_says_so_and_is_reset() {
    for maker in [Maker::Xorriso, Maker::LevelOne, Maker::Joliet] {
        let scene = Scene::new(maker);
        let pristine = scene.bytes();
        files(&scene);
        assert_eq!(describe(&scene)["customized"], false);
        scene.changed(&CUSTOMIZE);
        let described = describe(&scene);
        let config = &described["embedded"]["ignition"];
        assert_eq!((&described["customized"], &config["installs"]), (&true.into(), &true.into()));
        let options = &config["installer-options"];
        assert_eq!(options["0001-customize.yaml"]["dest-device"][0], "/dev/sda");
        assert_eq!(options["0001-customize.yaml"]["copy-network"][0], "true");
        let dest = format!("/etc/{}/dest.ign", maker.flavour());
        assert_eq!(options["0001-customize.yaml"]["ignition-file"][0], dest);
        assert_eq!(config["pre-install"][0], "hook.sh");
        assert_eq!(described["embedded"]["network-keyfiles"][0], "eth0.nmconnection");
        let kargs = described["kernel-arguments"]["current"].as_str().unwrap().to_owned();
        assert_eq!(kargs, maker.kargs().replace(" ignition.firstboot", "") + " quiet");
        let text = scene.run(&["iso", "describe", "ISO"]).good().text();
        assert!(!text.contains("secretword") && text.contains("dest-device: /dev/sda"), "{text}");
        let again = scene.run(&[&CUSTOMIZE[..], &["ISO"]].concat());
        let refusal = "This ISO image is already customized; use -f to force.";
        assert!(again.stderr.contains(refusal), "{}", again.stderr);
        // Customising again starts from the image as it was made.
        scene.run(&["iso", "customize", "-f", "--live-karg-append", "z", "ISO"]).good();
        assert_eq!(describe(&scene)["embedded"]["ignition"], Value::Null);
        assert!(scene.changed(&["iso", "reset"]) == pristine);
    }
}

#[test]
fn what_will_happen_without_a_question_is_said() {
    let scene = Scene::new(Maker::Xorriso);
    files(&scene);
    let run = scene.run(&[&CUSTOMIZE[..], &["ISO"]].concat()).good();
    let text = "Boot media will automatically install to /dev/sda without confirmation.";
    assert!(run.stderr.contains(text), "{}", run.stderr);
    let run = scene.run(&["iso", "customize", "-f", "--dest-karg-append", "a", "ISO"]).good();
    assert!(run.stderr.contains("Boot media will automatically run installer."), "{}", run.stderr);
}

#[test]
fn nothing_is_written_when_an_input_is_wrong() {
    let scene = Scene::new(Maker::Xorriso);
    let pristine = scene.bytes();
    files(&scene);
    scene.file("bad.ign", "{\"ignition\": {\"version\": \"9.0.0\"}}");
    scene.file("bad.yaml", "colour: red\n");
    fs::create_dir(scene.dir.path().join("d")).unwrap();
    scene.file("d/eth0.nmconnection", "");
    let cases: [(&[&str], &str); 7] = [
        (&["--dest-ignition", "bad.ign"], "parsing Ignition config"),
        (&["--live-ignition", "bad.ign"], "parsing Ignition config"),
        (&["--installer-config", "bad.yaml"], "parsing installer config"),
        (&["--ignition-ca", "dest.ign"], "holds no certificate"),
        (&["--network-nmstate", "dest.ign"], "nmstatectl gc"),
        (&["--pre-install", "none"], "cannot read none"),
        (
            &["--network-keyfile", "eth0.nmconnection", "--network-keyfile", "d/eth0.nmconnection"],
            "config already specifies keyfile eth0.nmconnection",
        ),
    ];
    for (options, text) in cases {
        let run = scene.run(&[&["iso", "customize"], options, &["ISO"]].concat());
        assert_eq!(run.code, 1, "{options:?}");
        assert!(run.stderr.contains(text), "{options:?}: {}", run.stderr);
    }
    assert!(scene.bytes() == pristine);
}

#[test]
fn an_image_without_features_is_not_customised_in_vain() {
    let scene = Scene::new(Maker::Legacy);
    files(&scene);
    let run = scene.run(&["iso", "customize", "--dest-device", "/dev/sda", "ISO"]);
    let text = "This OS image does not support customizing installer configuration.";
    assert!(run.stderr.contains(text), "{}", run.stderr);
    scene.run(&["iso", "customize", "--live-ignition", "dest.ign", "ISO"]).good();
}

#[test]
fn what_boots_from_a_network_is_extracted_under_the_names_of_the_image() {
    for maker in [Maker::Xorriso, Maker::LevelOne, Maker::Joliet] {
        let scene = Scene::new(maker);
        let extract = ["iso", "extract", "pxe", "-o", "out", "ISO"];
        let printed = scene.run(&extract).good().text();
        let mut paths: Vec<&str> = printed.lines().collect();
        paths.sort_unstable();
        assert_eq!(paths, ["out/live-initrd.img", "out/live-rootfs.img", "out/live-vmlinuz"]);
        assert_eq!(fs::read(scene.dir.path().join("out/live-rootfs.img")).unwrap(), b"root");
        let again = scene.run(&extract);
        assert!(again.code == 1 && again.stderr.contains("File exists"), "{}", again.stderr);
    }
}

#[test]
fn dev_shows_what_an_image_is_made_of() {
    let scene = Scene::new(Maker::LevelOne);
    let json = |words: &[&str]| -> Value {
        let words = [&["dev", "show", "iso"], words, &["ISO"]].concat();
        serde_json::from_str(&scene.run(&words).good().text()).unwrap()
    };
    let shown = json(&[]);
    let records: Vec<&str> =
        shown["records"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    for record in ["NESTOS", "NESTOS/IGNINFO.JSO", "EFI/OPENEULE/GRUB.CFG"] {
        assert!(records.contains(&record), "{records:?}");
    }
    let primary = &shown["header"]["descriptors"][0];
    assert_eq!((&primary["type"], &primary["volume_id"]), (&"primary".into(), &"nestos-1".into()));
    assert_eq!(shown["header"]["descriptors"][1]["boot_system_id"], "EL TORITO SPECIFICATION");
    let kargs = json(&["--kargs"]);
    assert_eq!(kargs["default"].as_str().unwrap(), Maker::LevelOne.kargs());
    let at = usize::try_from(kargs["kargs"][0]["offset"].as_u64().unwrap()).unwrap();
    assert!(scene.bytes()[at..].starts_with(Maker::LevelOne.kargs().as_bytes()));
    assert_eq!(json(&["--ignition"])["length"], 16 * 1024);
}
