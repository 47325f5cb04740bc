use proptest::prelude::{any, proptest};
use serde_json::Value;

use super::summary::Summary;
use super::*;
use crate::recreated;

fn features() -> Features {
    let json = r#"{"installer-config": true, "live-initrd-network": true,
                   "installer-config-directives": {"console": true}}"#;
    serde_json::from_str(json).unwrap()
}

fn file(name: &str, text: &str) -> GivenFile {
    GivenFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn config(made: &Made) -> Value {
    serde_json::from_slice(made.members.get(CONFIG).unwrap()).unwrap()
}

fn contents(config: &Value) -> Vec<(String, u64, String)> {
    let files = config["storage"]["files"].as_array().unwrap().iter();
    let text =
        |file: &Value| String::from_utf8(recreated::inline(&file["contents"]).unwrap()).unwrap();
    files
        .map(|f| (f["path"].as_str().unwrap().to_owned(), f["mode"].as_u64().unwrap(), text(f)))
        .collect()
}

fn customize(flavour: Flavour, given: &Given) -> Result<Made> {
    Medium { flavour, features: &features() }.customize(given)
}

#[test]
fn nothing_given_gives_no_config() {
    let made = customize(Flavour::Nestos, &Given::default()).unwrap();
    assert!(made.members.is_empty() && made.notices.is_empty());
    let keyfiles = vec![file("eth0.nmconnection", "[connection]")];
    let given = Given { keyfiles, ..Given::default() };
    let made = customize(Flavour::Nestos, &given).unwrap();
    let paths: Vec<&str> = made.members.iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["etc/nestos-firstboot-network/eth0.nmconnection"]);
}

#[test]
fn options_become_files_of_the_flavour_in_order() {
    let given = Given {
        device: Some("/dev/sda".parse().unwrap()),
        consoles: vec!["ttyS0".parse().unwrap()],
        append: vec!["a=\"b c\"".parse().unwrap()],
        keyfiles: vec![file("e.nmconnection", "[connection]")],
        options: vec![file("x.yaml", "append-karg: [z]\n")],
        ..Given::default()
    };
    let made = customize(Flavour::Coreos, &given).unwrap();
    assert_eq!(
        made.notices,
        ["Boot media will automatically install to /dev/sda without confirmation."]
    );
    let generated = "dest-device: \"/dev/sda\"\nconsole: [\"ttyS0,9600n8\"]\n\
                     append-karg: [\"a=\\\"b c\\\"\"]\ncopy-network: true\n";
    assert_eq!(
        contents(&config(&made)),
        [
            ("/etc/coreos/installer.d/0000-x.yaml", "append-karg: [z]\n"),
            ("/etc/coreos/installer.d/0001-customize.yaml", generated),
        ]
        .map(|(path, text)| (path.to_owned(), 0o600, text.to_owned()))
    );
    let summary = Summary::of(&made.members, Flavour::Coreos);
    let lines: Vec<String> =
        summary.lines().iter().map(|(what, which)| format!("{what}: {which}")).collect();
    assert!(lines.contains(&"installs with: dest-device: /dev/sda (0001-customize.yaml)".into()));
    assert!(lines.contains(&"keyfiles: e.nmconnection".into()), "{lines:?}");
}

#[test]
fn hooks_are_units_between_the_targets_in_the_order_given() {
    let script = |name: &str| file(name, "#!/bin/bash\n");
    let given = Given {
        before: vec![script("a"), script("b.sh")],
        after: vec![script("a")],
        ..Given::default()
    };
    let config = config(&customize(Flavour::Nestos, &given).unwrap());
    let units = config["systemd"]["units"].as_array().unwrap();
    let names: Vec<&str> = units.iter().map(|unit| unit["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["pre-install-a.service", "pre-install-b.sh.service", "post-install-a.service"]
    );
    assert_eq!(
        units[1]["contents"].as_str().unwrap(),
        "[Unit]\nDescription=Script b.sh before the installation\n\
         After=nestos-installer-pre.target\nBefore=nestos-installer.service\n\
         After=pre-install-a.service\nRequires=pre-install-a.service\n\n[Service]\nType=oneshot\n\
         RemainAfterExit=true\nExecStart=/usr/local/bin/pre-install-b.sh\n\
         StandardOutput=kmsg+console\nStandardError=kmsg+console\n\n[Install]\n\
         RequiredBy=nestos-installer.service\n"
    );
    let last = units[2]["contents"].as_str().unwrap();
    for line in ["After=nestos-installer.service", "RequiredBy=nestos-installer.target"] {
        assert!(last.contains(line), "{last}");
    }
    assert_eq!(contents(&config)[0].1, 0o700);
    let given = Given { before: vec![script("a b")], ..Given::default() };
    let text = customize(Flavour::Nestos, &given).unwrap_err().to_string();
    assert_eq!(
        text,
        "\"a b\" cannot name a unit: use letters, digits, dots, dashes and underscores"
    );
}

#[test]
fn certificates_are_trusted_by_both_systems() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.ign");
    std::fs::write(&path, r#"{"ignition":{"version":"3.2.0"}}"#).unwrap();
    let mut args = crate::cli::CustomizeArgs { dest_ignition: vec![path], ..Default::default() };
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let alone = customize(Flavour::Nestos, &Given::read(args).unwrap()).unwrap();
    assert_eq!(
        contents(&config(&alone))[0],
        ("/etc/nestos/dest.ign".into(), 0o600, r#"{"ignition":{"version":"3.2.0"}}"#.into())
    );
    args = crate::cli::CustomizeArgs {
        dest_ignition: vec![dir.path().join("c.ign")],
        ignition_ca: vec![ca],
        ..Default::default()
    };
    let both = config(&customize(Flavour::Nestos, &Given::read(args).unwrap()).unwrap());
    let dest: Value = serde_json::from_str(&contents(&both)[0].2).unwrap();
    for config in [&both, &dest] {
        let trusted = &config["ignition"]["security"]["tls"]["certificateAuthorities"][0];
        assert_eq!(recreated::inline(trusted).unwrap(), b"-----BEGIN CERTIFICATE-----\n");
    }
    let child = recreated::inline(&dest["ignition"]["config"]["merge"][0]).unwrap();
    assert_eq!(child, br#"{"ignition":{"version":"3.2.0"}}"#);
}

#[test]
fn what_the_image_cannot_do_is_refused() {
    let none = Features::default();
    let medium = Medium { flavour: Flavour::Nestos, features: &none };
    let console = Given { consoles: vec!["tty0".parse().unwrap()], ..Given::default() };
    let keyfile = Given { keyfiles: vec![file("k", "")], ..Given::default() };
    for (given, what) in [(console, "installer configuration"), (keyfile, "network settings")] {
        let text = medium.customize(&given).unwrap_err().to_string();
        assert_eq!(text, format!("This OS image does not support customizing {what}."));
    }
    let selector = Given { device: Some("smallest".parse().unwrap()), ..Given::default() };
    assert!(customize(Flavour::Nestos, &selector).is_ok());
    assert!(customize(Flavour::Coreos, &selector).is_err());
}

#[test]
fn option_files_are_checked_together() {
    for (options, device, text) in [
        (vec!["dest-device: a\n"], Some("/dev/sdb"), "dest-device is in another option file, too"),
        (vec!["colour: red\n"], None, "parsing installer config f: line 1, column 1"),
        (vec!["stream: a\n", "image-url: http://x/y\n"], None, "cannot be used with"),
    ] {
        let given = Given {
            options: options.iter().map(|text| file("f", text)).collect(),
            device: device.map(|d| d.parse().unwrap()),
            ..Given::default()
        };
        let error = format!("{:#}", customize(Flavour::Nestos, &given).unwrap_err());
        assert!(error.contains(text), "{error}");
    }
}

proptest! {
    #[test]
    fn any_config_can_be_summarised(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut members = Members::default();
        members.insert(CONFIG, bytes);
        Summary::of(&members, Flavour::Nestos).lines();
    }
}
