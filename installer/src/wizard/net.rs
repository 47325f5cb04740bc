//! Network connections: checked addresses, and the NetworkManager keyfiles made of them.

mod ask;
mod keyfile;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

pub(super) use ask::{ask, method};

use super::lang::{Told, told};

/// Longest name of an interface (`IFNAMSIZ` less its NUL).
const LONGEST: usize = 15;

/// The name of a network interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interface(String);

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Interface {
    type Err = Told;

    fn from_str(text: &str) -> Result<Self, Told> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        let named = (1..=LONGEST).contains(&text.len()) && text.chars().all(plain);
        if !named || text.starts_with(['.', '-']) || text == "lo" {
            return Err(told!(
                "{:?} is no name of a network interface, such as eth0",
                "{:?} 不是网络接口名称(例如 eth0)",
                text
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: IpAddr,
    prefix: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

impl FromStr for Address {
    type Err = Told;

    fn from_str(text: &str) -> Result<Self, Told> {
        let parts = text.split_once('/').and_then(|(ip, prefix)| {
            let digits = prefix.bytes().all(|b| b.is_ascii_digit());
            Some((ip.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok().filter(|_| digits)?))
        });
        let (ip, prefix) = parts.ok_or_else(|| no_address(text))?;
        let bits = bits(ip);
        if prefix == 0 || prefix > bits {
            return Err(told!(
                "the prefix of {} must be from 1 to {}",
                "{} 的前缀长度应为 1 到 {}",
                text,
                bits
            ));
        }
        let address = Self { ip, prefix };
        host(ip)?;
        address.check_not_reserved(ip)?;
        Ok(address)
    }
}

impl Address {
    /// Returns whether another address is in the same network.
    fn reaches(&self, other: IpAddr) -> bool {
        bits(self.ip) == bits(other) && self.network_of(self.ip) == self.network_of(other)
    }

    fn network_of(&self, ip: IpAddr) -> u128 {
        number(ip) & !self.host_mask()
    }

    fn host_mask(&self) -> u128 {
        let free = u32::from(bits(self.ip) - self.prefix);
        1_u128.checked_shl(free).map_or(u128::MAX, |n| n - 1)
    }

    /// Refuses the addresses of the network itself and of all its hosts.
    fn check_not_reserved(&self, ip: IpAddr) -> Result<(), Told> {
        let rest = number(ip) & self.host_mask();
        // Networks of one or two addresses have none to reserve (RFC 3021, RFC 6164).
        if bits(ip) - self.prefix <= 1 {
            return Ok(());
        }
        if rest == 0 {
            return Err(told!(
                "{} is the address of the network {}/{}, not of a machine in it",
                "{} 是网络 {}/{} 本身的地址,不能分配给主机",
                ip,
                ip,
                self.prefix
            ));
        }
        if ip.is_ipv4() && rest == self.host_mask() {
            return Err(told!(
                "{} is the broadcast address of its network",
                "{} 是该网络的广播地址",
                ip
            ));
        }
        Ok(())
    }

    /// Checks a gateway for this address.
    fn check_gateway(&self, gateway: IpAddr) -> Result<(), Told> {
        if gateway == self.ip {
            return Err(told!(
                "the gateway {} is the machine itself",
                "网关 {} 就是本机地址",
                gateway
            ));
        }
        if is_link_local(gateway) && gateway.is_ipv6() {
            return Ok(());
        }
        if !self.reaches(gateway) {
            return Err(told!(
                "the gateway {} is not in the network of {}",
                "网关 {} 不在 {} 所在的网络中",
                gateway,
                self
            ));
        }
        self.check_not_reserved(gateway)
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Refuses what is the address of no single machine.
fn host(ip: IpAddr) -> Result<(), Told> {
    let all = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || all {
        return Err(told!("{} is the address of no machine", "{} 不是主机地址", ip));
    }
    Ok(())
}

/// Reads a list of addresses without prefixes: gateways, name servers.
pub(super) fn hosts(text: &str) -> Result<Vec<IpAddr>, Told> {
    words(text)
        .map(|word| {
            let ip = word.parse().map_err(|_not_an_address| {
                told!("{:?} is no IP address", "{:?} 不是 IP 地址", word)
            })?;
            host(ip)?;
            Ok(ip)
        })
        .collect()
}

/// Reads a list of addresses with prefixes, at least one.
pub(super) fn addresses(text: &str) -> Result<Vec<Address>, Told> {
    let found: Vec<Address> = words(text).map(str::parse).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(no_address(text)) } else { Ok(found) }
}

fn no_address(text: &str) -> Told {
    told!(
        "{:?} is no address with a prefix, such as 192.0.2.10/24 or 2001:db8::10/64",
        "{:?} 不是带前缀长度的地址,应形如 192.0.2.10/24 或 2001:db8::10/64",
        text
    )
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// How an interface gets its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Method {
    /// From a server, with IPv6 from routers.
    Dhcp,
    /// As given.
    Static(Static),
}

/// Addresses that are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Static {
    pub(super) addresses: Vec<Address>,
    /// At most one of each kind, IPv4 and IPv6.
    pub(super) gateways: Vec<IpAddr>,
    pub(super) dns: Vec<IpAddr>,
}

impl Static {
    /// Puts together what belongs together.
    pub(super) fn new(
        addresses: Vec<Address>,
        gateways: Vec<IpAddr>,
        dns: Vec<IpAddr>,
    ) -> Result<Self, Told> {
        let mut seen = vec![];
        for address in &addresses {
            if seen.contains(&address.ip) {
                return Err(told!("{} is given twice", "{} 重复", address.ip));
            }
            seen.push(address.ip);
        }
        for (i, gateway) in gateways.iter().enumerate() {
            if gateways[..i].iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
                return Err(told!(
                    "there can be only one gateway of a kind, and {} is the second",
                    "每类地址只能有一个网关,{} 是第二个",
                    gateway
                ));
            }
            let mut results = addresses
                .iter()
                .filter(|a| bits(a.ip) == bits(*gateway))
                .map(|a| a.check_gateway(*gateway))
                .collect::<Vec<_>>();
            let fits = results.iter().any(Result::is_ok);
            let own = addresses.iter().any(|a| a.ip == *gateway);
            match results.pop() {
                None => {
                    return Err(told!(
                        "no address is in the network of the gateway {}",
                        "没有地址与网关 {} 在同一网络",
                        gateway
                    ));
                }
                Some(Err(e)) if !fits || own => return Err(e),
                Some(_) => {}
            }
        }
        // IPv6 comes from routers where no address is given; IPv4 is off then.
        if !addresses.iter().any(|a| a.ip.is_ipv4())
            && let Some(server) = dns.iter().find(|server| server.is_ipv4())
        {
            return Err(told!(
                "without an IPv4 address the name server {} cannot be asked",
                "没有 IPv4 地址,无法使用域名服务器 {}",
                server
            ));
        }
        Ok(Self { addresses, gateways, dns })
    }
}

/// What an interface is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) interface: Interface,
    pub(super) method: Method,
}

impl Connection {
    /// Returns the addresses that are given.
    pub(super) fn addresses(&self) -> &[Address] {
        match &self.method {
            Method::Dhcp => &[],
            Method::Static(given) => &given.addresses,
        }
    }
}

/// Refuses interfaces and addresses that are used twice.
pub(super) fn check_unique(connections: &[Connection]) -> Result<(), Told> {
    let mut names = BTreeSet::new();
    let mut used = BTreeSet::new();
    for connection in connections {
        if !names.insert(&connection.interface) {
            return Err(told!("{} is given twice", "{} 重复", connection.interface));
        }
        for address in connection.addresses() {
            if !used.insert(address.ip) {
                return Err(told!(
                    "{} is the address of two interfaces",
                    "{} 被用于两个接口",
                    address.ip
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
