//! The kernel arguments of the unattended installation, in one table: their names follow `nestos.`,
//! `coreos.` or `nestosos.`. docs/live.md describes each of them.

use nestos_formats::command_line::CommandLine;

/// What an argument does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Its last value is that of an option of `nestos-installer install`.
    Value(&'static str),
    /// Each of its values is one of an option.
    Values(&'static str),
    /// It switches an option on.
    Flag(&'static str),
    /// It decides what happens after the installation, or whether there is one.
    Flow,
}

/// Every argument of the unattended installation.
pub(crate) const ARGUMENTS: [(&str, Effect); 17] = [
    (INSTALL_DEV, Effect::Value("dest-device")),
    ("inst.ignition_url", Effect::Value("ignition-url")),
    ("inst.image_url", Effect::Value("image-url")),
    ("inst.image_file", Effect::Value("image-file")),
    ("inst.stream", Effect::Value("stream")),
    ("inst.platform_id", Effect::Value("platform")),
    ("inst.console", Effect::Values("console")),
    ("inst.append_karg", Effect::Values("append-karg")),
    ("inst.copy_network", Effect::Flag("copy-network")),
    ("inst.save_partlabel", Effect::Value("save-partlabel")),
    ("inst.save_partindex", Effect::Value("save-partindex")),
    ("inst.insecure", Effect::Flag("insecure")),
    ("inst.secure_ipl", Effect::Flag("secure-ipl")),
    (SKIP_REBOOT, Effect::Flow),
    (POWEROFF, Effect::Flow),
    (ONCE, Effect::Flow),
    // Named so that it can be documented: the disk alone decides whether to install.
    ("inst", Effect::Flow),
];

const INSTALL_DEV: &str = "inst.install_dev";
const SKIP_REBOOT: &str = "inst.skip_reboot";
const POWEROFF: &str = "inst.poweroff";
const ONCE: &str = "inst.once";

/// What `inst.once` stands for without a value.
const FIRST: &str = "1";

/// Arguments of the network that the first boot of the installed system gets, too.
const NETWORK: [&str; 18] = [
    "ipv6.disable",
    "net.ifnames",
    "net.naming-scheme",
    "ip",
    "ifname",
    "rd.route",
    "bootdev",
    "BOOTIF",
    "rd.bootif",
    "nameserver",
    "rd.peerdns",
    "biosdevname",
    "vlan",
    "bond",
    "team",
    "bridge",
    "rd.net.timeout.carrier",
    "rd.net.timeout.dhcp",
];

/// Arguments of our own about the network that the first boot gets, too.
const OWN_NETWORK: [&str; 2] = ["no_persist_ip", "force_persist_ip"];

/// What happens after the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// The installed system is started.
    Reboot,
    /// A shell is.
    Shell,
    /// The machine is switched off.
    PowerOff,
}

/// Returns whether the command line asks for an installation.
pub(crate) fn names_disk(line: &CommandLine) -> bool {
    line.own(INSTALL_DEV).is_some()
}

/// Returns what happens afterwards; whoever asks for a shell gets it, whatever else is asked for.
pub(crate) fn afterwards(line: &CommandLine) -> Afterwards {
    if line.own_flag(SKIP_REBOOT) {
        Afterwards::Shell
    } else if line.own_flag(POWEROFF) {
        Afterwards::PowerOff
    } else {
        Afterwards::Reboot
    }
}

/// Returns the name of the installation that is to happen once. An empty value is none that
/// switches off, unlike that of a flag: the disk would be installed to again and again.
pub(crate) fn once(line: &CommandLine) -> Option<&str> {
    match line.own_values(ONCE).last()? {
        "" => Some(FIRST),
        id => line.own_flag(ONCE).then_some(id),
    }
}

/// Returns whether a value of an option is fetched from the network.
pub(crate) fn from_network(option: &str, value: &str) -> bool {
    match option {
        "stream" | "ignition-url" | "image-url" => true,
        _ => value.starts_with("http://") || value.starts_with("https://"),
    }
}

/// Returns the options that the command line asks for, in the order of the table; flags have no
/// value.
pub(crate) fn options(line: &CommandLine) -> Vec<(&'static str, Option<String>)> {
    let mut options = Vec::new();
    for (name, effect) in ARGUMENTS {
        match effect {
            // The ancestors write `skip` where there is no config.
            Effect::Value("ignition-url") if line.own(name) == Some("skip") => {}
            Effect::Value(option) => {
                options.extend(line.own(name).map(|v| (option, Some(v.to_owned()))));
            }
            Effect::Values("append-karg") => {
                options.extend(given(line, name).map(|v| ("append-karg", Some(quoted(v)))));
            }
            Effect::Values(option) => {
                options.extend(given(line, name).map(|v| (option, Some(v.to_owned()))));
            }
            Effect::Flag(option) if line.own_flag(name) => options.push((option, None)),
            Effect::Flag(_) | Effect::Flow => {}
        }
    }
    options
}

fn given<'a>(line: &'a CommandLine, name: &'a str) -> impl Iterator<Item = &'a str> {
    line.own_values(name).filter(|value| !value.is_empty())
}

/// Puts back the quotes that the kernel's way of splitting took: `x=a b` becomes `x="a b"`.
fn quoted(karg: &str) -> String {
    match karg.split_once('=') {
        Some((name, value)) if value.contains(' ') => format!("{name}=\"{value}\""),
        _ => karg.to_owned(),
    }
}

/// Returns the arguments of the network for the first boot of the installed system; empty when
/// there are none.
pub(crate) fn first_boot(line: &CommandLine) -> Vec<&str> {
    let about_network = |arg: &&str| {
        let name = arg.split('=').next().unwrap_or_default();
        let alone = CommandLine::parse(name);
        NETWORK.contains(&name) || OWN_NETWORK.iter().any(|own| alone.own_values(own).count() > 0)
    };
    let found: Vec<&str> = line.args().filter(about_network).collect();
    if found.is_empty() { found } else { [vec!["rd.neednet=1"], found].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_of(text: &str) -> Vec<String> {
        let shown = |(option, value): (&str, Option<String>)| match value {
            Some(value) => format!("{option}={value}"),
            None => option.to_owned(),
        };
        options(&CommandLine::parse(text)).into_iter().map(shown).collect()
    }

    /// Every argument, in every spelling, with what it becomes.
    #[test]
    fn every_argument_becomes_its_option_in_every_spelling() {
        for (given, expected) in [
            ("inst.install_dev=/dev/sda", "dest-device=/dev/sda"),
            ("inst.install_dev=sda", "dest-device=sda"),
            ("inst.install_dev=serial=A,size>=1G", "dest-device=serial=A,size>=1G"),
            ("inst.ignition_url=http://h/a.ign", "ignition-url=http://h/a.ign"),
            ("inst.image_url=https://h/i.raw", "image-url=https://h/i.raw"),
            ("inst.image_file=/run/i.raw", "image-file=/run/i.raw"),
            ("inst.stream=next", "stream=next"),
            ("inst.platform_id=qemu", "platform=qemu"),
            ("inst.console=ttyS0,115200n8", "console=ttyS0,115200n8"),
            ("inst.append_karg=a=b=c,d", "append-karg=a=b=c,d"),
            ("inst.append_karg=\"x=a b\"", "append-karg=x=\"a b\""),
            ("inst.copy_network", "copy-network"),
            ("inst.save_partlabel=data*,home", "save-partlabel=data*,home"),
            ("inst.save_partindex=5-,-2", "save-partindex=5-,-2"),
            ("inst.insecure", "insecure"),
            ("inst.insecure=1", "insecure"),
            ("inst.secure_ipl", "secure-ipl"),
        ] {
            for prefix in ["nestos.", "coreos.", "nestosos."] {
                assert_eq!(options_of(&format!("{prefix}{given}")), [expected], "{prefix}{given}");
            }
            assert_eq!(options_of(given), [""; 0], "without a prefix: {given}");
        }
    }

    #[test]
    fn what_says_nothing_becomes_nothing() {
        for given in [
            "nestos.inst.install_dev",
            "nestos.inst.install_dev=",
            "nestos.inst.ignition_url=skip",
            "nestos.inst.insecure=0",
            "nestos.inst.copy_network=no",
            "nestos.inst.append_karg=",
            "nestos.inst=yes",
            "nestos.inst.skip_reboot nestos.inst.poweroff nestos.inst.once",
        ] {
            assert_eq!(options_of(given), [""; 0], "{given}");
        }
    }

    #[test]
    fn the_last_value_wins_and_repeatable_arguments_add_up() {
        let text = "nestos.inst.install_dev=sda coreos.inst.install_dev=sdb \
                    nestos.inst.console=tty0 coreos.inst.console=ttyS0 \
                    nestosos.inst.append_karg=b nestos.inst.append_karg=a";
        assert_eq!(
            options_of(text),
            ["dest-device=sdb", "console=tty0", "console=ttyS0", "append-karg=b", "append-karg=a"]
        );
    }

    #[test]
    fn every_option_has_a_row_in_the_table_above() {
        let all: String = ARGUMENTS
            .iter()
            .filter(|(_, effect)| *effect != Effect::Flow)
            .map(|(name, _)| format!("nestos.{name}=1 "))
            .collect();
        assert_eq!(options_of(&all).len(), ARGUMENTS.len() - 4);
    }

    #[test]
    fn the_manual_describes_every_argument_and_no_other() {
        for manual in
            [include_str!("../../../docs/live.md"), include_str!("../../../docs/live.zh-CN.md")]
        {
            let mut rows: Vec<&str> = manual
                .lines()
                .filter_map(|line| line.strip_prefix("| `nestos.inst")?.split('`').next())
                .map(|rest| rest.trim_start_matches('.'))
                .collect();
            let name = |name: &'static str| name.trim_start_matches("inst").trim_start_matches('.');
            let mut names: Vec<&str> = ARGUMENTS.iter().map(|(n, _)| name(n)).collect();
            rows.sort_unstable();
            names.sort_unstable();
            assert_eq!(rows, names);
        }
    }

    #[test]
    fn what_happens_afterwards_is_decided_by_flags() {
        for (text, expected) in [
            ("", Afterwards::Reboot),
            ("nestos.inst.skip_reboot", Afterwards::Shell),
            ("coreos.inst.skip_reboot=1", Afterwards::Shell),
            ("nestos.inst.skip_reboot=0", Afterwards::Reboot),
            ("nestosos.inst.poweroff", Afterwards::PowerOff),
            ("nestos.inst.poweroff=off", Afterwards::Reboot),
            ("nestos.inst.poweroff nestos.inst.skip_reboot", Afterwards::Shell),
        ] {
            assert_eq!(afterwards(&CommandLine::parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn once_has_a_name_that_is_1_without_a_value() {
        for (text, expected) in [
            ("", None),
            ("nestos.inst.once", Some("1")),
            ("nestosos.inst.once=", Some("1")),
            ("coreos.inst.once=rack4", Some("rack4")),
            ("nestos.inst.once nestos.inst.once=2", Some("2")),
            ("nestos.inst.once=2 nestos.inst.once=no", None),
        ] {
            assert_eq!(once(&CommandLine::parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn the_first_boot_gets_the_arguments_of_the_network() {
        let line = CommandLine::parse(
            "quiet ip=ens3:dhcp ip=10.0.0.2::10.0.0.1:255.255.255.0:a:ens4:none ipx=1 \
             nameserver=1.1.1.1 bond=bond0:a,b:mode=active-backup nestos.no_persist_ip \
             coreos.force_persist_ip nestos.inst.install_dev=sda rd.neednet=0",
        );
        assert_eq!(
            first_boot(&line).join(" "),
            "rd.neednet=1 ip=ens3:dhcp ip=10.0.0.2::10.0.0.1:255.255.255.0:a:ens4:none \
             nameserver=1.1.1.1 bond=bond0:a,b:mode=active-backup nestos.no_persist_ip \
             coreos.force_persist_ip"
        );
        assert!(first_boot(&CommandLine::parse("quiet nestos.inst.stream=x")).is_empty());
    }
}
