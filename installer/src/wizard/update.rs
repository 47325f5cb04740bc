//! Where updates come from and when the machine reboots into them; see docs/updater.md.

mod ask;

use std::fmt;
use std::str::FromStr;

use nestos_formats::image_ref::{OstreeImageRef, RegistryName, Verification};

pub(super) use ask::ask;

use super::lang::{Lang, Told, say, told};

/// How the updater writes an image in a registry.
const REGISTRY: &str = "ostree-unverified-registry:";

/// What the new system is told about updates; nothing is what the image says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Updates {
    /// The image whose tag the system follows.
    pub(super) source: Option<Source>,
    /// When it reboots.
    pub(super) strategy: Option<Strategy>,
}

/// An image that the updater can follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source(OstreeImageRef);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Source {
    /// Returns the name as people write it, where that is enough to find the image.
    pub(super) fn short(&self) -> String {
        let full = self.to_string();
        full.strip_prefix(REGISTRY).map_or(full.clone(), str::to_owned)
    }
}

impl FromStr for Source {
    type Err = Told;

    /// Takes `HOST/NAME:TAG`, or a reference as the updater writes it.
    fn from_str(text: &str) -> Result<Self, Told> {
        let full = match text.parse::<RegistryName>() {
            Ok(name) => format!("{REGISTRY}{name}"),
            Err(_) if text.starts_with("ostree-") => text.to_owned(),
            Err(e) => return Err(told!("{0}", "镜像引用无效: {0}", e)),
        };
        let image: OstreeImageRef =
            full.parse().map_err(|e| told!("{0}", "镜像引用无效: {0}", e))?;
        // The unit that hands it over is read by systemd and a shell sees it never.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:/@+".contains(c);
        if image.verification != Verification::Unverified || !full.chars().all(plain) {
            return Err(told!(
                "{:?} cannot be followed: the updater takes names such as HOST/NAME:TAG",
                "无法跟踪 {:?}:请使用形如 主机/名称:标签 的引用",
                text
            ));
        }
        Ok(Self(image))
    }
}

/// When the machine reboots into an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Strategy {
    /// As soon as it is staged.
    Immediate,
    /// In a window.
    Periodic(Window),
    /// Updates are not looked for.
    Off,
}

/// When reboots are allowed, in the machine's own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) days: Days,
    pub(super) start: Start,
    pub(super) minutes: Minutes,
}

const WEEK: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Days of the week, in its order, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days(Vec<&'static str>);

impl Days {
    pub(super) fn names(&self) -> &[&'static str] {
        &self.0
    }
}

impl FromStr for Days {
    type Err = Told;

    fn from_str(text: &str) -> Result<Self, Told> {
        let wrong = || {
            told!(
                "{:?} is no list of days such as Sat,Sun, and not daily",
                "{:?} 不是星期列表(例如 Sat,Sun),也不是 daily",
                text
            )
        };
        if text.eq_ignore_ascii_case("daily") {
            return Ok(Self(WEEK.to_vec()));
        }
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let day = |word: &str| WEEK.iter().position(|day| day.eq_ignore_ascii_case(word));
        let mut found = words.map(day).collect::<Option<Vec<usize>>>().ok_or_else(wrong)?;
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            return Err(wrong());
        }
        Ok(Self(found.into_iter().map(|i| WEEK[i]).collect()))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == WEEK.len() {
            f.write_str("daily")
        } else {
            f.write_str(&self.0.join(","))
        }
    }
}

/// A time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    hour: u8,
    minute: u8,
}

impl FromStr for Start {
    type Err = Told;

    fn from_str(text: &str) -> Result<Self, Told> {
        let two = |part: &str, end: u8| {
            let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|n| digits && *n < end)
        };
        let parts = text.split_once(':').and_then(|(h, m)| Some((two(h, 24)?, two(m, 60)?)));
        let (hour, minute) = parts.ok_or_else(|| {
            told!("{:?} is no time such as 23:30", "{:?} 不是时间,应形如 23:30", text)
        })?;
        Ok(Self { hour, minute })
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// How long a window is open, at most a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minutes(u16);

impl FromStr for Minutes {
    type Err = Told;

    fn from_str(text: &str) -> Result<Self, Told> {
        let minutes = text.parse().ok().filter(|n| (1..=10080).contains(n));
        minutes.map(Self).ok_or_else(|| {
            told!(
                "{:?} is no number of minutes from 1 to 10080",
                "{:?} 不是 1 到 10080 之间的分钟数",
                text
            )
        })
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Strategy {
    /// Returns the settings for `/etc/nestos-updater/config.d`.
    pub(super) fn settings(&self) -> String {
        match self {
            Self::Immediate => "[updates]\nstrategy = \"immediate\"\n".to_owned(),
            Self::Off => "[updates]\nenabled = false\n".to_owned(),
            Self::Periodic(window) => format!(
                "[updates]\nstrategy = \"periodic\"\nperiodic.time_zone = \"localtime\"\n\n\
                 [[updates.periodic.window]]\ndays = {:?}\nstart_time = \"{}\"\n\
                 length_minutes = {}\n",
                window.days.names(),
                window.start,
                window.minutes
            ),
        }
    }

    /// Says on one line what it means.
    pub(super) fn summary(&self, lang: Lang) -> String {
        match self {
            Self::Immediate => say!(lang, "reboot at once", "立即重启"),
            Self::Off => say!(lang, "no updates", "不更新"),
            Self::Periodic(Window { days, start, minutes }) => {
                say!(
                    lang,
                    "reboot {} from {} for {} minutes",
                    "{} {} 起 {} 分钟内重启",
                    days,
                    start,
                    minutes
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_what_the_updater_can_follow() {
        let plain: Source = "registry.example.com:5000/nestos:stable".parse().unwrap();
        let full = "ostree-unverified-registry:registry.example.com:5000/nestos:stable";
        assert_eq!(plain.to_string(), full);
        assert_eq!(plain.short(), "registry.example.com:5000/nestos:stable");
        assert_eq!(full.parse::<Source>().unwrap(), plain);
        for bad in ["", "nestos", "x y/z", "ostree-image-signed:docker://h/x", "h/x:t u", "-"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }

    #[test]
    fn windows_are_written_as_the_updater_reads_them() {
        let window = Window {
            days: "sun, Sat".parse().unwrap(),
            start: "3:05".parse().unwrap(),
            minutes: "90".parse().unwrap(),
        };
        let text = Strategy::Periodic(window).settings();
        assert_eq!(
            text,
            "[updates]\nstrategy = \"periodic\"\nperiodic.time_zone = \"localtime\"\n\n\
             [[updates.periodic.window]]\ndays = [\"Sat\", \"Sun\"]\nstart_time = \"03:05\"\n\
             length_minutes = 90\n"
        );
        assert_eq!("daily".parse::<Days>().unwrap().names(), WEEK);
        for bad in ["", "x", "Sat;Sun"] {
            assert!(bad.parse::<Days>().is_err(), "{bad}");
        }
        for bad in ["24:00", "1", "1:60", "+1:00", "001:00"] {
            assert!(bad.parse::<Start>().is_err(), "{bad}");
        }
        for bad in ["0", "10081", "x"] {
            assert!(bad.parse::<Minutes>().is_err(), "{bad}");
        }
    }
}
