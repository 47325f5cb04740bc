//! Small configs, of which compiler and schema must think the same.

use nestos_butane::{Lang, Options, compile, json_schema};

use crate::schemas::{Findings, compiled};
use crate::yaml::Reading;

/// Dialects, each with configs that are accepted and configs that are refused, without the header.
const CONFIGS: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "nestos",
        "1.0.0",
        &[
            "",
            "storage: ~",
            "storage: {files: ~, links: [~], disks: []}",
            "passwd: {users: [{name: 123, uid: 0x10, system: yes, groups: [1, true]}]}",
            "storage: {files: [{path: /a, mode: 0o644, overwrite: off, contents: {inline: 12}}]}",
            "storage: {files: [{path: /a, mode: 07777}]}",
            "storage: {files: [{path: /a, contents: {source: 'HTTPS://x', compression: ''}}]}",
            "storage: {files: [{path: /a, contents: {source: 'http://a', http_headers: [{name: a}]}}]}",
            "storage: {files: [{path: /a, contents: {source: 'data:text/plain;c=\"d,e\",f%20'}}]}",
            "storage: {files: [{path: /a, contents: {source: 'data:;base64,YQ=='}}]}",
            "storage: {files: [{path: /a, user: {id: 0, name: ''}, group: {name: ~}}]}",
            "storage: {disks: [{device: /dev/a, partitions: [{label: '', number: 0}, {number: 1}]}]}",
            "storage: {disks: [{device: /dev/a, partitions: [{number: 2, should_exist: no}]}]}",
            "storage: {raid: [{name: a, level: 1, devices: [/dev/a, ~]}]}",
            "storage: {filesystems: [{device: /dev/a, format: ''}, {device: /dev/b}]}",
            "storage: {filesystems: [{device: /a, format: swap, with_mount_unit: on}]}",
            "storage: {filesystems: [{device: /a, format: xfs, path: /home, with_mount_unit: y}]}",
            "storage: {luks: [{name: a, device: /a, clevis: {custom: {pin: '', config: ''}}}]}",
            "boot_device: {layout: aarch64, mirror: {devices: []}}",
            "boot_device: {layout: x86_64, mirror: {devices: [/dev/a, /dev/b]}}",
            // What is merged into generated entries needs less.
            "{boot_device: {luks: {tpm2: true}}, storage: {luks: [{name: root, label: a}]}}",
            "{boot_device: {luks: {tpm2: true}}, storage: {filesystems: [{device: /dev/mapper/root, label: a}]}}",
            "grub: {users: [{name: root, password_hash: x}]}",
            "systemd: {units: [{name: a.service, mask: true, dropins: [{name: a.conf}]}]}",
            "kernel_arguments: {should_exist: [a, 1]}",
            "ignition: {config: {merge: [{source: 'http://x'}], replace: {}}, proxy: {no_proxy: [a]}}",
        ],
        &[
            "storage: []",
            "passwd: {users: [{name: [a]}]}",
            "passwd: {users: [{uid: '1'}]}",
            "passwd: {users: [{system: 1}]}",
            "storage: {files: [{}]}",
            "storage: {files: [{path: ~}]}",
            "storage: {files: [{path: /a/}]}",
            "storage: {files: [{path: /a/../b}]}",
            "storage: {files: [{path: 1}]}",
            "storage: {files: [{path: /a, mode: -1}]}",
            "storage: {files: [{path: /a, mode: '0644'}]}",
            "storage: {files: [{path: /a, overwrite: true}]}",
            "storage: {files: [{path: /a, contents: {inline: a, local: b}}]}",
            "storage: {files: [{path: /a, contents: {source: 'arn:aws:s3:::a/b'}}]}",
            "storage: {files: [{path: /a, contents: {source: 'data:hello'}}]}",
            "storage: {files: [{path: /a, contents: {source: 'http://[::1'}}]}",
            "storage: {files: [{path: /a, contents: {verification: {hash: sha512-0}}}]}",
            "storage: {files: [{path: /a, contents: {source: 'data:,', http_headers: [{name: a, value: b}]}}]}",
            "storage: {files: [{path: /a, contents: {source: 'http://a', http_headers: [{name: a, value: ''}]}}]}",
            "storage: {files: [{path: /a, user: {id: 0, name: a}}]}",
            "storage: {links: [{path: /a}]}",
            "storage: {disks: [{device: a}]}",
            "storage: {disks: [{device: /a, partitions: [{number: 0}]}]}",
            "storage: {disks: [{device: /a, partitions: [{number: 1, should_exist: false, label: a}]}]}",
            "storage: {disks: [{device: /a, partitions: [{number: 1, should_exist: false}, {label: a}]}]}",
            "storage: {disks: [{device: /a, partitions: [{label: 'a:b'}]}]}",
            "storage: {disks: [{device: /a, partitions: [{label: 一二三四五六七八九十一二三}]}]}",
            "storage: {disks: [{device: /a, partitions: [{number: 1, guid: a}]}]}",
            "storage: {raid: [{name: a, level: raid2, devices: [/a]}]}",
            "storage: {raid: [{name: a, level: raid1, devices: [~]}]}",
            "storage: {raid: [{name: a, level: 0, devices: [/a], spares: 1}]}",
            "storage: {filesystems: [{device: /a, label: a}]}",
            "storage: {filesystems: [{device: /a, options: [a]}]}",
            "storage: {filesystems: [{device: /a, format: xfs, label: abcdefghijklm}]}",
            "storage: {filesystems: [{device: /a, format: ext3}]}",
            "storage: {filesystems: [{device: /a, format: xfs, with_mount_unit: yes}]}",
            "storage: {filesystems: [{device: /a, path: /var, with_mount_unit: true}]}",
            "storage: {luks: [{name: a}]}",
            "storage: {luks: [{name: a/b, device: /a}]}",
            "storage: {luks: [{name: a, device: /a, clevis: {tpm2: true, custom: {pin: tpm2, config: a}}}]}",
            "storage: {luks: [{name: a, device: /a, clevis: {custom: {pin: tpm2}}}]}",
            "storage: {luks: [{name: a, device: /a, clevis: {custom: {pin: pkcs11, config: a}}}]}",
            "storage: {luks: [{name: a, device: /a, clevis: {tang: [{url: 'http://a'}]}}]}",
            "storage: {trees: [{path: /a}]}",
            "boot_device: {layout: riscv64}",
            "boot_device: {layout: x86_64, mirror: {devices: [/dev/a]}}",
            "boot_device: {luks: {tang: [{url: 'http://a'}]}}",
            "grub: {users: [{name: root}]}",
            "systemd: {units: [{contents: a}]}",
            "systemd: {units: [{name: a.conf}]}",
            "systemd: {units: [{name: a.service, dropins: [{name: a}]}]}",
            "ignition: {config: {merge: [{}]}}",
            "ignition: {security: {tls: {certificate_authorities: [{source: ''}]}}}",
            "ignition: {proxy: {http_proxy: 'ftp://a'}}",
        ],
    ),
    (
        "fcos",
        "1.0.0",
        &[
            "storage: {files: [{path: /a, contents: {inline: a}}]}",
            "ignition: {config: {merge: [{}]}}",
        ],
        &[
            "storage: {files: [{path: /a, contents: {source: 'gs://a'}}]}",
            "storage: {filesystems: [{device: /a, format: none}]}",
        ],
    ),
    (
        "fcos",
        "1.8.0-experimental",
        &[
            "systemd: {quadlets: [{name: a.container, dropins: [{name: b}]}, {name: a@1.container}]}",
            "storage: {luks: [{name: a, device: /a, clevis: {custom: {pin: pkcs11, config: a}}}]}",
            "boot_device: {layout: s390x-eckd, luks: {device: /dev/dasda, cex: {enabled: true}}}",
        ],
        &[
            "systemd: {quadlets: [{name: a.service}]}",
            "systemd: {quadlets: [{name: a@1.container, contents: b}]}",
            "systemd: {units: [{name: a.service, contents: a, contents_local: b}]}",
            "storage: {filesystems: [{device: /a, format: xfs, path: /home, with_mount_unit: yes}]}",
            "storage: {luks: [{name: a, device: /a, cex: {enabled: true}, clevis: {tpm2: true}}]}",
            "storage: {luks: [{name: a, device: /a, cex: {enabled: true}, key_file: {inline: a}}]}",
            "boot_device: {mirror: {devices: [/dev/a, /dev/b]}}",
            "boot_device: {layout: s390x-eckd, luks: {device: /dev/sda, tpm2: true}}",
            "boot_device: {layout: s390x-virt, mirror: {devices: [/dev/a, /dev/b]}}",
            "boot_device: {layout: x86_64, luks: {cex: {enabled: true}}}",
            "boot_device: {layout: s390x-virt, luks: {device: /dev/a}}",
        ],
    ),
    (
        "fiot",
        "1.0.0",
        &["{kernel_arguments: {should_exist: []}, storage: {disks: [], luks: [~]}}"],
        &["kernel_arguments: {should_exist: [a]}", "storage: {raid: [{name: a}]}"],
    ),
    (
        "flatcar",
        "1.0.0",
        &["storage: {luks: [{name: a, device: /a, clevis: {}}]}"],
        &["storage: {luks: [{name: a, device: /a, clevis: {tpm2: false}}]}"],
    ),
    (
        "openshift",
        "4.13.0",
        &[
            "metadata: {name: a, labels: {machineconfiguration.openshift.io/role: worker}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              passwd: {users: [{name: core, password_hash: a, groups: []}]}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              storage: {files: [{path: /a, mode: 0755, contents: {inline: a}}]}}",
        ],
        &[
            "",
            "metadata: {name: a}",
            "metadata: {labels: {machineconfiguration.openshift.io/role: worker}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              passwd: {users: [{name: nest}]}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              passwd: {users: [{name: core, no_create_home: false}]}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              storage: {files: [{path: /a, contents: {source: 'http://a'}}]}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              storage: {files: [{path: /a, mode: 04755}]}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              storage: {filesystems: [{device: /a, format: btrfs}]}}",
            "{metadata: {name: a, labels: {machineconfiguration.openshift.io/role: b}}, \
              openshift: {kernel_type: fast}}",
        ],
    ),
];

#[test]
fn compiler_and_schema_agree() {
    let mut wrong = vec![];
    for (variant, version, accepted, refused) in CONFIGS {
        let schema = json_schema(Some(variant), Some(version), Lang::Chinese).unwrap();
        let schema = compiled(&schema);
        let with_verdict = |list: &'static [&str], good: bool| list.iter().map(move |c| (*c, good));
        for (config, good) in with_verdict(accepted, true).chain(with_verdict(refused, false)) {
            // A mapping in braces cannot be followed by keys.
            let text = match config.strip_prefix('{') {
                Some(rest) => format!("{{variant: {variant}, version: {version}, {rest}"),
                None => format!("variant: {variant}\nversion: {version}\n{config}\n"),
            };
            let compiles = compile(&text, &Options::default()).is_ok();
            let findings = Findings::of(&schema, &Reading::Compiler.json(text.as_bytes()).unwrap());
            let valid = findings.unknown.is_empty() && findings.others.is_empty();
            if compiles != good || valid != good {
                wrong.push(format!("{config}: compiles {compiles}, valid {valid}: {findings:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
