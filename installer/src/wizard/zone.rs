//! The time zone: one of those that the system knows.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::ask::Asker;
use super::lang::{Told, say, told};

const DIRECTORY: &str = "/usr/share/zoneinfo";

/// Most names that are proposed for an answer that is none.
const PROPOSED: usize = 12;

/// The name of a time zone, such as `Asia/Shanghai`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone(String);

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The time zones of a system.
#[derive(Debug)]
pub(super) struct Zones(Vec<String>);

impl Zones {
    /// Reads those of this system, whose image the new one has as well.
    pub(super) fn read() -> Self {
        let dir = Path::new(DIRECTORY);
        let text = |name: &str| fs::read_to_string(dir.join(name)).ok();
        let compact = text("tzdata.zi").map(|t| compact(&t));
        let table = || text("zone1970.tab").or_else(|| text("zone.tab")).map(|t| table(&t));
        Self(compact.or_else(table).unwrap_or_default())
    }

    /// Returns the zone with this name, in whatever case.
    pub(super) fn find(&self, name: &str) -> Result<Zone, Told> {
        let known = self.0.iter().find(|zone| zone.eq_ignore_ascii_case(name));
        match known {
            Some(zone) => Ok(Zone(zone.clone())),
            // Without a list, the grammar has to do.
            None if self.0.is_empty() && is_name(name) => Ok(Zone(name.to_owned())),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Told {
        let wanted = name.to_lowercase();
        let holds = |zone: &&String| !wanted.is_empty() && zone.to_lowercase().contains(&wanted);
        let near: Vec<&str> = self.0.iter().filter(holds).map(String::as_str).collect();
        let more = if near.len() > PROPOSED { ", ..." } else { "" };
        let shown = near[..near.len().min(PROPOSED)].join(", ") + more;
        match near.as_slice() {
            [] => {
                told!(
                    "there is no time zone {:?}; names are like Asia/Shanghai or UTC",
                    "没有时区 {:?};名称形如 Asia/Shanghai 或 UTC",
                    name
                )
            }
            _ => told!("which one of these? {0}", "请从中选择: {0}", shown),
        }
    }
}

/// Reads the names of zones (Z) and of links to them (L) in `tzdata.zi`.
fn compact(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        match words.next()? {
            "Z" => words.next(),
            "L" => words.nth(1),
            _ => None,
        }
        .filter(|name| is_name(name))
        .map(str::to_owned)
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.sort();
    names
}

/// Reads the names in `zone1970.tab`, to which UTC belongs as well.
fn table(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split('\t').nth(2)).filter(|name| is_name(name));
    let mut names: Vec<String> = names.map(str::to_owned).chain(["UTC".to_owned()]).collect();
    names.sort();
    names
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
    };
    name.split('/').all(part)
}

/// Asks for a time zone, or none. The outer `None` goes back.
pub(super) fn ask(asker: &mut Asker, known: Option<&Zone>) -> Result<Option<Option<Zone>>> {
    let lang = asker.lang();
    let zones = Zones::read();
    asker.title(say!(
        lang,
        "A part of the name lists the time zones that have it; - is none.",
        "输入名称的一部分可列出匹配的时区;- 表示不设置。"
    ));
    let default = known.map_or_else(|| "-".to_owned(), Zone::to_string);
    asker.line(&say!(lang, "Time zone", "时区"), Some(&default), |answer| {
        if answer == "-" { Ok(None) } else { zones.find(answer).map(Some) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_parts_list_those_that_have_them() {
        let text = "# version 2025b\nZ Asia/Shanghai 8:5:43 - LMT 1901\n8 - C%sT\nZ Etc/UTC 0 - UTC\n\
                    L Asia/Shanghai Asia/Harbin\nL Etc/UTC UTC\nZ Bad/../x 0\n";
        let zones = Zones(compact(text));
        assert_eq!(zones.0, ["Asia/Harbin", "Asia/Shanghai", "Etc/UTC", "UTC"]);
        assert_eq!(zones.find("asia/shanghai").unwrap().to_string(), "Asia/Shanghai");
        let error = zones.find("asia").unwrap_err().to_string();
        assert_eq!(error, "which one of these? Asia/Harbin, Asia/Shanghai");
        assert!(zones.find("Mars").unwrap_err().to_string().starts_with("there is no time zone"));
    }

    #[test]
    fn without_a_list_the_grammar_decides() {
        let zones = Zones(vec![]);
        assert!(zones.find("America/Port-au-Prince").is_ok() && zones.find("Etc/GMT+8").is_ok());
        for bad in ["", "../etc/shadow", "/etc", "a b", "Asia/"] {
            assert!(zones.find(bad).is_err(), "{bad}");
        }
        assert_eq!(table("# c\nCN\t+31\tAsia/Shanghai\tBeijing\n"), ["Asia/Shanghai", "UTC"]);
    }
}
