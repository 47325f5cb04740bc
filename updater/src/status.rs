//! `nestos-updater status`, for people and for programs.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::daemon::state::State;
use crate::sysroot::{Deployment, Deployments, Origin};

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What an administrator looks for first.
    Brief,
    /// Everything.
    Verbose,
}

/// Returns the status as JSON. Keys of deployments are those of `rpm-ostree status --json`, as far
/// as both have them.
pub fn json(deployments: &Deployments, state: &State) -> Value {
    let deployments: Vec<Value> = deployments.0.iter().map(deployment_json).collect();
    json!({ "deployments": deployments, "updater": state })
}

/// Returns the status as lines of text.
pub fn lines(deployments: &Deployments, state: &State, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    for deployment in &deployments.0 {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        deployment_lines(deployment, state, detail, &mut lines);
    }
    if lines.is_empty() {
        lines.push("no deployments".to_owned());
    }
    let denied = state.denied.iter().filter(|d| {
        let shown = deployments.0.iter().any(|x| x.digest.as_ref() == Some(&d.digest));
        detail == Detail::Verbose && !shown
    });
    for (n, denied) in denied.enumerate() {
        if n == 0 {
            lines.push(String::new());
            lines.push("Denied images:".to_owned());
        }
        lines.push(format!("  {}: {}, {}", denied.digest, denied.reason, denied.at));
    }
    if detail == Detail::Verbose
        && let Some(last) = &state.checks.last
    {
        lines.push(String::new());
        lines.push(format!("Last check by the daemon: {}, {}", last.at, check_text(&last.result)));
    }
    lines
}

fn check_text(result: &crate::daemon::state::CheckResult) -> String {
    use crate::daemon::state::CheckResult;
    match result {
        CheckResult::UpToDate => "up to date".to_owned(),
        CheckResult::Update(digest) => format!("found {digest}"),
        CheckResult::Denied(digest) => format!("found {digest}, which is denied"),
        CheckResult::Downgrade(version) => format!("found the older version {version}"),
        CheckResult::Foreign => "another image is staged".to_owned(),
        CheckResult::Failed(why) => format!("failed: {why}"),
    }
}

fn deployment_lines(d: &Deployment, state: &State, detail: Detail, out: &mut Vec<String>) {
    let source = match &d.origin {
        Origin::Image(image) => image.to_string(),
        Origin::Refspec(refspec) => refspec.clone(),
        Origin::Unknown(found) => format!("({found})"),
    };
    let mark = if d.booted { '●' } else { ' ' };
    out.push(format!("{mark} {source}"));
    let mut row = |label: &str, value: &str| out.push(format!("{label:>20}: {value}"));
    let time = time(d.timestamp);
    match &d.version {
        Some(version) => row("Version", &format!("{version} ({time})")),
        None => row("Timestamp", &time),
    }
    if let Some(digest) = &d.digest {
        row("Digest", digest);
    }
    if d.digest.is_none() || detail == Detail::Verbose {
        row("Commit", &d.checksum);
    }
    if detail == Detail::Verbose {
        row("Stateroot", &d.stateroot);
        row("Serial", &d.serial.to_string());
    }
    if d.staged {
        row("Staged", "yes, boots at the next reboot");
    }
    if d.pinned {
        row("Pinned", "yes");
    }
    if let Some(denied) = d.digest.as_deref().and_then(|digest| state.denial(digest)) {
        row("Denied", &format!("{}, {}", denied.reason, denied.at));
    }
    if state.trial.as_ref().is_some_and(|t| t.checksum == d.checksum) {
        row("On trial", "yes, until its health check");
    }
}

fn deployment_json(d: &Deployment) -> Value {
    let mut value = json!({
        "checksum": d.checksum,
        "serial": d.serial,
        "osname": d.stateroot,
        "version": d.version,
        "timestamp": d.timestamp,
        "booted": d.booted,
        "staged": d.staged,
        "pinned": d.pinned,
    });
    let (key, text) = match &d.origin {
        Origin::Image(image) => ("container-image-reference", image.to_string()),
        Origin::Refspec(refspec) => ("origin", refspec.clone()),
        Origin::Unknown(found) => ("unknown-origin", found.clone()),
    };
    value[key] = json!(text);
    if let Some(digest) = &d.digest {
        value["container-image-reference-digest"] = json!(digest);
    }
    value
}

fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
    time.map_or_else(|| "no time".to_owned(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::state::DenyReason;

    fn deployments() -> Deployments {
        let digest = format!("sha256:{}", "a".repeat(64));
        let new = Deployment {
            checksum: "c".repeat(64),
            serial: 0,
            stateroot: "nestos".to_owned(),
            origin: Origin::Image("ostree-unverified-registry:h/nestos:v2".parse().unwrap()),
            digest: Some(digest),
            version: Some("2".to_owned()),
            timestamp: 1_725_321_600,
            booted: false,
            staged: true,
            pinned: false,
        };
        let old = Deployment {
            origin: Origin::Refspec("openEuler/x86_64/nestos/stable".to_owned()),
            digest: None,
            version: Some("1".to_owned()),
            booted: true,
            staged: false,
            ..new.clone()
        };
        Deployments(vec![new, old])
    }

    #[test]
    fn people_see_what_boots_next_and_what_runs() {
        let mut state = State::default();
        let digest = deployments().0[0].digest.clone().unwrap();
        state.deny(&digest, DenyReason::BootFailed, Timestamp::UNIX_EPOCH);
        let text = lines(&deployments(), &state, Detail::Brief).join("\n");
        let (a, c) = ("a".repeat(64), "c".repeat(64));
        let expected = format!(
            "  ostree-unverified-registry:h/nestos:v2
             Version: 2 (2024-09-03T00:00:00Z)
              Digest: sha256:{a}
              Staged: yes, boots at the next reboot
              Denied: did not boot, 1970-01-01T00:00:00Z

● openEuler/x86_64/nestos/stable
             Version: 1 (2024-09-03T00:00:00Z)
              Commit: {c}"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn programs_get_the_keys_of_rpm_ostree() {
        let value = json(&deployments(), &State::default());
        let (first, second) = (&value["deployments"][0], &value["deployments"][1]);
        assert_eq!(first["container-image-reference"], "ostree-unverified-registry:h/nestos:v2");
        assert_eq!(first["staged"], true);
        assert_eq!(second["origin"], "openEuler/x86_64/nestos/stable");
        assert_eq!(second["booted"], true);
    }
}
