//! What the console shows when the boot cannot go on: which units failed, the lines that say why,
//! and what to do. A config may hold secrets, so only lines that report a failure are shown, cut to
//! one screen line, with anything that looks like a password hash or a private key blotted out.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

use crate::console;

/// A virtio port for whoever runs the machine, a test for instance.
const PORT: &str = "/dev/virtio-ports/nestos.journal";
const LINES_PER_UNIT: usize = 12;
const MAX_COLUMNS: usize = 240;

/// Prints the explanation on every console and then waits for ever.
pub(crate) fn explain() -> Result<()> {
    console::write(&explanation(&failed_units()));
    if let Err(err) = send_journal(Path::new(PORT)) {
        console::say(&format!("the journal could not be sent to {PORT}: {err:#}"));
    }
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Returns the units that failed, with the lines of their journal that say why.
pub(crate) fn failed_units() -> Vec<(String, Vec<String>)> {
    let failed = Cmd::new("systemctl")
        .args(["list-units", "--failed", "--plain", "--no-legend", "--full"])
        .output()
        .unwrap_or_default();
    let units = failed.lines().filter_map(|l| l.split_whitespace().next());
    let result = |unit: &str| {
        let result = Cmd::new("systemctl").args(["show", "--property=Result", "--value", unit]);
        result.output().unwrap_or_default().trim().to_owned()
    };
    let units = causes(units.map(|unit| (unit, result(unit))).collect());
    let journal = |unit: &str| {
        let entries = Cmd::new("journalctl").args(["-b", "-o", "cat", "--no-pager", "-u", unit]);
        telling_lines(&entries.output().unwrap_or_default())
    };
    units.into_iter().map(|unit| (unit.to_owned(), journal(unit))).collect()
}

/// Leaves out units that were only stopped, by signals, because another one had failed.
fn causes(failed: Vec<(&str, String)>) -> Vec<&str> {
    let stopped = |result: &str| result == "signal";
    let all_stopped = failed.iter().all(|(_, result)| stopped(result));
    let kept = failed.into_iter().filter(|(_, result)| all_stopped || !stopped(result));
    kept.map(|(unit, _)| unit).collect()
}

/// Writes the journal of this boot to a port that a host may have given the machine, without what
/// may be secret.
fn send_journal(port: &Path) -> Result<()> {
    if !port.exists() {
        return Ok(());
    }
    let mut to = File::options().write(true).open(port).context("cannot open it")?;
    let journal =
        Cmd::new("journalctl").args(["-b", "-o", "short-monotonic", "--no-pager"]).output()?;
    for line in journal.lines().filter(|line| is_shown(line)) {
        writeln!(to, "{}", blotted(line)).context("cannot write to it")?;
    }
    Ok(())
}

/// Returns whether a line may be shown: whole configs are not.
fn is_shown(line: &str) -> bool {
    !line.contains("{\"") && !line.trim().is_empty()
}

fn explanation(reports: &[(String, Vec<String>)]) -> String {
    let mut text = String::from(
        "\n\n==================== NestOS: the boot stopped in the initramfs ====================\n",
    );
    for (unit, lines) in reports {
        text.push_str(&format!("\nFailed unit: {unit}\n"));
        for line in lines {
            text.push_str(&format!("    {line}\n"));
        }
    }
    if reports.is_empty() {
        text.push_str("\nNo unit is marked as failed.\n");
    }
    let ignition = reports.iter().any(|(unit, _)| unit.starts_with("ignition-"));
    text.push_str(if ignition {
        "\nIgnition could not apply the configuration, so the system is not started: it would run\n\
         without the users, keys and services it was meant to have. Nothing will happen until the\n\
         machine is reset. Correct the config (ignition-validate checks one), and install or boot\n\
         again.\n"
    } else {
        "\nNothing will happen until the machine is reset.\n"
    });
    text
}

/// Returns the last lines of a journal that report a failure; the last lines at all if none does.
fn telling_lines(journal: &str) -> Vec<String> {
    const TELLING: [&str; 8] =
        ["CRITICAL", "ERROR", "error", "fail", "Fail", "hint:", "because:", "invalid"];
    let all: Vec<&str> = journal.lines().filter(|line| is_shown(line)).collect();
    let telling: Vec<&str> =
        all.iter().copied().filter(|l| TELLING.iter().any(|word| l.contains(word))).collect();
    let chosen = if telling.is_empty() { all } else { telling };
    let skip = chosen.len().saturating_sub(LINES_PER_UNIT);
    chosen[skip..].iter().map(|line| blotted(line)).collect()
}

/// Returns `line` cut to [`MAX_COLUMNS`], with words that look like secrets replaced.
fn blotted(line: &str) -> String {
    let secret = |word: &str| {
        word.contains("PRIVATE KEY")
            || ["$1$", "$5$", "$6$", "$y$", "$2b$"].iter().any(|p| word.contains(p))
    };
    let words: Vec<&str> =
        line.split(' ').map(|w| if secret(w) { "[hidden]" } else { w }).collect();
    words.join(" ").chars().take(MAX_COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_were_only_stopped_are_no_causes() {
        let of = |list: &[(&'static str, &str)]| {
            causes(list.iter().map(|(unit, result)| (*unit, (*result).to_owned())).collect())
        };
        assert_eq!(of(&[("ignition-kargs", "signal"), ("rootfs", "exit-code")]), ["rootfs"]);
        assert_eq!(of(&[("ignition-kargs", "signal")]), ["ignition-kargs"]);
    }

    #[test]
    fn a_failed_config_is_explained_without_its_secrets() {
        let journal = "Ignition 2.14.0\nparsing config\n\
                       config: {\"ignition\":{\"version\":\"3.3.0\"},\"passwordHash\":\"$6$s\"}\n\
                       CRITICAL : failed to fetch config: unsupported config version\n\
                       ERROR : bad hash $6$salt$abcdef here\n";
        let unit = "ignition-fetch-offline.service".to_owned();
        let text = explanation(&[(unit, telling_lines(journal))]);
        assert!(text.contains("Failed unit: ignition-fetch-offline.service"));
        assert!(
            text.contains("    CRITICAL : failed to fetch config: unsupported config version\n")
        );
        assert!(text.contains("ERROR : bad hash [hidden] here"));
        assert!(!text.contains("$6$") && !text.contains("parsing config"));
        assert!(text.contains("ignition-validate"));
    }
}
