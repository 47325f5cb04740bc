//! The Butane configs of the user guide's chapter 7, word for word. A reader who follows the
//! guide must get what it promises, so these are not tidied up; only placeholders are replaced.

use anyhow::{Result, ensure};

/// 7.4.1, users and groups with passwords and keys.
pub const USERS: &str = r#"variant: nestos
version: 1.0.0
passwd:
  users:
    - name: nest
      ssh_authorized_keys:
        - ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDHn2eh...
    - name: jlebon
      groups:
        - wheel
      ssh_authorized_keys:
        - ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDC5QFS...
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIveEaMRW...
    - name: miabbott
      groups:
        - docker
        - wheel
      password_hash: $y$j9T$aUmgEDoFIDPhGxEe2FUjc/$C5A...
      ssh_authorized_keys:
        - ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQDTey7R...
"#;

/// The keys in [`USERS`] that are cut short.
pub const KEYS: [&str; 4] = [
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDHn2eh...",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDC5QFS...",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIveEaMRW...",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQDTey7R...",
];

/// The hash in [`USERS`] that is cut short.
pub const PASSWORD_HASH: &str = "$y$j9T$aUmgEDoFIDPhGxEe2FUjc/$C5A...";

/// 7.4.2, files: a network card.
pub const NETWORK: &str = r#"variant: nestos
version: 1.0.0
storage:
  files:
    - path: /etc/NetworkManager/system-connections/ens2.nmconnection
      mode: 0600
      contents:
        inline: |
          [connection]
          id=ens2
          type=ethernet
          interface-name=ens2
          [ipv4]
          address1=10.10.10.10/24,10.10.10.1
          dns=8.8.8.8;
          dns-search=
          may-fail=false
          method=manual
"#;

/// The content of the file in [`NETWORK`].
pub const CONNECTION: &str = "[connection]
id=ens2
type=ethernet
interface-name=ens2
[ipv4]
address1=10.10.10.10/24,10.10.10.1
dns=8.8.8.8;
dns-search=
may-fail=false
method=manual
";

/// 7.4.3, directories, files and links with their modes.
pub const FILES: &str = r#"variant: nestos
version: 1.0.0
storage:
  directories:
  - path: /opt/tools
    overwrite: true
  files:
    - path: /var/helloworld
      overwrite: true
      contents:
        inline: Hello, world!
      mode: 0644
      user:
        name: dnsmasq
      group:
        name: dnsmasq
    - path: /opt/tools/transmogrifier
      overwrite: true
      contents:
        source: https://mytools.example.com/path/to/archive.gz
        compression: gzip
        verification:
          hash: sha512-00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
      mode: 0555
  links:
    - path: /usr/local/bin/transmogrifier
      overwrite: true
      target: /opt/tools/transmogrifier
      hard: false
"#;

/// The address in [`FILES`].
pub const REMOTE_FILE: &str = "https://mytools.example.com/path/to/archive.gz";

/// The hash in [`FILES`]. Ignition hashes what it gets after decompression.
pub const REMOTE_HASH: &str = "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

/// 7.4.4, a systemd unit that runs a container.
pub const UNIT: &str = r#"variant: nestos
version: 1.0.0
systemd:
  units:
    - name: hello.service
      enabled: true
      contents: |
        [Unit]
        Description=MyApp
        After=network-online.target
        Wants=network-online.target

        [Service]
        TimeoutStartSec=0
        ExecStartPre=-/bin/podman kill busybox1
        ExecStartPre=-/bin/podman rm busybox1
        ExecStartPre=/bin/podman pull busybox
        ExecStart=/bin/podman run --name busybox1 busybox /bin/sh -c ""trap 'exit 0' INT TERM; while true; do echo Hello World; sleep 1; done""

        [Install]
        WantedBy=multi-user.target
"#;

/// 7.5.1, a password for root.
pub const ROOT: &str = r#"variant: nestos
version: 1.0.0
passwd:
  users:
    - name: root
      password_hash: "$1$root$CPjzNGH.NqmQ7rh26EeXv1"
"#;

/// 8.4, the kernel for PXELINUX.
pub const PXE_KERNEL: &str = "KERNEL nestos-live-kernel-x86_64";

/// 8.4, initramfs and rootfs.
pub const PXE_APPEND: &str =
    "APPEND initrd=nestos-live-initramfs.x86_64.img,nestos-live-rootfs.x86_64.img";

/// 8.4, the disk, as the guide spells it.
pub const PXE_DISK: &str = "nestosos.inst.install_dev=/dev/sda";

/// 8.4, the config.
pub const PXE_CONFIG: &str = "nestos.inst.ignition_url=http://www.example.com/example.ign";

/// The address in [`PXE_CONFIG`].
pub const CONFIG_ADDRESS: &str = "http://www.example.com/example.ign";

/// Replaces placeholders, each of which must be there.
pub fn filled(example: &str, placeholders: &[(&str, &str)]) -> Result<String> {
    let mut text = example.to_owned();
    for (placeholder, value) in placeholders {
        ensure!(text.contains(placeholder), "the example has no {placeholder}");
        text = text.replace(placeholder, value);
    }
    Ok(text)
}

/// Returns an Ignition config that merges `configs`, each by a data URL.
pub fn merged(configs: &[Vec<u8>]) -> String {
    let sources: Vec<_> = configs
        .iter()
        .map(|config| {
            let escaped: String = config.iter().map(|byte| format!("%{byte:02x}")).collect();
            serde_json::json!({ "source": format!("data:,{escaped}") })
        })
        .collect();
    serde_json::json!({ "ignition": { "version": "3.3.0", "config": { "merge": sources } } })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_in_its_example() {
        let placeholders = [KEYS.as_slice(), &[PASSWORD_HASH]].concat();
        let values: Vec<_> = placeholders.iter().map(|p| (*p, "x")).collect();
        assert!(!filled(USERS, &values).unwrap().contains("..."));
        filled(FILES, &[(REMOTE_FILE, "u"), (REMOTE_HASH, "h")]).unwrap();
        assert!(filled(ROOT, &[("no such thing", "x")]).is_err());
    }

    #[test]
    fn the_connection_is_the_one_in_the_example() {
        let indented: String = CONNECTION.lines().map(|l| format!("          {l}\n")).collect();
        assert!(NETWORK.ends_with(&indented));
    }

    #[test]
    fn configs_are_merged_by_data_urls() {
        assert_eq!(
            merged(&[b"{}".to_vec()]),
            r#"{"ignition":{"config":{"merge":[{"source":"data:,%7b%7d"}]},"version":"3.3.0"}}"#
        );
    }
}
