//! The Butane config that the answers stand for.

use anyhow::{Result, bail};
use nestos_butane::Options;

use super::plan::Plan;
use crate::findings::Findings;

/// Groups that may administer the machine.
const GROUPS: &str = "[adm, sudo, systemd-journal, wheel]";

/// What stands for a secret where people can see it.
pub(super) const HIDDEN: &str = "(hidden)";

/// Where NetworkManager finds its keyfiles; it takes only those that nobody else can read.
const CONNECTIONS: &str = "/etc/NetworkManager/system-connections";

/// Where the updater finds its settings; a file of ours comes after the image's.
const SETTINGS: &str = "/etc/nestos-updater/config.d/50-installnestos.toml";

const SOURCE_UNIT: &str = "nestos-updater-source.service";

/// Whose secrets a config shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// The new system's.
    Written,
    /// Nobody's.
    Hidden,
}

/// Returns the config.
pub(super) fn config(plan: &Plan, secrets: Secrets) -> String {
    let mut text = "variant: nestos\nversion: 1.0.0\n".to_owned();
    text += &user(plan, secrets);
    text += &storage(plan);
    text += &units(plan);
    text
}

/// Returns the Ignition config of the new system, secrets included.
pub(super) fn ignition(plan: &Plan) -> Result<String> {
    match nestos_butane::compile(config(plan, Secrets::Written), &Options::default()) {
        Ok(compiled) => Ok(compiled.json),
        Err(report) => {
            let reason = Findings::new(&report, "the config").refusal.unwrap_or_default();
            bail!("cannot make a config of the answers: {reason}")
        }
    }
}

fn user(plan: &Plan, secrets: Secrets) -> String {
    let hash = match secrets {
        Secrets::Written => quoted(plan.password.expose()),
        Secrets::Hidden => HIDDEN.to_owned(),
    };
    let name = quoted(plan.user.as_str());
    let mut text = format!(
        "passwd:\n  users:\n    - name: {name}\n      groups: {GROUPS}\n      \
         password_hash: {hash}\n"
    );
    if !plan.extras.ssh_keys.is_empty() {
        text += "      ssh_authorized_keys:\n";
    }
    for key in &plan.extras.ssh_keys {
        text += &format!("        - {}\n", quoted(&key.to_string()));
    }
    text
}

fn storage(plan: &Plan) -> String {
    let extras = &plan.extras;
    let mut files = String::new();
    if let Some(name) = &extras.hostname {
        files += &file("/etc/hostname", "0644", &format!("{name}\n"));
    }
    for connection in &extras.network {
        let path = format!("{CONNECTIONS}/{}.nmconnection", connection.interface);
        files += &file(&path, "0600", &connection.keyfile());
    }
    if let Some(strategy) = &extras.updates.strategy {
        files += &file(SETTINGS, "0644", &strategy.settings());
    }
    let mut text = String::new();
    if !files.is_empty() {
        text += &format!("  files:\n{files}");
    }
    if let Some(zone) = &extras.time_zone {
        text += &format!(
            "  links:\n    - path: /etc/localtime\n      overwrite: true\n      \
             target: ../usr/share/zoneinfo/{zone}\n"
        );
    }
    if text.is_empty() { text } else { format!("storage:\n{text}") }
}

fn file(path: &str, mode: &str, content: &str) -> String {
    let path = quoted(path);
    let content = block(content, 10);
    format!(
        "    - path: {path}\n      mode: {mode}\n      overwrite: true\n      contents:\n        \
         inline: |\n{content}"
    )
}

fn units(plan: &Plan) -> String {
    let Some(source) = &plan.extras.updates.source else { return String::new() };
    // The image is fetched behind everything else; until it is there, the system runs what was
    // installed, and asks again every ten minutes.
    let unit = format!(
        "[Unit]\nDescription=Follow the update source chosen at installation\n\
         ConditionPathExists=!/var/lib/nestos-updater/source-set\nWants=network-online.target\n\
         After=network-online.target multi-user.target\n\n\
         [Service]\nType=oneshot\nStateDirectory=nestos-updater\n\
         ExecStart=/usr/bin/nestos-updater rebase {source}\n\
         ExecStart=/usr/bin/touch /var/lib/nestos-updater/source-set\n\
         Restart=on-failure\nRestartSec=600\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    );
    let unit = block(&unit, 8);
    format!(
        "systemd:\n  units:\n    - name: {SOURCE_UNIT}\n      enabled: true\n      contents: |\n{unit}"
    )
}

/// Indents the lines of a literal block.
fn block(text: &str, columns: usize) -> String {
    let indent = " ".repeat(columns);
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}\n") })
        .collect()
}

/// Writes a scalar that stays text: plain where that is safe, in double quotes elsewhere.
pub(super) fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-@+$=".contains(c);
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| safe(c) || c == ' ')
        && !text.ends_with(' ')
        && !words.contains(&text.to_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wizard::disk::Target;
    use crate::wizard::net::{Connection, Method};
    use crate::wizard::plan::{Extras, Plan};
    use crate::wizard::update::{Strategy, Updates};
    use crate::wizard::user::PasswordHash;
    use crate::wizard::zone::Zones;

    const HASH: &str = "$6$salt$0123456789abcdefghij0123456789abcdefghij012\
                        3456789abcdefghij0123456789abcdefghij012345";

    fn plan(extras: Extras) -> Plan {
        Plan {
            user: "nest".parse().unwrap(),
            password: PasswordHash::parse(HASH).unwrap(),
            target: Target {
                answer: String::new(),
                path: "/dev/sda".into(),
                about: String::new(),
                content: None,
            },
            extras,
        }
    }

    fn everything() -> Extras {
        Extras {
            ssh_keys: vec![
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbDlXrtvPZ2ZWZeQXoz5VaFhi2rZ/JHzn5pOc1wMTXi \
                 me: \"x\""
                    .parse()
                    .unwrap(),
            ],
            hostname: Some("node1".parse().unwrap()),
            network: vec![Connection { interface: "eth0".parse().unwrap(), method: Method::Dhcp }],
            time_zone: Some(Zones::read().find("UTC").unwrap()),
            kargs: "quiet".parse().unwrap(),
            updates: Updates {
                source: Some("r.example.com/nestos:stable".parse().unwrap()),
                strategy: Some(Strategy::Off),
            },
        }
    }

    fn compile(text: &str) -> serde_json::Value {
        let options =
            nestos_butane::Options { lint: nestos_butane::Lint::On, ..Default::default() };
        let compiled = nestos_butane::compile(text, &options).unwrap();
        let found = (&compiled.warnings.entries, &compiled.lint.entries);
        assert!(found.0.is_empty() && found.1.is_empty(), "{found:?}");
        compiled.value().unwrap()
    }

    #[test]
    fn four_answers_are_a_user() {
        let text = config(&plan(Extras::default()), Secrets::Written);
        assert_eq!(
            text,
            format!(
                "variant: nestos\nversion: 1.0.0\npasswd:\n  users:\n    - name: nest\n      \
                 groups: [adm, sudo, systemd-journal, wheel]\n      password_hash: \"{HASH}\"\n"
            )
        );
    }

    #[test]
    fn all_answers_compile_to_what_they_say() {
        let value = compile(&config(&plan(everything()), Secrets::Written));
        let user = &value["passwd"]["users"][0];
        assert_eq!(user["passwordHash"], HASH);
        assert!(user["sshAuthorizedKeys"][0].as_str().unwrap().ends_with(" me: \"x\""));
        let files = value["storage"]["files"].as_array().unwrap();
        let paths: Vec<&str> = files.iter().map(|f| f["path"].as_str().unwrap()).collect();
        let keyfile = format!("{CONNECTIONS}/eth0.nmconnection");
        assert_eq!(paths, ["/etc/hostname", &keyfile, SETTINGS]);
        assert_eq!(files[1]["mode"], 0o600);
        assert_eq!(files[0]["contents"]["source"], "data:,node1%0A");
        assert_eq!(value["storage"]["links"][0]["target"], "../usr/share/zoneinfo/UTC");
        let unit = value["systemd"]["units"][0]["contents"].as_str().unwrap();
        assert!(unit.contains("rebase ostree-unverified-registry:r.example.com/nestos:stable\n"));
    }

    #[test]
    fn what_is_shown_hides_the_hash_and_nothing_else() {
        let plan = plan(everything());
        let shown = config(&plan, Secrets::Hidden);
        assert!(!shown.contains("$6$"));
        assert_eq!(shown, config(&plan, Secrets::Written).replace(&format!("\"{HASH}\""), HIDDEN));
    }

    #[test]
    fn texts_stay_texts() {
        for text in
            ["1", "yes", "a: b", "#x", "", " a", "a ", "0x1f", "-", "~", "'", "\"", "a#b", "中"]
        {
            let node =
                nestos_formats::yaml::parse(format!("k: {}", quoted(text)).as_bytes()).unwrap();
            let Some(nestos_formats::yaml::Value::Scalar(scalar)) = node.get("k").map(|n| &n.value)
            else {
                panic!("{text}: {node:?}")
            };
            assert_eq!(&*scalar.text, text);
        }
    }
}
