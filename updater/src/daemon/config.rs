//! Settings of the service and the health check. Keys that zincati has too mean the same here.
//!
//! A key that is not known is a warning, since an older release may meet a newer file; a value
//! that makes no sense is an error, since guessing could reboot a machine at the wrong hour.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::calendar::{Calendar, Window, time_zone};
use super::fragment;
pub(crate) use super::fragment::named;
use super::policy::{Policy, Strategy};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// When to check, to stage and to reboot.
    pub updates: Policy,
    /// How a boot is judged.
    pub health: Health,
}

/// How a boot is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Limit for each script.
    pub timeout: Duration,
    /// How long units may take to come to rest.
    pub settle: Duration,
    /// What failed units mean.
    pub failed_units: FailedUnits,
}

/// What failed units mean for a deployment on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedUnits {
    /// A unit that did not fail before fails the trial.
    Fail,
    /// They are only logged.
    Ignore,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            settle: Duration::from_secs(60),
            failed_units: FailedUnits::Fail,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let updates = Policy {
            enabled: true,
            allow_downgrade: false,
            steady_interval: Duration::from_secs(300),
            strategy: Strategy::Immediate,
            jitter_percent: 0,
        };
        Self { updates, health: Health::default() }
    }
}

/// Settings, and what was odd about the files they came from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// One text for each key that is not known.
    pub warnings: Vec<String>,
}

/// Reads the settings from the fragments of `dirs`.
pub fn load(dirs: &[PathBuf]) -> Result<Loaded> {
    let mut raw = Raw::default();
    let mut warnings = Vec::new();
    for file in fragment::read(dirs)? {
        for (key, value) in file.values {
            let place = || format!("{}: {key}", file.path.display());
            match raw.set(&key, &value).with_context(place)? {
                Key::Known => {}
                Key::Unknown => {
                    warnings.push(format!("{}: {key} is not known", file.path.display()))
                }
            }
        }
    }
    Ok(Loaded { settings: raw.check()?, warnings })
}

/// Values as they were found; a later file has gone over an earlier one.
#[derive(Debug, Default)]
struct Raw {
    interval: Option<Duration>,
    enabled: Option<bool>,
    allow_downgrade: Option<bool>,
    strategy: Option<StrategyName>,
    time_zone: Option<jiff::tz::TimeZone>,
    windows: Vec<Window>,
    timeout: Option<Duration>,
    settle: Option<Duration>,
    failed_units: Option<FailedUnits>,
}

#[derive(Debug, Clone, Copy)]
enum StrategyName {
    Immediate,
    Periodic,
}

enum Key {
    Known,
    Unknown,
}

/// Tables that hold keys we know; anything else under these names is a mistake.
const TABLES: [&str; 5] = ["agent", "agent.timing", "updates", "updates.periodic", "health"];

impl Raw {
    fn set(&mut self, key: &str, value: &toml::Value) -> Result<Key> {
        match key {
            "agent.timing.steady_interval_secs" => self.interval = Some(seconds(value)?),
            "updates.enabled" => self.enabled = Some(truth(value)?),
            "updates.allow_downgrade" => self.allow_downgrade = Some(truth(value)?),
            "updates.strategy" => self.strategy = Some(strategy(text(value)?)?),
            "updates.periodic.time_zone" => self.time_zone = Some(time_zone(text(value)?)?),
            "updates.periodic.window" => {
                let list = value.as_array().ok_or_else(|| anyhow!("this is no list of tables"))?;
                for (n, item) in list.iter().enumerate() {
                    self.windows.push(window(item).with_context(|| format!("window {}", n + 1))?);
                }
            }
            "health.timeout_secs" => self.timeout = Some(seconds(value)?),
            "health.settle_secs" => self.settle = Some(seconds(value)?),
            "health.failed_units" => {
                self.failed_units = Some(match text(value)? {
                    "fail" => FailedUnits::Fail,
                    "ignore" => FailedUnits::Ignore,
                    other => bail!("{other:?} is neither \"fail\" nor \"ignore\""),
                });
            }
            table if TABLES.contains(&table) => bail!("this is no table"),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    }

    fn check(self) -> Result<Settings> {
        let default = Settings::default();
        let strategy = match self.strategy.unwrap_or(StrategyName::Immediate) {
            StrategyName::Immediate => Strategy::Immediate,
            StrategyName::Periodic => {
                let zone = self.time_zone.unwrap_or(jiff::tz::TimeZone::UTC);
                Strategy::Periodic(Calendar::new(zone, self.windows).context(
                    "updates.strategy is \"periodic\", but no updates.periodic.window is set",
                )?)
            }
        };
        Ok(Settings {
            updates: Policy {
                enabled: self.enabled.unwrap_or(default.updates.enabled),
                allow_downgrade: self.allow_downgrade.unwrap_or(default.updates.allow_downgrade),
                steady_interval: self.interval.unwrap_or(default.updates.steady_interval),
                strategy,
                jitter_percent: 0,
            },
            health: Health {
                timeout: self.timeout.unwrap_or(default.health.timeout),
                settle: self.settle.unwrap_or(default.health.settle),
                failed_units: self.failed_units.unwrap_or(default.health.failed_units),
            },
        })
    }
}

fn text(value: &toml::Value) -> Result<&str> {
    value.as_str().ok_or_else(|| anyhow!("{value} is no string"))
}

fn truth(value: &toml::Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| anyhow!("{value} is neither true nor false"))
}

/// Reads a span of time; a week is more than any of them can mean.
fn seconds(value: &toml::Value) -> Result<Duration> {
    const WEEK: u64 = 7 * 24 * 3600;
    let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
    match number {
        Some(secs @ 1..=WEEK) => Ok(Duration::from_secs(secs)),
        _ => bail!("{value} is no number of seconds from 1 to {WEEK}"),
    }
}

fn strategy(name: &str) -> Result<StrategyName> {
    match name {
        // Zincati's spelling of the default.
        "" | "immediate" => Ok(StrategyName::Immediate),
        "periodic" => Ok(StrategyName::Periodic),
        other => bail!("{other:?} is neither \"immediate\" nor \"periodic\""),
    }
}

fn window(value: &toml::Value) -> Result<Window> {
    let table = value.as_table().ok_or_else(|| anyhow!("{value} is no table"))?;
    let get = |key: &str| table.get(key).ok_or_else(|| anyhow!("{key} is missing"));
    if let Some(key) =
        table.keys().find(|k| !["days", "start_time", "length_minutes"].contains(&k.as_str()))
    {
        bail!("{key} is not known in a window");
    }
    let days = get("days")?.as_array().ok_or_else(|| anyhow!("days is no list"))?;
    let days = days.iter().map(text).collect::<Result<Vec<_>>>()?;
    let start = text(get("start_time")?)?;
    let length = get("length_minutes")?;
    let minutes = length.as_integer().and_then(|n| u32::try_from(n).ok());
    let minutes =
        minutes.ok_or_else(|| anyhow!("length_minutes: {length} is no number of minutes"))?;
    Window::new(&days, start, minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn load_text(text: &str) -> Result<Loaded> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.toml"), text).unwrap();
        load(&[dir.path().to_owned()])
    }

    fn error(text: &str) -> String {
        let err = format!("{:#}", load_text(text).unwrap_err());
        err[err.find("a.toml").unwrap_or(0)..].to_owned()
    }

    #[test]
    fn the_shipped_file_says_what_the_defaults_are() {
        let text = include_str!("../../../systemd-units/nestos-updater/config.d/10-defaults.toml");
        let loaded = load_text(text).unwrap();
        assert_eq!(loaded.settings, Settings::default());
        assert_eq!(loaded.warnings, Vec::<String>::new());
        assert_eq!(load(&[]).unwrap().settings, Settings::default());
    }

    #[test]
    fn a_later_directory_shadows_masks_and_comes_in_order_of_names() {
        let root = tempfile::tempdir().unwrap();
        let dirs = ["lib", "run", "etc"].map(|d| root.path().join(d));
        let write = |dir: usize, name: &str, text: &str| {
            fs::create_dir_all(&dirs[dir]).unwrap();
            fs::write(dirs[dir].join(name), text).unwrap();
        };
        write(0, "10.toml", "agent.timing.steady_interval_secs = 10\nupdates.enabled = false");
        write(0, "50.toml", "health.timeout_secs = 50");
        write(1, "90.toml", "agent.timing.steady_interval_secs = 90");
        write(2, "10.toml", "agent.timing.steady_interval_secs = 11");
        write(2, "20.conf", "no TOML at all");
        std::os::unix::fs::symlink("/dev/null", dirs[2].join("50.toml")).unwrap();
        let settings = load(&dirs).unwrap().settings;
        assert!(settings.updates.enabled, "shadowed by the file in /etc");
        assert_eq!(settings.updates.steady_interval, Duration::from_secs(90), "last name wins");
        assert_eq!(settings.health, Health::default(), "50.toml is masked");
    }

    #[test]
    fn unknown_keys_are_named_and_harmless() {
        let text = "[identity]\ngroup = \"x\"\n[updates]\nenabled = false\nfoo.bar = 1\n";
        let loaded = load_text(text).unwrap();
        let ends = |n: usize, end: &str| loaded.warnings[n].ends_with(end);
        assert!(ends(0, "a.toml: identity.group is not known"), "{:?}", loaded.warnings);
        assert!(ends(1, "a.toml: updates.foo.bar is not known"), "{:?}", loaded.warnings);
        assert!(!loaded.settings.updates.enabled);
    }

    #[test]
    fn a_wrong_value_names_file_key_and_reason() {
        let window = "updates.strategy = \"periodic\"\n[[updates.periodic.window]]\n";
        for (text, expected) in [
            ("updates.enabled = 1", "a.toml: updates.enabled: 1 is neither true nor false"),
            ("updates = 5", "a.toml: updates: this is no table"),
            (
                "agent.timing.steady_interval_secs = 0",
                "a.toml: agent.timing.steady_interval_secs: 0 is no number of seconds from 1 to 604800",
            ),
            (
                "updates.strategy = \"fleet_lock\"",
                "a.toml: updates.strategy: \"fleet_lock\" is neither \"immediate\" nor \"periodic\"",
            ),
            (
                "updates.periodic.time_zone = \"Mars/Base\"",
                "a.toml: updates.periodic.time_zone: \"Mars/Base\" is no time zone of this system",
            ),
            (
                &format!("{window}days = [\"Mon\"]\nstart_time = \"10:00\""),
                "a.toml: updates.periodic.window: window 1: length_minutes is missing",
            ),
            (
                &format!("{window}days = [\"Mon\"]\nstart_time = \"10:00\"\nlength_minutes = 0"),
                "a.toml: updates.periodic.window: window 1: length_minutes: 0 is not from 1 to 10080",
            ),
            (
                &format!("{window}days = [\"Noday\"]\nstart_time = \"10:00\"\nlength_minutes = 5"),
                "a.toml: updates.periodic.window: window 1: days: \"Noday\" is no day of the week",
            ),
        ] {
            assert!(error(text).starts_with(expected), "{text}\n{}", error(text));
        }
        assert!(error("updates.strategy = \"periodic\"").contains("no updates.periodic.window"));
        assert!(error("updates = ").contains("a.toml is no TOML"));
    }

    #[test]
    fn windows_of_several_files_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let window = |day: &str| {
            format!(
                "[[updates.periodic.window]]\ndays = [\"{day}\"]\nstart_time = \"10:00\"\n\
                 length_minutes = 60\n"
            )
        };
        fs::write(dir.path().join("a.toml"), window("Mon")).unwrap();
        let text = format!("updates.strategy = \"periodic\"\n{}", window("Tue"));
        fs::write(dir.path().join("b.toml"), text).unwrap();
        let settings = load(&[dir.path().to_owned()]).unwrap().settings;
        let Strategy::Periodic(calendar) = settings.updates.strategy else { panic!() };
        assert!(calendar.is_open("2026-11-23T10:30:00Z".parse().unwrap()), "Monday");
        assert!(calendar.is_open("2026-11-24T10:30:00Z".parse().unwrap()), "Tuesday");
    }
}
