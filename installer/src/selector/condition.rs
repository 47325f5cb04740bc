//! One condition of a selector.

use std::fmt;
use std::str::FromStr;

use nestos_host::disks::{Disk, Transport};

use super::SelectorError;
use super::size::{self, Size};

/// All words that a condition can begin with.
pub(super) const KEYS: [&str; 12] = [
    "serial",
    "wwn",
    "model",
    "path",
    "id",
    "size",
    "transport",
    "rotational",
    "removable",
    "smallest",
    "largest",
    "empty",
];

/// Those that stand alone.
const WORDS: [&str; 3] = ["smallest", "largest", "empty"];

/// Returns whether `text` is a condition without a value.
pub(super) fn is_word(text: &str) -> bool {
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A condition that a disk meets or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    text: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Serial(String),
    Wwn(String),
    Model(String),
    Path(String),
    Id(String),
    Size(Order, Size),
    Transport(Transport),
    Rotational(bool),
    Removable(bool),
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AtLeast,
    AtMost,
    About,
}

impl FromStr for Condition {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Ok(Self { text: text.to_owned(), test: test(text)? })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    pub(super) fn is_met_by(&self, disk: &Disk) -> bool {
        let of = |text: &Option<String>, pattern: &str| {
            text.as_ref().is_some_and(|text| matches(pattern, text))
        };
        match &self.test {
            Test::Serial(pattern) => of(&disk.serial, pattern),
            Test::Wwn(pattern) => of(&disk.wwn.as_deref().map(plain_wwn), &plain_wwn(pattern)),
            Test::Model(pattern) => matches(pattern, &disk.model),
            Test::Path(pattern) => paths(disk).any(|path| matches(pattern, path)),
            Test::Id(pattern) => linked(disk, "/by-id/").any(|id| matches(pattern, id)),
            Test::Size(Order::AtLeast, size) => disk.size >= size.bytes,
            Test::Size(Order::AtMost, size) => disk.size <= size.bytes,
            Test::Size(Order::About, size) => size.is_about(disk.size),
            Test::Transport(transport) => disk.transport == *transport,
            Test::Rotational(wanted) => disk.rotational == *wanted,
            Test::Removable(wanted) => disk.removable == *wanted,
            Test::Empty => disk.is_empty(),
        }
    }

    /// Returns whether it gives the name of a device, not only a property.
    pub(super) fn names_device(&self) -> bool {
        matches!(self.test, Test::Path(_) | Test::Id(_))
    }
}

fn test(text: &str) -> Result<Test, SelectorError> {
    let invalid = |why: String| SelectorError::Value { condition: text.to_owned(), why };
    let Some(at) = text.find(['=', '<', '>']) else {
        return match text {
            "" => Err(invalid("there is nothing between two commas".to_owned())),
            _ if text.eq_ignore_ascii_case("empty") => Ok(Test::Empty),
            _ => Err(unknown(text, text)),
        };
    };
    let key = text[..at].trim().to_ascii_lowercase();
    let (order, value) = match &text[at..] {
        rest if rest.starts_with(">=") => (Order::AtLeast, &rest[2..]),
        rest if rest.starts_with("<=") => (Order::AtMost, &rest[2..]),
        rest if rest.starts_with('=') => (Order::About, &rest[1..]),
        _ => return Err(invalid("write >=, <= or =".to_owned())),
    };
    if !KEYS.contains(&key.as_str()) {
        return Err(unknown(text, &key));
    }
    if is_word(&key) {
        return Err(invalid(format!("{key} stands alone, without a value")));
    }
    if order != Order::About && key != "size" {
        return Err(invalid("only size can be compared".to_owned()));
    }
    let value = value.trim();
    if value.is_empty() {
        return Err(invalid("it needs a value".to_owned()));
    }
    valued(&key, order, value).map_err(invalid)
}

fn valued(key: &str, order: Order, value: &str) -> Result<Test, String> {
    let pattern = value.to_owned();
    Ok(match key {
        "serial" => Test::Serial(pattern),
        "wwn" => Test::Wwn(pattern),
        "model" => Test::Model(pattern),
        "path" => Test::Path(pattern),
        "id" => Test::Id(pattern),
        "size" => Test::Size(order, size::parse(value)?),
        "rotational" => Test::Rotational(yes_or_no(value)?),
        "removable" => Test::Removable(yes_or_no(value)?),
        _ => Test::Transport(value.parse().map_err(|()| {
            let near = nestos_butane::closest(value, Transport::names());
            let near = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            let names: Vec<&str> = Transport::names().collect();
            format!("no such transport{near} There are {}", names.join(", "))
        })?),
    })
}

fn unknown(text: &str, key: &str) -> SelectorError {
    let advice = match nestos_butane::closest(key, KEYS) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; there are {} (write ./{text} for a file)", KEYS.join(", ")),
    };
    SelectorError::Unknown(text.to_owned(), advice)
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err("it is yes or no".to_owned()),
    }
}

/// Lists all names of a disk that `path=` may mean.
fn paths(disk: &Disk) -> impl Iterator<Item = &str> {
    let name = disk.device.strip_prefix("/dev/").unwrap_or(&disk.device);
    linked(disk, "/by-path/").chain([disk.device.as_str(), name])
}

/// Lists the links in a folder of `/dev/disk`, with and without their folder.
fn linked<'d>(disk: &'d Disk, folder: &'d str) -> impl Iterator<Item = &'d str> {
    let links = disk.links.iter().filter(move |link| link.contains(folder));
    links.flat_map(|link| [link.as_str(), link.rsplit('/').next().unwrap_or(link)])
}

/// Returns a world wide name without the marks that programs put before it.
fn plain_wwn(name: &str) -> String {
    let mut plain = name.trim().to_ascii_lowercase();
    for mark in ["wwn-", "nvme-", "naa.", "0x"] {
        if let Some(rest) = plain.strip_prefix(mark) {
            plain = rest.to_owned();
        }
    }
    plain
}

/// Returns whether a text is what the pattern says, as a whole; case and outer spaces do not
/// matter.
fn matches(pattern: &str, text: &str) -> bool {
    let lower = |text: &str| text.trim().to_lowercase().chars().collect::<Vec<char>>();
    let (pattern, text) = (lower(pattern), lower(text));
    pattern == text || glob(&pattern, &text)
}

/// Matches `*`, `?` and `[a-z]` as file names are matched; `*` also matches slashes.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last `*` was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if let Some(length) = one(&pattern[p..], text[t]) {
            p += length;
            t += 1;
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            p = after;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Returns the length of the part of a pattern that stands for the character `c`.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => {
            // A bracket right after the opening one is a member.
            let Some(end) = rest.iter().skip(1).position(|c| *c == ']').map(|at| at + 1) else {
                return (c == '[').then_some(1);
            };
            let (negated, members) = match &rest[..end] {
                ['!' | '^', members @ ..] if !members.is_empty() => (true, members),
                members => (false, members),
            };
            (contains(members, c) != negated).then_some(end + 2)
        }
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

fn contains(members: &[char], c: char) -> bool {
    match members {
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&c) || contains(rest, c),
        [member, rest @ ..] => *member == c || contains(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_as_a_shell_would() {
        for (pattern, text, want) in [
            ("Samsung SSD", "samsung ssd ", true),
            ("Samsung", "Samsung SSD", false),
            ("*ssd*", "Samsung SSD 860", true),
            ("WDC_WD[0-9]0*", "wdc_wd40EFRX", true),
            ("WD[!0-9]*", "WD4", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xxaxxbxxb", true),
            ("/dev/loop*", "/dev/loop12", true),
            ("x[y", "x[y", true),
            ("[]x]", "]", true),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &"a".repeat(10_000)));
    }
}
