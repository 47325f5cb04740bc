//! What machine configs may hold, on both sides of the versions that changed it.

use serde_json::{Value, json};

use super::{at, compile, errors, good};
use crate::support::butane;

const METADATA: &str =
    "metadata: {name: m, labels: {machineconfiguration.openshift.io/role: worker}}\n";

/// Every minor version of 4.
const MINORS: std::ops::RangeInclusive<u32> = 8..=23;

fn header(minor: u32) -> String {
    format!("openshift 4.{minor}.0{}", if minor == 23 { "-experimental" } else { "" })
}

fn with_metadata(body: &str) -> String {
    format!("{METADATA}{body}")
}

/// Requires that a body is refused with one error in the versions that are named, and fine in the
/// others.
fn refused_in(body: &str, error: &str, minors: impl Fn(u32) -> bool) {
    for minor in MINORS {
        let (header, body) = (header(minor), with_metadata(body));
        if minors(minor) {
            assert_eq!(errors(&header, &body), [format!("error at {error}")], "{header}");
        } else {
            let run = compile(&header, &body);
            assert_eq!(run.code, 0, "{header}: {}", run.stderr);
        }
    }
}

#[test]
fn every_version_compiles_to_its_version_of_ignition() {
    for minor in MINORS {
        let version = match minor {
            ..=13 => "3.2.0",
            14..=18 => "3.4.0",
            19..=22 => "3.5.0",
            _ => "3.7.0-experimental",
        };
        let expected = json!({"ignition": {"version": version}});
        assert_eq!(good(&header(minor), METADATA), expected, "{minor}");
    }
}

#[test]
fn a_name_and_a_role_are_required() {
    for minor in MINORS {
        let role = "error at $.metadata.labels: machineconfiguration.openshift.io/role label is \
                    required";
        let name = "error at $.metadata.name: metadata.name is required";
        assert_eq!(errors(&header(minor), "metadata: {name: m}"), [role]);
        assert_eq!(errors(&header(minor), "metadata: {name: m, labels: {a: b}}"), [role]);
        assert_eq!(errors(&header(minor), ""), [name, role]);
    }
}

#[test]
fn the_kernel_is_one_of_two() {
    for kernel in ["''", "default", "realtime"] {
        let body = with_metadata(&format!("openshift: {{kernel_type: {kernel}}}"));
        assert_eq!(compile("openshift 4.8.0", &body).code, 0, "{kernel}");
    }
    refused_in(
        "openshift: {kernel_type: 64k-pages}",
        "$.openshift.kernel_type: must be empty, \"default\", or \"realtime\"",
        |_| true,
    );
}

#[test]
fn only_core_can_be_configured_and_only_in_part() {
    refused_in(
        "passwd: {users: [{name: bob}]}",
        "$.passwd.users.0.name: users other than \"core\" are not supported in this spec version",
        |_| true,
    );
    let fields = "fields other than \"name\", \"ssh_authorized_keys\", and \"password_hash\" \
                  (4.13.0+) are not supported in this spec version";
    for (key, value) in [
        ("uid", "7"),
        ("gecos", "x"),
        ("home_dir", "/x"),
        ("groups", "[a]"),
        ("shell", "/x"),
        ("system", "true"),
        ("no_create_home", "false"),
        ("primary_group", "x"),
        ("should_exist", "true"),
    ] {
        refused_in(
            &format!("passwd: {{users: [{{name: core, {key}: {value}}}]}}"),
            &format!("$.passwd.users.0.{key}: {fields}"),
            |_| true,
        );
    }
    refused_in(
        "passwd: {users: [{name: core, password_hash: x}]}",
        &format!("$.passwd.users.0.password_hash: {fields}"),
        |minor| minor < 13,
    );
}

#[test]
fn what_the_operator_cannot_write_is_refused() {
    for (body, error) in [
        ("passwd: {groups: [{name: g}]}", "$.passwd.groups: groups are not supported"),
        (
            "storage: {directories: [{path: /d}]}",
            "$.storage.directories: directories are not supported",
        ),
        ("storage: {links: [{path: /l, target: /t}]}", "$.storage.links: links are not supported"),
        (
            "storage: {files: [{path: /a, append: [{inline: x}]}]}",
            "$.storage.files.0.append: appending to files is not supported",
        ),
        (
            "storage: {filesystems: [{device: /dev/a, format: btrfs}]}",
            "$.storage.filesystems.0.format: btrfs is not supported",
        ),
    ] {
        refused_in(body, &format!("{error} in this spec version"), |_| true);
    }
}

#[test]
fn files_hold_their_contents() {
    refused_in(
        "storage: {files: [{path: /a, contents: {source: 'https://x/'}}]}",
        "$.storage.files.0.contents.source: file contents source must be data URL in this spec \
         version",
        |_| true,
    );
    refused_in("storage: {files: [{path: /a, contents: {source: 'data:,x'}}]}", "", |_| false);
}

#[test]
fn special_mode_bits_and_compression_swap_places_in_4_10() {
    refused_in(
        "storage: {files: [{path: /a, mode: 01755, contents: {inline: x}}]}",
        "$.storage.files.0.mode: special mode bits are not supported in this spec version",
        |minor| minor >= 10,
    );
    refused_in(
        "storage: {files: [{path: /a, contents: {source: 'data:;base64,H4sIAAAAAAAC/wMAAAAAAAAAAAA=', \
         compression: gzip}}]}",
        "$.storage.files.0.contents.compression: file compression is not supported in this spec \
         version",
        |minor| minor < 10,
    );
    for minor in MINORS {
        let text = "a".repeat(500);
        let body = format!("storage: {{files: [{{path: /a, contents: {{inline: {text}}}}}]}}");
        let contents =
            at(&good(&header(minor), &with_metadata(&body)), "/storage/files/0/contents");
        if minor < 10 {
            assert_eq!(contents, json!({"compression": "", "source": format!("data:,{text}")}));
        } else {
            assert_eq!(contents["compression"], "gzip", "{minor}");
        }
    }
}

#[test]
fn format_none_and_kernel_arguments_are_refused_from_4_14() {
    for minor in MINORS {
        let body = with_metadata("storage: {filesystems: [{device: /dev/a, format: none}]}");
        let refused = errors(&header(minor), &body);
        let expected = match minor < 14 {
            // Ignition 3.2.0 does not have it.
            true => "error at $.storage.filesystems.0.format: invalid filesystem format",
            false => {
                "error at $.storage.filesystems.0.format: format \"none\" is not supported in this \
                 spec version"
            }
        };
        assert_eq!(refused, [expected], "{minor}");
    }
    refused_in(
        "kernel_arguments: {should_exist: [a]}",
        "$.kernel_arguments: this section cannot be used for kernel arguments in this spec \
         version; use openshift.kernel_arguments instead",
        |minor| minor >= 14,
    );
}

#[test]
fn grub_users_are_appended_and_refused_until_the_operator_can_replace() {
    let body = with_metadata("grub: {users: [{name: a, password_hash: b}]}");
    for minor in 14..=22 {
        let refused = errors(&header(minor), &body);
        assert_eq!(refused.len(), 1, "{minor}: {refused:?}");
        assert!(
            refused[0].ends_with(": appending to files is not supported in this spec version"),
            "{refused:?}"
        );
    }
    let file = at(&good(&header(23), &body), "/storage/files/0");
    assert_eq!(file["path"], "/boot/grub2/user.cfg");
    assert_eq!(file.get("append"), None);
    assert!(file["contents"]["source"].is_string(), "{file}");
}

#[test]
fn an_adapter_for_keys_needs_an_argument_from_4_19() {
    let luks = "storage: {luks: [{name: root, device: /dev/a, cex: {enabled: true}}]}\n";
    let boot = "boot_device: {layout: s390x-virt, luks: {cex: {enabled: true}}}\n";
    let argument = "openshift: {kernel_arguments: [rd.luks.key=/etc/luks/cex.key]}\n";
    for body in [luks, boot] {
        let expected = "error at $.openshift.kernel_arguments: 'rd.luks.key=/etc/luks/cex.key' \
                        must be set as kernel argument when CEX is enabled for the boot device";
        for minor in 19..=23 {
            assert_eq!(errors(&header(minor), &with_metadata(body)), [expected], "{minor} {body}");
            let run = compile(&header(minor), &with_metadata(&format!("{body}{argument}")));
            assert_eq!(run.code, 0, "{minor}: {}", run.stderr);
        }
    }
    // Versions before that do not know the adapter.
    let run = compile("openshift 4.18.0", &with_metadata(luks));
    assert!(run.code == 0 && run.stderr.contains("unused key cex"), "{}", run.stderr);
}

#[test]
fn fips_chooses_a_cipher_until_4_19() {
    let body = with_metadata(
        "openshift: {fips: true}\nstorage: {luks: [{name: a, device: /dev/a, options: [--x]}, \
         {name: b, device: /dev/b, options: [--cipher, z]}, {name: c, device: /dev/c}]}",
    );
    let chosen = ["--cipher", "aes-cbc-essiv:sha256"];
    for minor in MINORS {
        let run = compile(&header(minor), &body);
        assert_eq!(run.code, 0, "{minor}: {}", run.stderr);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        let options = |n: usize| {
            let luks = at(&json, &format!("/storage/luks/{n}"));
            luks.get("options").cloned().unwrap_or_else(|| json!([]))
        };
        let adds = minor <= 19;
        let added = |own: &[&str]| match adds {
            true => json!([own, &chosen].concat()),
            false => json!(own),
        };
        assert_eq!(options(0), added(&["--x"]), "{minor}");
        assert_eq!(options(1), json!(["--cipher", "z"]), "{minor}");
        assert_eq!(options(2), added(&[]), "{minor}");
    }
}

#[test]
fn a_machine_config_wraps_the_ignition_config() {
    let text = "variant: openshift\nversion: 4.14.0\n\
                metadata: {name: m, labels: {machineconfiguration.openshift.io/role: worker, a: 'yes'}}\n\
                openshift: {kernel_arguments: [a=b], extensions: [x], fips: true, kernel_type: \
                realtime}\n\
                systemd: {units: [{name: a.service, contents: \"[Service]\\nX=y\\n\"}]}\n";
    let run = butane(std::path::Path::new("."), &[], text);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let expected = "# Generated by Butane; do not edit
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata:
  labels:
    a: \"yes\"
    machineconfiguration.openshift.io/role: worker
  name: m
spec:
  config:
    ignition:
      version: 3.4.0
    systemd:
      units:
        - contents: |
            [Service]
            X=y
          name: a.service
  extensions:
    - x
  fips: true
  kernelArguments:
    - a=b
  kernelType: realtime
";
    assert_eq!(run.stdout, expected);
    let raw = butane(std::path::Path::new("."), &["--raw", "--raw-errors"], text);
    let ignored: Vec<&str> = raw.stderr.lines().collect();
    assert_eq!(ignored.len(), 4, "{}", raw.stderr);
    assert!(ignored.iter().all(|line| line.ends_with(": field ignored in raw mode")));
}
