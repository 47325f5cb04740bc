//! Sugar that changed from one version of fcos to the next.

use serde_json::{Value, json};

use super::{FCOS, at, compile, errors, good, warnings};

fn minor(version: &str) -> u32 {
    version.split('.').nth(1).unwrap().parse().unwrap()
}

#[test]
fn contents_are_only_percent_encoded_in_1_0() {
    let text = "ä ".repeat(100);
    let body = format!("storage: {{files: [{{path: /a, contents: {{inline: \"{text}\"}}}}]}}");
    for (version, _) in FCOS {
        let contents = at(&good(&format!("fcos {version}"), &body), "/storage/files/0/contents");
        if version == "1.0.0" {
            let source = format!("data:,{}", "%C3%A4%20".repeat(100));
            assert_eq!(contents, json!({ "source": source }));
        } else {
            assert_eq!(contents["compression"], "gzip", "{version}");
            let source = contents["source"].as_str().unwrap();
            assert!(source.starts_with("data:;base64,H4sI"), "{version}: {source}");
        }
    }
}

#[test]
fn short_contents_say_that_they_are_not_compressed_from_1_1() {
    let body = "storage: {files: [{path: /a, contents: {inline: \"(a~b)!*'-_. /\\n\"}}]}";
    for (version, _) in FCOS {
        let contents = at(&good(&format!("fcos {version}"), body), "/storage/files/0/contents");
        let mut expected = json!({"source": "data:,(a~b)!*'-_.%20%2F%0A"});
        if version != "1.0.0" {
            expected["compression"] = json!("");
        }
        assert_eq!(contents, expected, "{version}");
    }
}

#[test]
fn keys_are_unused_before_the_version_that_has_them() {
    let cases = [
        (1, "storage.trees", "storage: {trees: []}"),
        (1, "ignition.proxy", "ignition: {proxy: {}}"),
        (
            1,
            "storage.files.0.contents.http_headers",
            "storage: {files: [{path: /a, contents: {http_headers: []}}]}",
        ),
        (
            1,
            "storage.filesystems.0.mount_options",
            "storage: {filesystems: [{device: /dev/a, mount_options: []}]}",
        ),
        (2, "storage.luks", "storage: {luks: []}"),
        (2, "passwd.users.0.should_exist", "passwd: {users: [{name: a, should_exist: true}]}"),
        (2, "passwd.groups.0.should_exist", "passwd: {groups: [{name: a, should_exist: true}]}"),
        (
            2,
            "storage.disks.0.partitions.0.resize",
            "storage: {disks: [{device: /dev/a, partitions: [{number: 1, resize: true}]}]}",
        ),
        (3, "boot_device", "boot_device: {}"),
        (4, "kernel_arguments", "kernel_arguments: {}"),
        (5, "grub", "grub: {}"),
        (
            5,
            "passwd.users.0.ssh_authorized_keys_local",
            "passwd: {users: [{name: a, ssh_authorized_keys_local: []}]}",
        ),
        (
            5,
            "systemd.units.0.contents_local",
            "systemd: {units: [{name: a.service, contents_local: ''}]}",
        ),
        (
            5,
            "systemd.units.0.dropins.0.contents_local",
            "systemd: {units: [{name: a.service, dropins: [{name: a.conf, contents_local: ''}]}]}",
        ),
        (7, "storage.trees.0.dir_mode", "storage: {trees: [{local: src, dir_mode: ~}]}"),
        (8, "systemd.quadlets", "systemd: {quadlets: []}"),
    ];
    for (since, path, body) in cases {
        let key = path.rsplit('.').next().unwrap();
        let unused = vec![format!("warning at $.{path}: unused key {key}")];
        for (version, _) in FCOS {
            if path == "storage.trees.0.dir_mode" && minor(version) < 1 {
                continue;
            }
            let expected = if minor(version) < since { unused.clone() } else { vec![] };
            assert_eq!(warnings(&format!("fcos {version}"), body), expected, "{version} {path}");
        }
    }
}

#[test]
fn fields_of_luks_appear_one_after_the_other() {
    let luks = |field: &str| format!("storage: {{luks: [{{name: a, device: /dev/a, {field}}}]}}");
    let cases = [
        (5, "discard", "discard: true", json!(true)),
        (5, "openOptions", "open_options: [--x]", json!(["--x"])),
        (6, "cex", "cex: {enabled: true}", json!({"enabled": true})),
    ];
    for (since, key, field, expected) in cases {
        for (version, _) in FCOS.iter().skip(2) {
            let run = compile(&format!("fcos {version}"), &luks(field));
            let json: Value = serde_json::from_str(&run.stdout).unwrap();
            let there = minor(version) >= since;
            let found = at(&json, "/storage/luks/0").get(key).cloned();
            assert_eq!(found, there.then(|| expected.clone()), "{version} {key}");
            assert_eq!(run.stderr.contains("unused key"), !there, "{version}: {}", run.stderr);
        }
    }
}

#[test]
fn an_empty_clevis_section_is_kept_until_1_3() {
    let body = "storage: {luks: [{name: a, device: /dev/a, clevis: {}}]}";
    for (version, _) in FCOS.iter().skip(2) {
        let luks = at(&good(&format!("fcos {version}"), body), "/storage/luks/0");
        let expected = (minor(version) <= 3).then(|| json!({}));
        assert_eq!(luks.get("clevis").cloned(), expected, "{version}");
    }
}

#[test]
fn swap_has_a_unit_of_its_own_from_1_4() {
    let swap = |path: &str| {
        format!(
            "storage: {{filesystems: [{{device: /dev/a, format: swap, with_mount_unit: \
             true{path}}}]}}"
        )
    };
    let missing = "error at $.storage.filesystems.0.path: path is required if with_mount_unit is \
                   true and format is not swap";
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        let header = format!("fcos {version}");
        assert_eq!(errors(&header, &swap("")), [missing], "{version}");
        let unit = at(&good(&header, &swap(", path: /var/x")), "/systemd/units/0");
        assert_eq!(unit["name"], "var-x.mount");
        assert!(unit["contents"].as_str().unwrap().contains("\nType=swap\n"), "{unit}");
    }
    for (version, _) in FCOS.iter().skip(4) {
        let unit = at(&good(&format!("fcos {version}"), &swap("")), "/systemd/units/0");
        let contents = "# Generated by Butane\n[Swap]\nWhat=/dev/a\n\n[Install]\n\
                        RequiredBy=swap.target";
        let expected = json!({"contents": contents, "enabled": true, "name": "dev-a.swap"});
        assert_eq!(unit, expected, "{version}");
    }
}

#[test]
fn mounts_of_devices_unlocked_over_the_network_wait_for_it_from_1_2() {
    let body = "storage:\n  \
                  luks: [{name: t, device: /dev/a, clevis: {tang: [{url: 'http://t', thumbprint: \
                x}]}}, {name: p, device: /dev/b, clevis: {tpm2: true}}]\n  \
                  filesystems: [{device: DEVICE, format: xfs, path: /var/x, with_mount_unit: true}]";
    for (version, _) in FCOS.iter().skip(1) {
        let devices = [
            ("/dev/mapper/t", true),
            ("/dev/disk/by-id/dm-name-t", true),
            ("/dev/mapper/p", false),
            ("/dev/a", false),
        ];
        for (device, remote) in devices {
            let run = compile(&format!("fcos {version}"), &body.replace("DEVICE", device));
            let json: Value = serde_json::from_str(&run.stdout).unwrap();
            let unit = at(&json, "/systemd/units/0/contents");
            let end = match remote && minor(version) >= 2 {
                true => "Type=xfs\nOptions=_netdev\n\n[Install]\nRequiredBy=remote-fs.target",
                false => "Type=xfs\n\n[Install]\nRequiredBy=local-fs.target",
            };
            assert!(unit.as_str().unwrap().ends_with(end), "{version} {device}: {unit}");
        }
    }
}

#[test]
fn mount_points_are_restricted_from_1_6() {
    let body = |path: &str| {
        format!(
            "storage: {{filesystems: [{{device: /dev/a, format: xfs, path: {path}, \
             with_mount_unit: true}}]}}"
        )
    };
    for path in ["/srv", "/variable", "/home/etc"] {
        for (version, _) in FCOS.iter().skip(1) {
            let header = format!("fcos {version}");
            if minor(version) < 6 {
                good(&header, &body(path));
            } else {
                let expected = "error at $.storage.filesystems.0.path: path must be under /etc or \
                                /var if with_mount_unit is true";
                assert_eq!(errors(&header, &body(path)), [expected]);
            }
        }
    }
    for path in ["/var", "/etc", "/var/lib/x"] {
        good("fcos 1.6.0", &body(path));
    }
}

#[test]
fn special_mode_bits_are_a_warning_until_1_6() {
    let body =
        "storage: {files: [{path: /a, mode: 04755}], directories: [{path: /b, mode: 01777}]}";
    let message = "setuid/setgid/sticky bits are not supported or functional in spec versions \
                   older than 3.6.0";
    for (version, _) in FCOS {
        let warned = warnings(&format!("fcos {version}"), body);
        let expected = match minor(version) < 7 {
            true => vec![
                format!("warning at $.storage.directories.0.mode: {message}"),
                format!("warning at $.storage.files.0.mode: {message}"),
            ],
            false => vec![],
        };
        assert_eq!(warned, expected, "{version}");
    }
}

#[test]
fn url_schemes_and_hashes_appear_with_their_versions() {
    let sha256 = format!("sha256-{}", "0".repeat(64));
    let cases = [
        (1, format!("{{source: 'https://h/x', verification: {{hash: {sha256}}}}}")),
        (2, "{source: 'gs://bucket/x'}".to_owned()),
        (5, "{source: 'arn:aws:s3:::bucket/x'}".to_owned()),
    ];
    for (since, contents) in cases {
        let body = format!("storage: {{files: [{{path: /a, contents: {contents}}}]}}");
        for (version, _) in FCOS {
            let code = compile(&format!("fcos {version}"), &body).code;
            assert_eq!(code, i32::from(minor(version) < since), "{version} {contents}");
        }
    }
}

#[test]
fn what_is_left_out_is_an_error_of_its_time() {
    let link = "storage: {links: [{path: /l}]}";
    let raid = "storage: {raid: [{name: a, devices: [/dev/a]}]}";
    let authority = "ignition: {security: {tls: {certificate_authorities: [{}]}}}";
    for (version, _) in FCOS {
        let header = format!("fcos {version}");
        let level = if minor(version) < 4 {
            assert_eq!(at(&good(&header, link), "/storage/links/0/target"), "", "{version}");
            "unrecognized raid level"
        } else {
            let expected = "error at $.storage.links.0.target: link target is required";
            assert_eq!(errors(&header, link), [expected], "{version}");
            "raid level is required"
        };
        let expected = format!("error at $.storage.raid.0.level: {level}");
        assert_eq!(errors(&header, raid), [expected], "{version}");
        let path = "$.ignition.security.tls.certificate_authorities.0";
        let expected = match version {
            "1.0.0" => format!("error at {path}.source: invalid url scheme"),
            _ => format!("error at {path}: source is required"),
        };
        assert_eq!(errors(&header, authority), [expected], "{version}");
    }
}

#[test]
fn a_header_without_a_value_deletes_one() {
    let body = |value: &str| {
        format!(
            "storage: {{files: [{{path: /a, contents: {{source: 'http://h/', http_headers: [{{name: \
             A{value}}}]}}}}]}}"
        )
    };
    for (version, _) in FCOS.iter().skip(1) {
        let header = format!("fcos {version}");
        let json = good(&header, &body(""));
        let headers = at(&json, "/storage/files/0/contents/httpHeaders");
        assert_eq!(headers, json!([{"name": "A"}]), "{version}");
        let expected = "error at $.storage.files.0.contents.http_headers.0.value: unable to parse \
                        HTTP header";
        assert_eq!(errors(&header, &body(", value: ''")), [expected], "{version}");
    }
}

#[test]
fn two_sources_are_reported_before_what_they_hold_is_read() {
    let only_one = "only one of the following can be set: inline, local, source";
    let files = r#"storage: {files: [{path: /a, contents: {inline: x, source: "http://a/"}}]}"#;
    let at = "error at $.storage.files.0.contents";
    assert_eq!(errors("fcos 1.0.0", files), [format!("{at}.inline: {only_one}")]);
    assert_eq!(errors("fcos 1.1.0", files), [format!("{at}.source: {only_one}")]);
    let merge = r#"ignition: {config: {merge: [{inline: "{", source: "http://a/"}]}}"#;
    let expected = format!("error at $.ignition.config.merge.0.source: {only_one}");
    assert_eq!(errors("fcos 1.4.0", merge), [expected]);
}

#[test]
fn warnings_about_partitions_follow_those_about_the_source() {
    let body = "storage: {disks: [{device: /dev/vda, partitions: [{label: root}, {label: b}]}, \
                {device: /dev/vdb, partitions: [{label: root, number: 4, size_mib: 9}]}]}";
    let reused = "partitions cannot be reused by label; number must be specified except on boot \
                  disk (/dev/disk/by-id/coreos-boot-disk) or when wipe_table is true";
    let at = "warning at $.storage.disks.";
    let expected = [
        format!("{at}0.partitions.0.number: {reused}"),
        format!("{at}0.partitions.1.number: {reused}"),
        format!(
            "{at}0.partitions.0.label: root partition cannot expand; it is set to fill available \
             space but is followed by an auto-positioned partition"
        ),
        format!(
            "{at}0.partitions.0.label: incorrect partition number; a new partition will be \
             created using reserved label"
        ),
        format!("{at}1.partitions.0.size_mib: root should have 8GiB of space assigned"),
    ];
    assert_eq!(warnings("fcos 1.6.0", body)[..], expected);
    assert_eq!(warnings("fcos 1.5.0", body)[..], expected[2..]);
}

#[test]
fn a_custom_pin_is_a_pin_only_if_it_has_a_name_from_1_4() {
    let luks = |clevis: &str| format!("storage: {{luks: [{{name: a, device: /dev/a, {clevis}}}]}}");
    let at = "error at $.storage.luks.0.clevis";
    let both = format!("{at}: cannot use custom clevis config with tpm2, tang, or threshold");
    let body = luks("clevis: {custom: {}, tpm2: true}");
    assert_eq!(errors("fcos 1.3.0", &body), [both.as_str()]);
    good("fcos 1.4.0", &body);
    let body = luks("clevis: {custom: {config: x}, tpm2: true}");
    let unsupported = format!("{at}.custom.pin: unsupported clevis pin");
    assert_eq!(errors("fcos 1.3.0", &body), [both, unsupported]);
    let missing = format!("{at}.custom.pin: missing required custom clevis pin");
    assert_eq!(errors("fcos 1.4.0", &body), [missing]);
    let body = luks("clevis: {custom: {needs_network: true}}");
    good("fcos 1.3.0", &body);
    assert_eq!(errors("fcos 1.4.0", &body).len(), 2);
    good("fcos 1.6.0", &luks("cex: {enabled: false}, clevis: {tpm2: true}"));
    good("fcos 1.6.0", &luks("cex: {enabled: true}, clevis: {tpm2: false}"));
}

#[test]
fn a_merge_key_in_quotes_is_a_key_like_any_other() {
    let body = r#"storage: {files: [{path: /a, "<<": {mode: 0644}}]}"#;
    assert_eq!(warnings("fcos 1.4.0", body).len(), 1);
    let run = compile("fcos 1.4.0", body);
    assert!(!run.stdout.contains("mode"), "{}", run.stdout);
    for (body, reason) in [
        (
            "x: &x [{mode: 0644}]\nstorage: {files: [{path: /a, <<: *x}]}",
            "yaml: map merge requires map or sequence of maps as the value",
        ),
        (
            "x: &x {mode: 0644, mode: 0600}\nstorage: {files: [{path: /a, <<: *x}]}",
            "yaml: unmarshal errors:\n  line 3: mapping key \"mode\" already defined at line 3",
        ),
    ] {
        let run = compile("fcos 1.4.0", body);
        assert_eq!(run.stderr.trim_end(), format!("Error translating config: {reason}"));
    }
}

#[test]
fn a_unit_that_cannot_be_read_is_not_searched_for_an_install_section() {
    let body = r#"systemd: {units: [{name: a.service, enabled: true, contents: "[Unit"}]}"#;
    assert_eq!(
        errors("fcos 1.4.0", body),
        ["error at $.systemd.units.0.contents: invalid unit content: unable to find end of \
             section"]
    );
}

#[test]
fn wrong_types_of_options_are_named_as_their_version_names_them() {
    let body = "storage: {raid: [{name: a, devices: x, options: y}], filesystems: [{options: z}]}";
    let cases = [
        ("fcos 1.0.0", ["[]v0_1.FilesystemOption", "[]v0_1.Device", "[]v0_1.RaidOption"]),
        ("fcos 1.4.0", ["[]string", "[]v0_4.Device", "[]v0_4.RaidOption"]),
        ("fcos 1.5.0", ["[]string", "[]v0_5.Device", "[]string"]),
    ];
    for (header, names) in cases {
        let run = compile(header, body);
        for name in names {
            assert!(run.stderr.contains(&format!("into {name}\n")), "{name}: {}", run.stderr);
        }
    }
    let run = compile("fcos 1.3.0", "storage: {luks: [{clevis: {custom: x}, options: y}]}");
    for name in ["v0_3.Custom", "[]v0_3.LuksOption"] {
        assert!(run.stderr.contains(&format!("into {name}\n")), "{name}: {}", run.stderr);
    }
}
