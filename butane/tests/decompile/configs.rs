//! What decompiled configs look like, and what cannot be one.

use std::path::Path;

use nestos_butane::{
    Conversion, DecompileOptions, Encoding, Options, compile, decompile, ignition,
};
use proptest::prelude::{any, prop, proptest};
use proptest::test_runner::Config;

/// Decompiles the rest of a config of spec 3.3.0; returns what follows the header.
fn body(rest: &str) -> String {
    let text = decompiled(&with_version("3.3.0", rest), &DecompileOptions::default());
    let header = "# Made from Ignition 3.3.0\nvariant: nestos\nversion: 1.0.0\n";
    text.strip_prefix(header).unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn with_version(version: &str, rest: &str) -> String {
    format!(r#"{{"ignition": {{"version": "{version}"}}, {rest}}}"#)
}

fn decompiled(json: &str, options: &DecompileOptions) -> String {
    decompile(json.as_bytes(), options).unwrap_or_else(|report| panic!("{report}\n{json}")).text
}

fn failure(json: &str, options: &DecompileOptions) -> String {
    decompile(json.as_bytes(), options).unwrap_err().failure.unwrap()
}

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn variant(name: &str) -> DecompileOptions {
    DecompileOptions { variant: Some(name.to_owned()), ..DecompileOptions::default() }
}

#[test]
fn one_of_everything_comes_back_as_people_write_it() {
    let text = decompiled(&golden("everything.ign"), &DecompileOptions::default());
    let again = compile(&text, &Options::default()).unwrap();
    let want: serde_json::Value = serde_json::from_str(&golden("everything.ign")).unwrap();
    assert_eq!(again.value().unwrap(), want, "{text}");
    let partitions =
        "      partitions:\n        - {number: 1, label: data, size_mib: 0, start_mib: 0}\n";
    for part in [partitions, "      with_mount_unit: true\n", "      user: {id: 1000}\n"] {
        assert!(text.contains(part), "{text}");
    }
    // The user's drop-in for a generated unit stays, without the unit.
    assert!(text.contains("    - name: var-lib-data\\x2d1.mount\n      dropins:\n"), "{text}");
}

#[test]
fn a_mirrored_encrypted_root_is_a_boot_device_with_what_the_user_changed() {
    let text = decompiled(&golden("mirror.ign"), &DecompileOptions::default());
    assert_eq!(
        text,
        "# Made from Ignition 3.3.0\nvariant: nestos\nversion: 1.0.0\nboot_device:\n  \
         layout: x86_64\n  mirror:\n    devices: [/dev/sda, /dev/sdb]\n  luks: {tpm2: true}\n\
         storage:\n  disks:\n    - device: /dev/sda\n      partitions:\n        \
         - {label: root-1, size_mib: 8192}\n        - {label: var-1}\n  filesystems:\n    \
         - device: /dev/mapper/root\n      format: ext4\n"
    );
}

#[test]
fn contents_are_text_where_butane_would_encode_it_the_same() {
    let file = |contents: &str| {
        body(&format!(r#""storage": {{"files": [{{"path": "/a", "contents": {{{contents}}}}}]}}"#))
            .replace("storage:\n  files:\n    - path: /a\n      contents:", "")
    };
    let cases = [
        (
            r#""source": "data:,a%0Ab%0A", "compression": """#,
            "\n        inline: |\n          a\n          b\n",
        ),
        (r#""source": "data:,0644", "compression": """#, " {inline: \"0644\"}\n"),
        (r#""source": "data:,a", "compression": """#, " {inline: a}\n"),
        (r#""source": "data:,a", "compression": "gzip""#, " {inline: a, compression: gzip}\n"),
        (r#""source": "data:,a""#, "\n        source: data:,a\n"),
        (
            r#""source": "data:,%61", "compression": """#,
            "\n        source: data:,%61\n        compression: \"\"\n",
        ),
        (
            r#""source": "http://a/b", "compression": "gzip""#,
            "\n        source: http://a/b\n        compression: gzip\n",
        ),
    ];
    for (contents, want) in cases {
        assert_eq!(file(contents), want, "{contents}");
    }
}

#[test]
fn large_contents_stay_compressed() {
    let file = |n: usize| {
        let text = "a\\n".repeat(n);
        let config =
            format!("storage:\n  files:\n    - path: /a\n      contents: {{inline: \"{text}\"}}");
        let config = format!("variant: nestos\nversion: 1.0.0\n{config}");
        let json = compile(config, &Options::default()).unwrap().json;
        decompiled(&json, &DecompileOptions::default()).len()
    };
    assert!(file(100_000) > 100_000);
    assert!(file(600_000) < 10_000);
}

#[test]
fn texts_that_stay_encoded_are_mentioned() {
    let json = r#""storage": {"files": [{"path": "/a", "contents": {"source": "data:,a"}}]}"#;
    let done = decompile(with_version("3.3.0", json).as_bytes(), &DecompileOptions::default());
    assert_eq!(
        done.unwrap().warnings.to_string(),
        "info at $: texts in data URLs that Butane would encode in another way, so they stay as they \
         are: 1
"
    );
}

#[test]
fn contents_in_any_encoding_are_text_if_that_is_asked_for() {
    let sources = ["data:,a%20b", "data:text/plain;base64,YSBi", "data:;base64,YSBi"];
    for source in sources {
        let json = format!(
            r#""storage": {{"files": [{{"path": "/a", "contents": {{"source": "{source}"}}}}]}}"#
        );
        let options = DecompileOptions { encoding: Encoding::Any, ..DecompileOptions::default() };
        let text = decompiled(&with_version("3.3.0", &json), &options);
        assert!(text.ends_with("contents:\n        inline: a b\n"), "{text}");
    }
}

#[test]
fn configs_inside_get_lines_unless_they_are_verified() {
    let inner = r#"{"ignition":{"version":"3.3.0"},"passwd":{"users":[{"name":"core","shell":"/bin/sh"}]}}"#;
    let json = |more: &str| {
        let config = format!("ignition:\n  config:\n    replace:\n      inline: '{inner}'\n{more}");
        compile(format!("variant: nestos\nversion: 1.0.0\n{config}"), &Options::default())
            .unwrap()
            .json
    };
    let text = decompiled(&json(""), &DecompileOptions::default());
    assert!(
        text.contains("      inline: |\n        {\n          \"ignition\": {\"version\""),
        "{text}"
    );
    let hash = format!("      verification: {{hash: sha256-{}}}\n", "0".repeat(64));
    let text = decompiled(&json(&hash), &DecompileOptions::default());
    assert!(text.contains(&format!("inline: '{inner}'")), "{text}");
}

#[test]
fn a_config_inside_that_is_not_one_stays_encoded_and_nothing_else_does() {
    let text = body(
        r#""storage": {"files": [{"path": "/a", "contents": {"source": "data:,a", "compression": ""}}]}"#,
    );
    assert!(text.contains("inline: a"), "{text}");
    let broken = r#"{"ignition": {"version": "3.3.0", "config": {"merge": [
        {"source": "data:,%7B", "compression": ""}]}}, "storage": {"files": [
        {"path": "/a", "contents": {"source": "data:,a", "compression": ""}}]}}"#;
    let text = decompiled(broken, &DecompileOptions::default());
    assert!(text.contains("source: data:,%7B") && text.contains("inline: a"), "{text}");
}

#[test]
fn a_unit_that_is_not_what_the_filesystem_would_get_stays_a_unit() {
    let json = compile(
        "variant: nestos\nversion: 1.0.0\nstorage: {filesystems: [{device: /dev/vdb, path: \
         /var/a, format: xfs, with_mount_unit: true}]}",
        &Options::default(),
    );
    let json = json.unwrap().json;
    let sugared = decompiled(&json, &DecompileOptions::default());
    assert!(sugared.ends_with("with_mount_unit: true\n"), "{sugared}");
    let text = decompiled(&json.replace("Type=xfs", "Type=ext4"), &DecompileOptions::default());
    assert!(text.contains("contents: |-\n        # Generated by Butane\n"), "{text}");
}

#[test]
fn specs_have_their_variants() {
    let cases = [
        ("3.0.0", "fcos\nversion: 1.0.0"),
        ("3.1.0", "fcos\nversion: 1.1.0"),
        ("3.2.0", "fcos\nversion: 1.3.0"),
        ("3.3.0", "nestos\nversion: 1.0.0"),
        ("3.4.0", "fcos\nversion: 1.5.0"),
        ("3.5.0", "fcos\nversion: 1.6.0"),
        ("3.6.0", "fcos\nversion: 1.7.0"),
    ];
    for (spec, dialect) in cases {
        let json = with_version(spec, r#""passwd": {}"#);
        let text = decompiled(&json, &DecompileOptions::default());
        assert_eq!(text, format!("# Made from Ignition {spec}\nvariant: {dialect}\n"));
    }
    let json = with_version("3.3.0", r#""passwd": {}"#);
    assert!(decompiled(&json, &variant("flatcar")).contains("variant: flatcar\nversion: 1.0.0\n"));
}

#[test]
fn another_spec_is_only_written_if_that_is_asked_for() {
    let old = with_version(
        "3.1.0",
        r#""storage": {"files": [{"path": "/a"}]}, "kernelArguments": {"shouldExist": ["x"]}"#,
    );
    assert_eq!(
        failure(&old, &variant("nestos")),
        "cannot write variant nestos: it has no version for Ignition 3.1.0\nhint: convert it to \
         Ignition 3.3.0, which nestos 1.0.0 is for, or choose variant fcos"
    );
    let options = DecompileOptions { conversion: Conversion::ToLaterSpec, ..variant("nestos") };
    let converted = decompile(old.as_bytes(), &options).unwrap();
    assert_eq!(converted.ignition_version, "3.3.0");
    assert!(converted.text.ends_with("version: 1.0.0\nstorage:\n  files:\n    - path: /a\n"));
    let warnings = converted.warnings.to_string();
    assert!(warnings.contains("unused key kernelArguments"), "{warnings}");
    assert!(warnings.contains("is of spec 3.1.0; what was made from it is of spec 3.3.0"));
}

#[test]
fn what_cannot_be_written_is_said() {
    let json = with_version("3.3.0", r#""kernelArguments": {"shouldExist": ["x"]}"#);
    let refused = decompile(json.as_bytes(), &variant("r4e")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "error at $.kernel_arguments: kernel argument customization is not supported in this spec \
         version\ncannot write the config as r4e 1.0.0: source config is invalid"
    );
    assert_eq!(failure(&json, &variant("plan9")), "cannot write variant plan9: no such variant");
    assert!(failure(&json, &variant("openshift")).contains("machine configs"));
    let invalid = with_version("3.3.0", r#""storage": {"files": [{"path": "a"}]}"#);
    assert_eq!(
        decompile(invalid.as_bytes(), &DecompileOptions::default()).unwrap_err(),
        ignition::validate(invalid.as_bytes())
    );
}

#[test]
fn the_comment_names_the_file_without_breaking_out_of_its_line() {
    let name = Some("a\nb.ign".to_owned());
    let options = DecompileOptions { name, ..DecompileOptions::default() };
    let text = decompiled(&with_version("3.3.0", r#""passwd": {}"#), &options);
    assert!(text.starts_with("# Made from a\u{fffd}b.ign, Ignition 3.3.0\nvariant:"), "{text}");
}

/// Decompiles what may be no config; what comes out must compile.
pub(crate) fn check(json: &[u8]) {
    for encoding in [Encoding::Same, Encoding::Any] {
        let options = DecompileOptions { encoding, ..DecompileOptions::default() };
        if let Ok(done) = decompile(json, &options) {
            compile(&done.text, &Options::default()).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        check(&bytes);
    }

    #[test]
    fn no_json_makes_it_panic(
        rest in "(\"(storage|passwd|files|name|systemd|units|path)\": ?|[\\[\\]{},]|\"a\"|1|null){0,20}",
    ) {
        check(with_version("3.3.0", &rest).as_bytes());
    }

    #[test]
    fn no_change_of_a_config_makes_it_panic_or_lie(
        cut in any::<prop::sample::Index>(),
        length in 0usize..12,
        insert in "[-a-z0-9:{}\\[\\], \n\"'!&*|>%#?\\\\~./]{0,8}",
    ) {
        for name in ["everything.ign", "mirror.ign"] {
            let mut text = golden(name).into_bytes();
            let start = cut.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.bytes());
            check(&text);
        }
    }

    #[test]
    fn any_texts_come_back(texts in prop::collection::vec(any::<String>(), 5)) {
        let quoted: Vec<_> = texts.iter().map(|t| serde_json::to_string(t).unwrap()).collect();
        let [name, gecos, shell, home, group] = quoted.as_slice() else { unreachable!() };
        let json = with_version("3.3.0", &format!(
            r#""passwd": {{"users": [{{"name": {name}, "gecos": {gecos}, "shell": {shell},
               "homeDir": {home}, "groups": [{group}]}}]}}"#
        ));
        let text = decompiled(&json, &DecompileOptions::default());
        let again = compile(text, &Options::default()).unwrap().value().unwrap();
        let user = &again["passwd"]["users"][0];
        assert_eq!([&user["name"], &user["gecos"], &user["shell"], &user["homeDir"]], [0, 1, 2, 3].map(|n| &texts[n]));
        assert_eq!(user["groups"][0], texts[4]);
    }
}
