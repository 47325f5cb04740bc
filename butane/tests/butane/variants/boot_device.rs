//! Mirrored and encrypted boot devices.

use serde_json::{Value, json};

use super::{FCOS, at, errors, good, warnings};

/// Label, size in MiB and type.
type Partition = (&'static str, i64, &'static str);

const BIOS: Partition = ("bios", 1, "21686148-6449-6E6F-744E-656564454649");
const ESP: Partition = ("esp", 127, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
const PREP: Partition = ("prep", 4, "9E1A2D38-C612-4316-AA26-8B49521E5A8B");
const RESERVED: Partition = ("reserved", 1, "8DA63339-0007-60C0-C436-083AC8230908");

/// The first two partitions of each layout; the others are the same.
const LAYOUTS: [(&str, [Partition; 2]); 3] =
    [("x86_64", [BIOS, ESP]), ("aarch64", [RESERVED, ESP]), ("ppc64le", [PREP, RESERVED])];

/// The versions that have the section.
fn headers() -> Vec<String> {
    let fcos = FCOS.iter().skip(3).map(|(version, _)| format!("fcos {version}"));
    fcos.chain(["nestos 1.0.0".to_owned()]).collect()
}

fn disk(device: &str, number: usize, first: &[Partition]) -> Value {
    let mut partitions: Vec<Value> = first
        .iter()
        .map(|(label, size, guid)| {
            json!({"label": format!("{label}-{number}"), "sizeMiB": size, "typeGuid": guid})
        })
        .collect();
    partitions.push(json!({"label": format!("boot-{number}"), "sizeMiB": 384}));
    partitions.push(json!({"label": format!("root-{number}")}));
    json!({"device": device, "partitions": partitions, "wipeTable": true})
}

fn filesystem(device: &str, format: &str, label: &str) -> Value {
    json!({"device": device, "format": format, "label": label, "wipeFilesystem": true})
}

fn mirrored(first: &[Partition], root: &str) -> Value {
    let mut filesystems = vec![];
    if first.contains(&ESP) {
        filesystems.push(filesystem("/dev/disk/by-partlabel/esp-1", "vfat", "esp-1"));
        filesystems.push(filesystem("/dev/disk/by-partlabel/esp-2", "vfat", "esp-2"));
    }
    filesystems.push(filesystem("/dev/md/md-boot", "ext4", "boot"));
    filesystems.push(filesystem(root, "xfs", "root"));
    let devices =
        |label: &str| [1, 2].map(|number| format!("/dev/disk/by-partlabel/{label}-{number}"));
    json!({
        "disks": [disk("/dev/vda", 1, first), disk("/dev/vdb", 2, first)],
        "filesystems": filesystems,
        "raid": [
            {"devices": devices("boot"), "level": "raid1", "name": "md-boot",
             "options": ["--metadata=1.0"]},
            {"devices": devices("root"), "level": "raid1", "name": "md-root"},
        ],
    })
}

#[test]
fn a_mirror_has_the_partitions_of_its_layout() {
    for header in headers() {
        for (layout, first) in LAYOUTS {
            let body = format!(
                "boot_device: {{layout: {layout}, mirror: {{devices: [/dev/vda, /dev/vdb]}}}}"
            );
            let json = good(&header, &body);
            assert_eq!(json["storage"], mirrored(&first, "/dev/md/md-root"), "{header} {layout}");
        }
    }
}

#[test]
fn an_encrypted_mirror_is_encrypted_above_the_array() {
    for header in headers() {
        for (layout, first) in LAYOUTS {
            let body = format!(
                "boot_device: {{layout: {layout}, mirror: {{devices: [/dev/vda, /dev/vdb]}}, luks: \
                 {{tpm2: true, threshold: 2, tang: [{{url: 'https://t', thumbprint: x}}]}}}}"
            );
            let mut expected = mirrored(&first, "/dev/mapper/root");
            expected["luks"] = json!([{
                "clevis": {"tang": [{"thumbprint": "x", "url": "https://t"}], "threshold": 2,
                           "tpm2": true},
                "device": "/dev/md/md-root", "label": "luks-root", "name": "root",
                "wipeVolume": true,
            }]);
            assert_eq!(good(&header, &body)["storage"], expected, "{header} {layout}");
        }
    }
}

#[test]
fn an_encrypted_root_is_found_by_its_label() {
    for header in headers() {
        for body in ["{luks: {tpm2: true}}", "{layout: aarch64, luks: {tpm2: true}}"] {
            let json = good(&header, &format!("boot_device: {body}"));
            let expected = json!({
                "filesystems": [filesystem("/dev/mapper/root", "xfs", "root")],
                "luks": [{"clevis": {"tpm2": true}, "device": "/dev/disk/by-partlabel/root",
                          "label": "luks-root", "name": "root", "wipeVolume": true}],
            });
            assert_eq!(json["storage"], expected, "{header} {body}");
        }
    }
}

#[test]
fn a_layout_by_itself_asks_for_nothing() {
    for header in headers() {
        for body in ["{layout: x86_64}", "{luks: {threshold: 2}}", "{luks: {tpm2: false}}", "{}"] {
            let json = good(&header, &format!("boot_device: {body}"));
            assert_eq!(json.get("storage"), None, "{header} {body}");
        }
    }
}

#[test]
fn the_user_changes_parts_of_a_mirror_in_their_places() {
    let body = "boot_device: {layout: x86_64, mirror: {devices: [/dev/vda, /dev/vdb]}}\n\
                storage:\n  \
                  disks: [{device: /dev/vdb, partitions: [{label: root-2, size_mib: 10240}, \
                {label: var-2}]}, {device: /dev/vdc}]\n  \
                  filesystems: [{device: /dev/md/md-root, format: ext4}]\n";
    for header in headers() {
        // Versions before 1.6 do not warn of labels.
        let run = super::compile(&header, body);
        assert_eq!(run.code, 0, "{header}: {}", run.stderr);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        let partitions = at(&json, "/storage/disks/1/partitions");
        let root = json!({"label": "root-2", "sizeMiB": 10240});
        assert_eq!((&partitions[3], &partitions[4]), (&root, &json!({"label": "var-2"})));
        assert_eq!(at(&json, "/storage/disks/1/wipeTable"), true, "{header}");
        assert_eq!(at(&json, "/storage/disks/2/device"), "/dev/vdc", "{header}");
        let root = filesystem("/dev/md/md-root", "ext4", "root");
        assert_eq!(at(&json, "/storage/filesystems/3"), root, "{header}");
    }
}

#[test]
fn the_layouts_of_s390x_appear_in_1_6() {
    let cases = [
        ("s390x-eckd", "device: /dev/dasda, ", "/dev/dasda2"),
        ("s390x-zfcp", "device: /dev/sda, ", "/dev/sda4"),
        ("s390x-virt", "", "/dev/disk/by-partlabel/root"),
    ];
    let methods = [
        ("tpm2: true", json!({"clevis": {"tpm2": true}})),
        ("cex: {enabled: true}", json!({"cex": {"enabled": true}})),
    ];
    for (layout, device, expected) in cases {
        for (method, unlocked) in &methods {
            let body = format!("boot_device: {{layout: {layout}, luks: {{{device}{method}}}}}");
            for header in ["fcos 1.6.0", "fcos 1.7.0", "fcos 1.8.0-experimental"] {
                let mut luks = json!({"device": expected, "label": "luks-root", "name": "root",
                                      "wipeVolume": true});
                luks.as_object_mut().unwrap().extend(unlocked.as_object().unwrap().clone());
                assert_eq!(good(header, &body)["storage"]["luks"], json!([luks]), "{header}");
            }
        }
        let body = format!("boot_device: {{layout: {layout}, luks: {{tpm2: true}}}}");
        for header in ["fcos 1.3.0", "fcos 1.4.0", "fcos 1.5.0", "nestos 1.0.0"] {
            assert_eq!(
                errors(header, &body),
                ["error at $.boot_device.layout: layout must be one of: aarch64, ppc64le, x86_64"]
            );
        }
    }
    assert_eq!(
        errors("fcos 1.6.0", "boot_device: {layout: riscv64}"),
        ["error at $.boot_device.layout: layout must be one of: aarch64, ppc64le, s390x-eckd, \
          s390x-virt, s390x-zfcp, x86_64"]
    );
}

#[test]
fn wrong_devices_and_methods_for_s390x_are_refused() {
    let required = "error at $.boot_device.layout: device is required for layouts: s390x-eckd, \
                    s390x-zfcp";
    let named = "error at $.boot_device.layout: device name must start with /dev/dasd on \
                 s390x-eckd layout or /dev/sd on s390x-zfcp layout";
    let mirror = "error at $.boot_device.layout: mirroring not supported on layouts: s390x-eckd, \
                  s390x-zfcp, s390x-virt";
    let clevis = "error at $.boot_device.luks: cannot use cex with clevis";
    let cex = "cex: {enabled: true}";
    let cases = [
        ("s390x-eckd", format!("luks: {{{cex}}}"), required),
        ("s390x-zfcp", "luks: {tpm2: true}".to_owned(), required),
        ("s390x-eckd", format!("luks: {{device: /dev/sda, {cex}}}"), named),
        ("s390x-eckd", format!("luks: {{device: /dev/dasda1, {cex}}}"), named),
        ("s390x-eckd", format!("luks: {{device: /dev/dasdaa, {cex}}}"), named),
        ("s390x-zfcp", format!("luks: {{device: /dev/dasda, {cex}}}"), named),
        ("s390x-zfcp", format!("luks: {{device: /dev/sda1, {cex}}}"), named),
        ("s390x-virt", "mirror: {devices: [/dev/vda, /dev/vdb]}".to_owned(), mirror),
        ("s390x-virt", format!("luks: {{tpm2: true, {cex}}}"), clevis),
        (
            "x86_64",
            format!("luks: {{{cex}}}"),
            "error at $.boot_device.layout: when using cex the targeted architecture must match \
             s390x",
        ),
    ];
    for (layout, rest, expected) in cases {
        let body = format!("boot_device: {{layout: {layout}, {rest}}}");
        assert_eq!(errors("fcos 1.6.0", &body), [expected], "{body}");
    }
}

#[test]
fn a_mirror_without_a_layout_is_a_warning_until_1_7() {
    let body = "boot_device: {mirror: {devices: [/dev/vda, /dev/vdb]}}";
    let message = "at $.boot_device.mirror: boot_device.layout should be specified when \
                   boot_device.mirror is specified";
    for header in headers() {
        match header.as_str() {
            "fcos 1.7.0" | "fcos 1.8.0-experimental" => {
                assert_eq!(errors(&header, body), [format!("error {message}")], "{header}");
            }
            _ => assert_eq!(warnings(&header, body), [format!("warning {message}")], "{header}"),
        }
    }
}

#[test]
fn a_root_to_encrypt_needs_a_method_from_1_7() {
    let body = "boot_device: {layout: s390x-eckd, luks: {device: /dev/dasda}}";
    assert_eq!(good("fcos 1.6.0", body).get("storage"), None);
    for header in ["fcos 1.7.0", "fcos 1.8.0-experimental"] {
        assert_eq!(
            errors(header, body),
            ["error at $.boot_device.luks: no method specified for luks"]
        );
    }
}
