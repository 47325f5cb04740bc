//! Walks through a file of answers and collects what is wrong with it.

use std::path::Path;

use nestos_formats::kargs::{Karg, KernelArgs};
use nestos_formats::yaml::Node;
use nestos_host::term;
use zeroize::Zeroizing;

use super::{Answers, PASSWORD_KEYS, check_private, read_limited};
use crate::wizard::lang::{Lang, Told, told};
use crate::wizard::net::{Connection, Method, Static, addresses, check_unique, hosts};
use crate::wizard::plan::Extras;
use crate::wizard::taken::Taken;
use crate::wizard::update::{Strategy, Updates, Window};
use crate::wizard::user::{PasswordHash, UserName, weakness};
use crate::wizard::zone::Zones;

pub(super) const KEYS: [&str; 11] = [
    "user",
    "password_hash",
    "password_file",
    "password",
    "disk",
    "ssh_keys",
    "hostname",
    "network",
    "time_zone",
    "kernel_arguments",
    "updates",
];
const NETWORK_KEYS: [&str; 5] = ["interface", "method", "addresses", "gateways", "dns"];
const UPDATES_KEYS: [&str; 5] = ["source", "strategy", "days", "start", "minutes"];

/// Walks through a file and collects what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) lang: Lang,
    pub(super) findings: Vec<String>,
}

impl Reader<'_> {
    fn wrong(&mut self, node: &Node, told: impl Into<Told>) {
        let (at, text) = (node.start, told.into().say(self.lang));
        self.findings.push(format!("{}:{}:{}: {text}", self.file.display(), at.line, at.column));
    }

    pub(super) fn answers(&mut self, root: &Node) -> Option<Answers> {
        self.known_keys(root, &KEYS)?;
        let taken = Taken::here();
        let user = self.scalar(root.get("user"), |text| UserName::new(text, &taken));
        let password = self.password(root, user.as_ref());
        let disk = self.scalar(root.get("disk"), |text| Ok::<_, Told>(text.to_owned()));
        let network = self.list(root.get("network"), |reader, node| reader.connection(node));
        if let (Err(told), Some(node)) = (check_unique(&network), root.get("network")) {
            self.wrong(node, told);
        }
        let extras = Extras {
            ssh_keys: self.list(root.get("ssh_keys"), |r, node| r.scalar(Some(node), str::parse)),
            hostname: self.scalar(root.get("hostname"), str::parse),
            network,
            time_zone: self.scalar(root.get("time_zone"), |name| Zones::read().find(name)),
            kargs: self.kargs(root.get("kernel_arguments")),
            updates: root.get("updates").map_or_else(Updates::default, |n| self.updates(n)),
        };
        let missing: Vec<&str> = [
            ("user", root.get("user").is_none()),
            ("password_hash", PASSWORD_KEYS.iter().all(|key| root.get(key).is_none())),
            ("disk", root.get("disk").is_none()),
        ]
        .iter()
        .filter_map(|(key, missing)| missing.then_some(*key))
        .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            self.findings.push(told!("missing: {0}", "缺少: {0}", missing).say(self.lang));
        }
        Some(Answers { user: user?, password: password?, disk: disk?, extras })
    }

    /// Requires a mapping with these keys only.
    fn known_keys(&mut self, node: &Node, known: &[&'static str]) -> Option<()> {
        let Some(entries) = node.entries() else {
            if node.is_null() {
                return Some(());
            }
            self.wrong(
                node,
                told!(
                    "expected keys and values, found {}",
                    "此处应为键值对,实际为 {}",
                    node.kind()
                ),
            );
            return None;
        };
        for (key, _) in entries {
            let name = key.key_text().unwrap_or_default();
            if !known.contains(&name) {
                let near = nestos_butane::closest(name, known.iter().copied());
                self.wrong(
                    key,
                    match near {
                        Some(near) => told!(
                            "unknown key {:?}; did you mean {:?}?",
                            "未知的键 {:?};是否应为 {:?}?",
                            name,
                            near
                        ),
                        None => told!("unknown key {:?}", "未知的键 {:?}", name),
                    },
                );
            }
        }
        Some(())
    }

    fn scalar<T>(
        &mut self,
        node: Option<&Node>,
        read: impl Fn(&str) -> Result<T, Told>,
    ) -> Option<T> {
        let node = node?;
        let Some(text) = node.as_str().filter(|text| !text.is_empty()) else {
            self.wrong(
                node,
                told!("expected a text, found {}", "此处应为文本,实际为 {}", node.kind()),
            );
            return None;
        };
        match read(text) {
            Ok(value) => Some(value),
            Err(told) => {
                self.wrong(node, told);
                None
            }
        }
    }

    fn list<T>(
        &mut self,
        node: Option<&Node>,
        read: impl Fn(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = node else { return vec![] };
        let Some(items) = node.items() else {
            self.wrong(
                node,
                told!("expected a list, found {}", "此处应为列表,实际为 {}", node.kind()),
            );
            return vec![];
        };
        items.iter().filter_map(|item| read(self, item)).collect()
    }

    /// Joins the texts of a list for a reader of lists.
    fn joined(&mut self, node: Option<&Node>) -> String {
        self.list(node, |r, item| r.scalar(Some(item), |t| Ok::<_, Told>(t.to_owned()))).join(",")
    }

    fn password(&mut self, root: &Node, user: Option<&UserName>) -> Option<PasswordHash> {
        let given: Vec<&Node> = PASSWORD_KEYS.iter().filter_map(|key| root.get(key)).collect();
        if let [_, second, ..] = given.as_slice() {
            self.wrong(second, told!("give one password only", "只能指定一种密码"));
            return None;
        }
        if let Some(node) = root.get("password_hash") {
            return self.scalar(Some(node), PasswordHash::parse);
        }
        let (node, text) = match (root.get("password_file"), root.get("password")) {
            (Some(node), _) => {
                let name = self.scalar(Some(node), |text| Ok::<_, Told>(text.to_owned()))?;
                (node, self.password_file(node, Path::new(&name))?)
            }
            (None, Some(node)) => {
                let text = self.scalar(Some(node), |text| Ok::<_, Told>(text.to_owned()))?;
                term::warning(format!(
                    "{} holds the password itself; a hash would do",
                    self.file.display()
                ));
                (node, Zeroizing::new(text))
            }
            (None, None) => return None,
        };
        if let Some(weakness) = user.and_then(|user| weakness(&text, user)) {
            term::status(weakness.say(self.lang));
        }
        match PasswordHash::of(&text) {
            Ok(hash) => Some(hash),
            Err(e) => {
                self.wrong(node, told!("{0}", "{0}", e));
                None
            }
        }
    }

    /// Reads a password, or its hash, from the first line of a file beside that of the answers.
    fn password_file(&mut self, node: &Node, name: &Path) -> Option<Zeroizing<String>> {
        let path = self.file.parent().unwrap_or(Path::new("")).join(name);
        match check_private(&path).and_then(|()| read_limited(&path)) {
            Ok(text) => match text.lines().next() {
                Some(line) if !line.is_empty() => Some(Zeroizing::new(line.to_owned())),
                _ => {
                    let path = path.display();
                    self.wrong(node, told!("{} holds no password", "{} 中没有密码", path));
                    None
                }
            },
            Err(e) => {
                let lines = term::error_lines(&e).join("; ");
                self.wrong(node, told!("{0}", "{0}", lines.trim_start_matches("error: ")));
                None
            }
        }
    }

    fn connection(&mut self, node: &Node) -> Option<Connection> {
        self.known_keys(node, &NETWORK_KEYS)?;
        let Some(interface) = node.get("interface") else {
            self.wrong(node, told!("missing: {0}", "缺少: {0}", "interface"));
            return None;
        };
        let interface = self.scalar(Some(interface), str::parse)?;
        let fixed = ["addresses", "gateways", "dns"].iter().any(|key| node.get(key).is_some());
        let method = node.get("method").map(|m| (m, m.as_str().unwrap_or_default()));
        let method = match method {
            Some((_, "dhcp")) if !fixed => Method::Dhcp,
            None | Some((_, "static")) => {
                let texts = ["addresses", "gateways", "dns"].map(|key| self.joined(node.get(key)));
                let [given, gateways, dns] = texts;
                let checked =
                    (|| Static::new(addresses(&given)?, hosts(&gateways)?, hosts(&dns)?))();
                match checked {
                    Ok(given) => Method::Static(given),
                    Err(told) => {
                        self.wrong(node, told);
                        return None;
                    }
                }
            }
            Some((m, "dhcp")) => {
                self.wrong(m, told!("dhcp takes no addresses", "dhcp 不能同时指定地址"));
                return None;
            }
            Some((m, _)) => {
                self.wrong(m, told!("method is dhcp or static", "method 应为 dhcp 或 static"));
                return None;
            }
        };
        Some(Connection { interface, method })
    }

    fn kargs(&mut self, node: Option<&Node>) -> KernelArgs {
        let args: KernelArgs = self
            .list(node, |r, item| {
                r.scalar(Some(item), |text| {
                    text.parse::<Karg>().map_err(|e| told!("{0}", "内核参数无效: {0}", e))
                })
            })
            .into_iter()
            .collect();
        if let (Err(e), Some(node)) = (args.check_length(), node) {
            self.wrong(node, told!("{0}", "内核参数无效: {0}", e));
        }
        args
    }

    fn updates(&mut self, node: &Node) -> Updates {
        if self.known_keys(node, &UPDATES_KEYS).is_none() {
            return Updates::default();
        }
        let windowed = ["days", "start", "minutes"].iter().any(|key| node.get(key).is_some());
        let strategy = node.get("strategy");
        let strategy = match strategy.map(|s| s.as_str().unwrap_or_default()) {
            None if !windowed => None,
            Some("immediate") if !windowed => Some(Strategy::Immediate),
            Some("off") if !windowed => Some(Strategy::Off),
            Some("periodic") => self.window(node).map(Strategy::Periodic),
            _ => {
                self.wrong(
                    strategy.unwrap_or(node),
                    told!(
                        "strategy is immediate, off, or periodic with days, start and minutes",
                        "strategy 应为 immediate、off,或 periodic 并指定 days、start、minutes"
                    ),
                );
                None
            }
        };
        Updates { source: self.scalar(node.get("source"), str::parse), strategy }
    }

    fn window(&mut self, node: &Node) -> Option<Window> {
        for key in ["days", "start", "minutes"] {
            if node.get(key).is_none() {
                self.wrong(node, told!("missing: {0}", "缺少: {0}", key));
            }
        }
        let days = match node.get("days") {
            Some(days) if days.items().is_some() => {
                let text = self.joined(Some(days));
                text.parse().map_err(|told| self.wrong(days, told)).ok()
            }
            days => self.scalar(days, str::parse),
        };
        let start = self.scalar(node.get("start"), str::parse);
        let minutes = self.scalar(node.get("minutes"), str::parse);
        Some(Window { days: days?, start: start?, minutes: minutes? })
    }
}
