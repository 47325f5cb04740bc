//! Network in the initramfs, only when Ignition asked for it: DHCP on every wired interface by
//! systemd-networkd, and everything taken down again before the real root starts, so that its own
//! network configuration meets untouched interfaces.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;
use nestos_host::term;

/// Where systemd-networkd publishes what DHCP gave it.
const NETIF_STATE: &str = "/run/systemd/netif/state";
/// Seconds to wait for an address. Ignition itself retries its downloads after that.
const WAIT_SECONDS: &str = "90";

/// Starts systemd-networkd, waits for an address, writes `/etc/resolv.conf`.
pub(crate) fn up() -> Result<()> {
    Cmd::new("systemctl").args(["start", "systemd-networkd.service"]).run()?;
    let online = Cmd::new("/usr/lib/systemd/systemd-networkd-wait-online")
        .args(["--any", "--ipv4", "--timeout", WAIT_SECONDS])
        .run();
    if let Err(err) = online {
        // Ignition goes on trying, and says what it could not fetch.
        term::warning(format!("no network address after {WAIT_SECONDS} s: {err}"));
    }
    let state = fs::read_to_string(NETIF_STATE).unwrap_or_default();
    fs::write("/etc/resolv.conf", resolv_conf(&state)).context("cannot write /etc/resolv.conf")
}

/// Stops systemd-networkd and removes the addresses it set.
pub(crate) fn down() -> Result<()> {
    Cmd::new("systemctl")
        .args(["stop", "systemd-networkd.socket", "systemd-networkd.service"])
        .run()?;
    let net = Path::new("/sys/class/net");
    for entry in fs::read_dir(net).context("cannot list /sys/class/net")? {
        let name = entry.context("cannot list /sys/class/net")?.file_name();
        if name != "lo" {
            Cmd::new("ip").args(["addr", "flush", "dev"]).arg(&name).run()?;
            Cmd::new("ip").args(["link", "set", "down", "dev"]).arg(&name).run()?;
        }
    }
    // The real root must not find the state of a daemon that is gone.
    fs::remove_dir_all("/run/systemd/netif").or_else(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(e).context("cannot remove /run/systemd/netif"),
    })
}

/// Turns networkd's state file (`DNS=`, `DOMAINS=` lines) into a resolv.conf.
fn resolv_conf(state: &str) -> String {
    let words = |key: &str| -> Vec<String> {
        let line = state.lines().find_map(|l| l.strip_prefix(key));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let mut text: String =
        words("DNS=").iter().map(|server| format!("nameserver {server}\n")).collect();
    let domains = words("DOMAINS=");
    if !domains.is_empty() {
        text.push_str(&format!("search {}\n", domains.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_and_domains_come_from_the_state_file() {
        let state = "OPER_STATE=routable\nDNS=10.0.2.3 fec0::3\nDOMAINS=example.com lan\n";
        assert_eq!(
            resolv_conf(state),
            "nameserver 10.0.2.3\nnameserver fec0::3\nsearch example.com lan\n"
        );
        assert_eq!(resolv_conf(""), "");
    }
}
