//! The host name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::lang::{Told, told};
use crate::first_boot;

/// A host name that tells one machine from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hostname(String);

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Hostname {
    type Err = Told;

    fn from_str(text: &str) -> Result<Self, Told> {
        if text.parse::<first_boot::Hostname>().is_err() {
            return Err(told!(
                "{:?} cannot be a host name: use letters, digits and dashes, in parts that dots \
                 separate, at most 64 characters",
                "{:?} 不能用作主机名:应由字母、数字和短横线组成,各部分以点分隔,最多 64 个字符",
                text
            ));
        }
        if text.parse::<IpAddr>().is_ok() || text == "localhost" {
            return Err(told!(
                "{:?} names no machine of its own; choose another name",
                "{:?} 不能代表这台机器,请换一个名称",
                text
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_those_of_rfc_1123() {
        for good in ["a", "9p", "node-1.example.com", "X", &"a".repeat(63)] {
            assert!(good.parse::<Hostname>().is_ok(), "{good}");
        }
        let (label, name) = ("a".repeat(64), ["a".repeat(40), "b".repeat(40)].join("."));
        for bad in [
            "",
            "-a",
            "a-",
            "a_b",
            "a..b",
            ".a",
            "a.",
            "ä",
            "a b",
            "10.0.0.1",
            "localhost",
            &label,
            &name,
        ] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }
}
