//! What distinguishes variants and versions: sugar, checks and filters, each on both sides of the
//! version that changed it.

use std::path::Path;

use serde_json::{Value, json};

use super::support::{Run, butane};

mod boot_device;
mod fragments;
mod openshift;
mod versions;

/// Every version of fcos, with the version of Ignition it compiles to.
const FCOS: [(&str, &str); 9] = [
    ("1.0.0", "3.0.0"),
    ("1.1.0", "3.1.0"),
    ("1.2.0", "3.2.0"),
    ("1.3.0", "3.2.0"),
    ("1.4.0", "3.3.0"),
    ("1.5.0", "3.4.0"),
    ("1.6.0", "3.5.0"),
    ("1.7.0", "3.6.0"),
    ("1.8.0-experimental", "3.7.0-experimental"),
];

/// Compiles a body after a header such as `fcos 1.5.0`.
fn compile_in(dir: &Path, header: &str, body: &str) -> Run {
    let (variant, version) = header.split_once(' ').unwrap();
    let text = format!("variant: {variant}\nversion: {version}\n{body}\n");
    butane(dir, &["--raw-errors", "--raw", "--files-dir", "."], text)
}

fn compile(header: &str, body: &str) -> Run {
    compile_in(Path::new("."), header, body)
}

/// Returns the config of a body that has nothing to report.
fn good(header: &str, body: &str) -> Value {
    let run = compile(header, body);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{header}: {body}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// Returns the report without places, and without its last line, which is checked.
fn errors(header: &str, body: &str) -> Vec<String> {
    let run = compile(header, body);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{header}: {body}\n{}", run.stderr);
    let mut lines = said(&run);
    let last = lines.pop().unwrap_or_default();
    let failures = ["source config is invalid", "config generated was invalid"];
    assert!(failures.iter().any(|failure| last.ends_with(failure)), "{header}: {last}");
    lines
}

/// Returns the warnings, without places, of a body that compiles.
fn warnings(header: &str, body: &str) -> Vec<String> {
    let run = compile(header, body);
    assert_eq!(run.code, 0, "{header}: {body}\n{}", run.stderr);
    said(&run)
}

fn said(run: &Run) -> Vec<String> {
    let without_place = |line: &str| match (line.find(", line "), line.find(": ")) {
        (Some(comma), Some(colon)) if comma < colon => {
            format!("{}{}", &line[..comma], &line[colon..])
        }
        _ => line.to_owned(),
    };
    run.stderr.lines().map(without_place).collect()
}

/// Returns what stands at a JSON pointer.
fn at(json: &Value, pointer: &str) -> Value {
    json.pointer(pointer).cloned().unwrap_or_else(|| panic!("no {pointer} in {json}"))
}

#[test]
fn every_version_compiles_to_its_version_of_ignition() {
    let others = [
        ("nestos 1.0.0", "3.3.0"),
        ("flatcar 1.0.0", "3.3.0"),
        ("flatcar 1.1.0", "3.4.0"),
        ("flatcar 1.2.0-experimental", "3.7.0-experimental"),
        ("r4e 1.0.0", "3.3.0"),
        ("r4e 1.1.0", "3.4.0"),
        ("r4e 1.2.0-experimental", "3.7.0-experimental"),
        ("fiot 1.0.0", "3.4.0"),
        ("fiot 1.1.0-experimental", "3.7.0-experimental"),
    ];
    let fcos = FCOS.map(|(version, ignition)| (format!("fcos {version}"), ignition));
    let others = others.map(|(header, ignition)| (header.to_owned(), ignition));
    for (header, ignition) in fcos.into_iter().chain(others) {
        assert_eq!(good(&header, ""), json!({"ignition": {"version": ignition}}), "{header}");
    }
}

#[test]
fn headers_of_no_known_language_are_refused_by_name() {
    let no_such = |variant: &str, version: &str| {
        format!("No translator exists for variant {variant} with version {version}")
    };
    let cases = [
        ("variant: fcos", "error parsing version; must be a valid semver".to_owned()),
        ("version: 1.0.0", "error parsing variant; must be specified".to_owned()),
        ("variant: ~\nversion: 1.0.0", "error parsing variant; must be specified".to_owned()),
        ("variant: fcos\nversion: 1.4", "error parsing version; must be a valid semver".to_owned()),
        (
            "variant: fcos\nversion: v1.4.0",
            "error parsing version; must be a valid semver".to_owned(),
        ),
        ("variant: fcos\nversion: 1.9.0", no_such("fcos", "1.9.0")),
        ("variant: FCOS\nversion: 1.4.0", no_such("FCOS", "1.4.0")),
        ("variant: fcos\nversion: 1.4.0+x", no_such("fcos", "1.4.0+x")),
        ("variant: fcos\nversion: 1.4.0-experimental", no_such("fcos", "1.4.0-experimental")),
        ("variant: openshift\nversion: 4.7.0", no_such("openshift", "4.7.0")),
        ("variant: openshift\nversion: 4.23.0", no_such("openshift", "4.23.0")),
        ("variant: nestos\nversion: 1.1.0", no_such("nestos", "1.1.0")),
        (
            "variant: rhcos\nversion: 0.1.0",
            "rhcos variant has been removed; use openshift variant instead: \
             https://coreos.github.io/butane/upgrading-openshift/"
                .to_owned(),
        ),
    ];
    for (text, message) in cases {
        let run = butane(Path::new("."), &[], text);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{text}");
        assert_eq!(run.stderr, format!("Error translating config: {message}\n"), "{text}");
    }
}

#[test]
fn parts_that_a_variant_lacks_are_refused_where_they_stand() {
    let disks = "storage: {disks: [{device: /dev/vda}], raid: [{name: a, level: raid0, devices: \
                 [/dev/a, /dev/b]}], luks: [{name: a, device: /dev/a}], filesystems: [{device: \
                 /dev/b, format: xfs}]}\nkernel_arguments: {should_exist: [a]}";
    let expected = [
        "error at $.kernel_arguments: kernel argument customization is not supported in this spec \
         version",
        "error at $.storage.disks: disk customization is not supported in this spec version",
        "error at $.storage.filesystems: filesystem customization is not supported in this spec \
         version",
        "error at $.storage.luks: luks is not supported in this spec version",
        "error at $.storage.raid: raid is not supported in this spec version",
    ];
    let simplified = [
        "r4e 1.0.0",
        "r4e 1.1.0",
        "r4e 1.2.0-experimental",
        "fiot 1.0.0",
        "fiot 1.1.0-experimental",
    ];
    for header in simplified {
        assert_eq!(errors(header, disks), expected, "{header}");
        good(header, "storage: {disks: [], raid: [], luks: [], filesystems: []}");
    }
    let clevis = "storage: {luks: [{name: a, device: /dev/a, clevis: {tpm2: true}}]}";
    let refused =
        ["error at $.storage.luks.0.clevis: clevis is not supported in this spec version"];
    for header in ["flatcar 1.0.0", "flatcar 1.1.0"] {
        assert_eq!(errors(header, clevis), refused, "{header}");
    }
    good("flatcar 1.2.0-experimental", clevis);
    let cex = "storage: {luks: [{name: a, device: /dev/a, cex: {enabled: true}}]}";
    assert_eq!(
        errors("flatcar 1.2.0-experimental", cex),
        ["error at $.storage.luks.0.cex: cex is not currently supported on the target platform"]
    );
}

#[test]
fn sections_of_another_variant_are_unused_keys() {
    for header in ["flatcar 1.1.0", "r4e 1.1.0", "fiot 1.0.0"] {
        for key in ["boot_device", "grub", "metadata", "openshift"] {
            let expected = [format!("warning at $.{key}: unused key {key}")];
            assert_eq!(warnings(header, &format!("{key}: {{}}")), expected, "{header}");
        }
    }
    for key in ["metadata", "openshift"] {
        let expected = [format!("warning at $.{key}: unused key {key}")];
        assert_eq!(warnings("nestos 1.0.0", &format!("{key}: {{}}")), expected);
    }
}
