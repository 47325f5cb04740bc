//! What every console shows when an unattended installation cannot go on, before the shell.

use std::path::Path;

use nestos_host::term;

use super::state::{self, Failure, State};
use crate::{console, emergency};

const INSTALLER: &str = "nestos-installer.service";

/// Says on every console why nothing more happens.
pub(crate) fn explain(root: &Path) {
    let units = emergency::failed_units();
    let kept = state::kept(root);
    if kept.is_none() {
        let failure = failure_of(&units, root.join("run/nestos-installer/report.json").exists());
        state::tell(root, &State::Failed(failure.clone()));
        if let Err(e) = state::keep(root, &failure) {
            term::error(&e);
        }
    }
    let others: Vec<_> = units.into_iter().filter(|(name, _)| name != INSTALLER).collect();
    console::write_below(root, &text(kept.as_ref(), &others));
}

/// Returns what failed when it was not the installer.
fn failure_of(units: &[(String, Vec<String>)], installed: bool) -> Failure {
    let names: Vec<&str> = units.iter().map(|(name, _)| name.as_str()).collect();
    let reason = match names.as_slice() {
        [] => "the system went into emergency mode".to_owned(),
        names => format!("failed: {}", names.join(", ")),
    };
    Failure { reason, written: installed.then_some(true) }
}

fn text(failure: Option<&Failure>, others: &[(String, Vec<String>)]) -> String {
    let mut text = format!("\n\n{:=^78}\n\n", " NestOS: the unattended installation stopped ");
    if let Some(Failure { reason, written }) = failure {
        text.push_str(&format!("{reason}\n\n"));
        text.push_str(match written {
            Some(false) => "Nothing was written to any disk.\n",
            Some(true) => "",
            None => "Whether the disk was written to is not known.\n",
        });
    }
    for (name, lines) in others {
        text.push_str(&format!("Failed unit: {name}\n"));
        lines.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    if failure.is_none() && others.is_empty() {
        text.push_str("No unit is marked as failed.\n");
    }
    text.push_str(
        "\nThe machine waits. This is a shell of root:\n\
         \x20   journalctl -b -u nestos-installer    shows all that was said\n\
         \x20   lsblk                                lists the disks\n\
         \x20   systemctl reboot                     starts again from the beginning\n\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installers_own_words_come_first_and_an_untouched_disk_is_said_so() {
        let reason = "error: cannot install on sdx; the disk was not touched\n  because: no such \
                      disk\nhint: see lsblk";
        let failure = |written| Failure { reason: reason.to_owned(), written };
        let told = text(Some(&failure(Some(false))), &[]);
        assert!(
            told.contains(&format!("{reason}\n\nNothing was written to any disk.\n")),
            "{told}"
        );
        assert!(!text(Some(&failure(Some(true))), &[]).contains("Nothing was written"));
        assert!(text(Some(&failure(None)), &[]).contains("not known"));
        assert!(told.lines().all(|line| line.len() <= 80 || line.contains("because")), "{told}");
    }

    #[test]
    fn a_hook_that_failed_is_named_with_what_it_said() {
        let hook = ("pre-install-a.service".to_owned(), vec!["error: no answer".to_owned()]);
        let told = text(None, std::slice::from_ref(&hook));
        assert!(
            told.contains("Failed unit: pre-install-a.service\n    error: no answer\n"),
            "{told}"
        );
        let failure = failure_of(&[hook], false);
        assert_eq!(failure.reason, "failed: pre-install-a.service");
        assert_eq!(failure.written, None);
    }
}
