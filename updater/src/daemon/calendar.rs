//! Weekly windows in which a machine may reboot.
//!
//! A window opens at a time of the wall clock and stays open for a span of real time, so a change
//! to or from summer time moves its end on the wall, never its length. A start that the change
//! skips is later by what was skipped; one that happens twice is taken the first time.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// A week in minutes: no window is longer.
const WEEK_MINUTES: u32 = 7 * 24 * 60;

/// One window of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    days: Vec<Weekday>,
    start: Time,
    length: SignedDuration,
}

impl Window {
    /// Reads a window from the values of its keys.
    pub fn new(days: &[&str], start: &str, minutes: u32) -> Result<Self> {
        if days.is_empty() {
            bail!("days: the list is empty");
        }
        let days = days.iter().map(|d| weekday(d)).collect::<Result<Vec<_>>>()?;
        let start = Time::strptime("%H:%M", start)
            .map_err(|e| anyhow!("start_time: {start:?} is no HH:MM: {e}"))?;
        if !(1..=WEEK_MINUTES).contains(&minutes) {
            bail!("length_minutes: {minutes} is not from 1 to {WEEK_MINUTES}");
        }
        Ok(Self { days, start, length: SignedDuration::from_mins(i64::from(minutes)) })
    }

    /// Returns the window that starts on `date`, if one does.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        if !self.days.contains(&date.weekday()) {
            return None;
        }
        let start = date.to_datetime(self.start).to_zoned(zone.clone()).ok()?.timestamp();
        Some((start, start.checked_add(self.length).ok()?))
    }
}

/// The windows of a week, in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: TimeZone,
    windows: Vec<Window>,
}

impl Calendar {
    /// Makes a calendar; at least one window is needed, or the machine would never reboot.
    pub fn new(zone: TimeZone, windows: Vec<Window>) -> Result<Self> {
        if windows.is_empty() {
            bail!("a calendar without windows is never open");
        }
        Ok(Self { zone, windows })
    }

    /// Returns whether a window is open. The start belongs to it, the end does not.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.around(now).any(|(start, end)| start <= now && now < end)
    }

    /// Returns how long it is until a window opens; nothing while one is open.
    pub fn until_open(&self, now: Timestamp) -> Duration {
        if self.is_open(now) {
            return Duration::ZERO;
        }
        let next = self.around(now).map(|(start, _)| start).filter(|start| *start > now).min();
        // Every day of the week comes within what `around` sees; a week serves the end of time.
        let wait =
            next.map_or(SignedDuration::from_hours(7 * 24), |start| now.duration_until(start));
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    }

    /// Returns every window that starts in the 8 days before or after `now`.
    fn around(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(now).date();
        (-8..=8).filter_map(move |n: i32| today.checked_add(n.days()).ok()).flat_map(move |date| {
            self.windows.iter().filter_map(move |window| window.on(date, &self.zone))
        })
    }
}

/// Reads the name of a time zone: `localtime`, `UTC`, or a name such as `Asia/Shanghai`.
pub fn time_zone(name: &str) -> Result<TimeZone> {
    match name {
        "localtime" => {
            TimeZone::try_system().map_err(|e| anyhow!("/etc/localtime is no time zone: {e}"))
        }
        "UTC" => Ok(TimeZone::UTC),
        _ => {
            TimeZone::get(name).map_err(|e| anyhow!("{name:?} is no time zone of this system: {e}"))
        }
    }
}

fn weekday(name: &str) -> Result<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let lower = name.to_lowercase();
    let found = NAMES.iter().find(|(long, _)| lower == *long || lower == long[..3]);
    found.map(|(_, day)| *day).ok_or_else(|| anyhow!("days: {name:?} is no day of the week"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn calendar(zone: &str, days: &[&str], start: &str, minutes: u32) -> Calendar {
        let window = Window::new(days, start, minutes).unwrap();
        Calendar::new(time_zone(zone).unwrap(), vec![window]).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_open_at_their_start_and_close_before_their_end() {
        // 2026-11-22 is a Sunday.
        let sunday_night = calendar("UTC", &["Sun"], "23:30", 60);
        for (time, open) in [
            ("2026-11-22T23:29:59Z", false),
            ("2026-11-22T23:30:00Z", true),
            ("2026-11-23T00:29:59Z", true),
            ("2026-11-23T00:30:00Z", false),
            ("2026-11-23T23:30:00Z", false),
            ("2026-11-29T23:45:00Z", true),
        ] {
            assert_eq!(sunday_night.is_open(at(time)), open, "{time}");
        }
        assert_eq!(
            sunday_night.until_open(at("2026-11-23T00:30:00Z")),
            Duration::from_secs((7 * 24 - 1) * 3600)
        );
    }

    #[test]
    fn the_time_zone_moves_the_window() {
        let shanghai = calendar("Asia/Shanghai", &["Saturday"], "02:00", 60);
        assert!(shanghai.is_open(at("2026-11-20T18:00:00Z")));
        assert!(!shanghai.is_open(at("2026-11-21T02:00:00Z")));
    }

    #[test]
    fn summer_time_moves_the_clock_not_the_length() {
        // Berlin goes from 02:00 to 03:00 on 2026-03-29, and from 03:00 to 02:00 on 2026-10-25.
        let before = calendar("Europe/Berlin", &["Sun"], "01:30", 60);
        assert!(before.is_open(at("2026-03-29T01:29:59Z")));
        assert!(!before.is_open(at("2026-03-29T01:30:00Z")));
        let skipped = calendar("Europe/Berlin", &["Sun"], "02:30", 30);
        assert!(!skipped.is_open(at("2026-03-29T01:29:59Z")));
        assert!(skipped.is_open(at("2026-03-29T01:30:00Z")));
        let twice = calendar("Europe/Berlin", &["Sun"], "02:30", 30);
        assert!(twice.is_open(at("2026-10-25T00:30:00Z")));
        assert!(!twice.is_open(at("2026-10-25T01:30:00Z")));
    }

    #[test]
    fn a_window_of_a_week_is_always_open() {
        let always = calendar("America/New_York", &["Wed"], "12:00", WEEK_MINUTES);
        for hour in 0..200 {
            assert!(always.is_open(at("2026-06-01T00:00:00Z") + SignedDuration::from_hours(hour)));
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        assert!(Window::new(&[], "10:00", 5).is_err());
        assert!(Window::new(&["Mon"], "25:00", 5).is_err());
        assert!(Window::new(&["Mon"], "10:00", WEEK_MINUTES + 1).is_err());
        assert!(Calendar::new(TimeZone::UTC, Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn the_next_opening_is_open_and_nothing_before_it_is(
            secs in 0_i64..4_000_000_000, minutes in 1_u32..2000, hour in 0_u8..24, day in 0_usize..7,
            early in any::<u16>(),
        ) {
            let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let calendar = calendar("Europe/Berlin", &[days[day]], &format!("{hour:02}:15"), minutes);
            let now = Timestamp::from_second(secs).unwrap();
            let wait = calendar.until_open(now);
            prop_assert!(calendar.is_open(now + wait));
            prop_assert_eq!(wait.is_zero(), calendar.is_open(now));
            let part = wait.mul_f64(f64::from(early) / 65536.0);
            prop_assert!(wait.is_zero() || !calendar.is_open(now + part));
        }
    }
}
