//! Units that failed, and units that have not come to rest. The health check is itself a job of the
//! boot, so it cannot wait for the boot to end: it looks again until nothing else is starting.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;
use serde::Deserialize;
use tracing::info;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Our own units start while the others are judged.
const OURS: &str = "nestos-updater";

/// One unit as `systemctl list-units --output=json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Unit {
    unit: String,
    active: String,
    sub: String,
}

impl Unit {
    /// A unit that crashes and is started again and again never counts as failed for systemd.
    fn failed(&self) -> bool {
        self.active == "failed" || self.sub == "auto-restart"
    }

    fn starting(&self) -> bool {
        self.active == "activating" && !self.unit.starts_with(OURS)
    }
}

/// Waits until no unit is starting, at most `limit`, and returns the names of those that failed.
pub(super) fn failed(limit: Duration) -> Result<BTreeSet<String>> {
    let mut waited = Duration::ZERO;
    loop {
        let units = list()?;
        let starting: Vec<&str> =
            units.iter().filter(|u| u.starting()).map(|u| u.unit.as_str()).collect();
        if starting.is_empty() || waited >= limit {
            if !starting.is_empty() {
                info!(?starting, "units are still starting: judging without them");
            }
            return Ok(failures(&units));
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

fn failures(units: &[Unit]) -> BTreeSet<String> {
    let failed = units.iter().filter(|u| u.failed() && !u.unit.starts_with(OURS));
    failed.map(|u| u.unit.clone()).collect()
}

fn list() -> Result<Vec<Unit>> {
    let text = Cmd::new("systemctl")
        .args(["list-units", "--all", "--state=failed,activating", "--full", "--output=json"])
        .output()?;
    serde_json::from_str(&text).context("cannot understand the units that systemctl lists")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_and_crashing_units_count_and_ours_do_not() {
        let text = r#"[
            {"unit":"a.service","load":"loaded","active":"failed","sub":"failed","description":"A"},
            {"unit":"b.service","load":"loaded","active":"activating","sub":"auto-restart","description":""},
            {"unit":"c.service","load":"loaded","active":"activating","sub":"start","description":""},
            {"unit":"nestos-updater.service","load":"loaded","active":"failed","sub":"failed","description":""},
            {"unit":"nestos-updater-health.service","load":"loaded","active":"activating","sub":"start","description":""}
        ]"#;
        let units: Vec<Unit> = serde_json::from_str(text).unwrap();
        let expected = ["a.service", "b.service"].map(str::to_owned);
        assert_eq!(failures(&units), BTreeSet::from(expected));
        let starting: Vec<&str> =
            units.iter().filter(|u| u.starting()).map(|u| u.unit.as_str()).collect();
        assert_eq!(starting, ["b.service", "c.service"]);
    }
}
