//! The NetworkManager keyfile of a connection.

use std::net::IpAddr;

use super::{Address, Connection, Method, Static};

impl Connection {
    /// Returns the NetworkManager keyfile (nm-settings-keyfile(5)).
    pub(in crate::wizard) fn keyfile(&self) -> String {
        let name = &self.interface;
        let head = format!(
            "[connection]\nid={name}\ntype=ethernet\ninterface-name={name}\nautoconnect=true\n"
        );
        let none = Static::default();
        let (given, missing) = match &self.method {
            Method::Dhcp => (&none, "auto"),
            // Waiting for a server that nobody has announced delays what needs the network.
            Method::Static(given) => (given, "disabled"),
        };
        let four = section("ipv4", given, IpAddr::is_ipv4, missing);
        let six = section("ipv6", given, IpAddr::is_ipv6, "auto");
        format!("{head}\n{four}\n{six}")
    }
}

fn section(name: &str, given: &Static, of_kind: fn(&IpAddr) -> bool, without: &str) -> String {
    let addresses: Vec<&Address> = given.addresses.iter().filter(|a| of_kind(&a.ip)).collect();
    let mut text = format!("[{name}]\n");
    if addresses.is_empty() {
        text += &format!("method={without}\n");
    } else {
        text += "method=manual\n";
    }
    for (number, address) in (1..).zip(addresses) {
        text += &format!("address{number}={address}\n");
    }
    if let Some(gateway) = given.gateways.iter().find(|g| of_kind(g)) {
        text += &format!("gateway={gateway}\n");
    }
    let dns: String = given.dns.iter().filter(|d| of_kind(d)).map(|d| format!("{d};")).collect();
    // NetworkManager refuses name servers where the protocol is off.
    if !dns.is_empty() && !text.contains("method=disabled") {
        text += &format!("dns={dns}\n");
    }
    text
}
