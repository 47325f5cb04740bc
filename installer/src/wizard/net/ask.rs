//! The questions about the network: interface by interface.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Connection, Interface, Method, Static, addresses, check_unique, hosts};
use crate::wizard::ask::{Asker, MENU_BYTES};
use crate::wizard::lang::{Lang, say};
use crate::wizard::layout::{fit, pad};

const SYSFS: &str = "/sys/class/net";

/// What `type` says of Ethernet (`ARPHRD_ETHER`).
const ETHERNET: &str = "1";

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Port {
    name: Interface,
    mac: String,
    link: Link,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Down,
}

/// Lists the Ethernet interfaces that are hardware.
fn ports(dir: &Path) -> Vec<Port> {
    let text = |path: &Path, name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<Port> = entries
        .filter(|e| e.path().join("device").exists())
        .filter(|e| text(&e.path(), "type").trim() == ETHERNET)
        .filter_map(|e| {
            let path = e.path();
            // An interface that is off has no carrier to read.
            let up = text(&path, "carrier").trim() == "1";
            Some(Port {
                name: e.file_name().to_str()?.parse().ok()?,
                mac: text(&path, "address").trim().to_owned(),
                link: if up { Link::Up } else { Link::Down },
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Asks about interfaces until the user goes back.
pub(in crate::wizard) fn ask(asker: &mut Asker, connections: &mut Vec<Connection>) -> Result<()> {
    let lang = asker.lang();
    let title = say!(lang, "Network", "网络");
    loop {
        asker.title(say!(
            lang,
            "Network. Interfaces that are not set use DHCP.",
            "网络。未设置的接口使用 DHCP。"
        ));
        let ports = ports(Path::new(SYSFS));
        let known = |name: &Interface| connections.iter().find(|c| c.interface == *name);
        let mut names: Vec<Interface> = ports.iter().map(|p| p.name.clone()).collect();
        let mut items: Vec<String> = ports.iter().map(|p| item(p, known(&p.name), lang)).collect();
        for connection in connections
            .iter()
            .filter(|c| !names.contains(&c.interface))
            .cloned()
            .collect::<Vec<_>>()
        {
            items.push(fit(
                &format!(
                    "{} {}",
                    pad(&connection.interface.to_string(), 8),
                    method(&connection, lang)
                ),
                MENU_BYTES,
            ));
            names.push(connection.interface);
        }
        items.push(say!(lang, "Another interface", "其他接口"));
        items.push(say!(lang, "Back", "返回"));
        let chosen = asker.menu(&title, &items, 0)?;
        let interface = match names.get(chosen) {
            Some(name) => Some(name.clone()),
            None if chosen == names.len() => {
                asker.line(&say!(lang, "Interface", "接口"), None, str::parse)?
            }
            None => return Ok(()),
        };
        if let Some(interface) = interface {
            ask_one(asker, &interface, connections)?;
        }
    }
}

fn item(port: &Port, known: Option<&Connection>, lang: Lang) -> String {
    let link = match port.link {
        Link::Up => say!(lang, "link", "已连接"),
        Link::Down => say!(lang, "no link", "未连接"),
    };
    let setting = known.map_or_else(|| "DHCP".to_owned(), |c| method(c, lang));
    let name = pad(&port.name.to_string(), 8);
    fit(&format!("{name} {} {} {setting}", port.mac, pad(&link, 7)), MENU_BYTES - 8)
}

/// Says on one line how an interface gets its addresses.
pub(in crate::wizard) fn method(connection: &Connection, lang: Lang) -> String {
    match &connection.method {
        Method::Dhcp => "DHCP".to_owned(),
        Method::Static(given) => {
            let mut text = list(&given.addresses);
            if !given.gateways.is_empty() {
                text += &say!(lang, ", gateway {}", ",网关 {}", list(&given.gateways));
            }
            text
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn ask_one(
    asker: &mut Asker,
    interface: &Interface,
    connections: &mut Vec<Connection>,
) -> Result<()> {
    let lang = asker.lang();
    let at = connections.iter().position(|c| c.interface == *interface);
    let items = [
        say!(lang, "As the image says (DHCP)", "使用镜像默认值(DHCP)"),
        say!(lang, "DHCP, in a file of its own", "DHCP,单独写入配置文件"),
        say!(lang, "Fixed addresses", "固定地址"),
        say!(lang, "Back", "返回"),
    ];
    let known = at.map(|at| connections[at].clone());
    let given = match &known {
        Some(Connection { method: Method::Static(given), .. }) => given.clone(),
        _ => Static::default(),
    };
    let default = match known.map(|c| c.method) {
        None => 0,
        Some(Method::Dhcp) => 1,
        Some(Method::Static(_)) => 2,
    };
    let method = match asker.menu(&interface.to_string(), &items, default)? {
        0 => {
            connections.retain(|c| c.interface != *interface);
            return Ok(());
        }
        1 => Some(Method::Dhcp),
        2 => ask_static(asker, interface, &given, connections)?.map(Method::Static),
        _ => None,
    };
    let Some(method) = method else { return Ok(()) };
    let connection = Connection { interface: interface.clone(), method };
    match at {
        Some(at) => connections[at] = connection,
        None => connections.push(connection),
    }
    Ok(())
}

/// Asks for addresses, gateways and name servers. Going back goes to the question before.
fn ask_static(
    asker: &mut Asker,
    interface: &Interface,
    known: &Static,
    connections: &[Connection],
) -> Result<Option<Static>> {
    let lang = asker.lang();
    let others: Vec<Connection> =
        connections.iter().filter(|c| c.interface != *interface).cloned().collect();
    let check = |given: Static| {
        let connection =
            Connection { interface: interface.clone(), method: Method::Static(given.clone()) };
        let mut all = others.clone();
        all.push(connection);
        check_unique(&all).map(|()| given)
    };
    asker.note(say!(
        lang,
        "Several are separated by commas, IPv4 and IPv6 alike. - is none.",
        "多个值用逗号分隔,IPv4 与 IPv6 均可;- 表示无。"
    ));
    let mut given = known.clone();
    let mut step = 0;
    loop {
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let next = match step {
            0 => {
                let question = say!(lang, "Address/prefix", "地址/前缀");
                let default = Some(list(&given.addresses)).filter(|d| !d.is_empty());
                let answer = asker.line(&question, default.as_deref(), |text| {
                    check(Static::new(addresses(text)?, vec![], vec![])?)
                })?;
                answer.map(|new| given.addresses = new.addresses)
            }
            1 => {
                let question = say!(lang, "Gateway", "网关");
                let default = or_none(list(&given.gateways));
                let answer = asker.line(&question, Some(&default), |text| {
                    let gateways = hosts(text.trim_matches('-'))?;
                    Static::new(given.addresses.clone(), gateways, vec![])
                })?;
                answer.map(|new| given.gateways = new.gateways)
            }
            _ => {
                let question = say!(lang, "Name servers (DNS)", "域名服务器(DNS)");
                let default = or_none(list(&given.dns));
                let answer = asker.line(&question, Some(&default), |text| {
                    let dns = hosts(text.trim_matches('-'))?;
                    Static::new(given.addresses.clone(), given.gateways.clone(), dns)
                })?;
                answer.map(|new| given.dns = new.dns)
            }
        };
        step = match (next, step) {
            (None, 0) => return Ok(None),
            (None, _) => step - 1,
            (Some(()), 2) => return Ok(Some(given)),
            (Some(()), _) => step + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_hardware_with_address_and_link() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("eth1/device/x", ""),
            ("eth1/type", "1\n"),
            ("eth1/address", "52:54:00:00:00:02\n"),
            ("eth0/device/x", ""),
            ("eth0/type", "1\n"),
            ("eth0/address", "52:54:00:00:00:01\n"),
            ("eth0/carrier", "1\n"),
            ("lo/type", "772\n"),
            ("br0/type", "1\n"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let lines: Vec<String> =
            ports(dir.path()).iter().map(|p| item(p, None, Lang::En)).collect();
        assert_eq!(
            lines,
            ["eth0     52:54:00:00:00:01 link    DHCP", "eth1     52:54:00:00:00:02 no link DHCP"]
        );
    }
}
