//! Ends the uses of a disk, in order, after saying what is going to be done. Ends no programs and
//! nothing that the running system needs.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::{Free, Sources, Use};
use crate::cmd::Cmd;
use crate::term::WithHint;

/// How often a disk is released: udev may assemble an array again as soon as it was stopped.
const ROUNDS: usize = 3;

/// How often is looked whether a program that has the disk open stays, and how long apart.
const LOOKS: usize = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Returns the commands that end the uses, in order, as one would type them.
pub fn commands(uses: &[Use]) -> Vec<String> {
    steps(uses).into_iter().map(|(_, argv)| spelled(argv)).collect()
}

/// Frees a disk from everything that can be ended by a command; `announce` hears what is going to
/// be done before anything is. Returns the uses that were ended.
///
/// A disk that the running system needs, or that a program has open, is left as it is.
pub fn release(
    device: &Path,
    sources: &Sources,
    mut announce: impl FnMut(&str),
) -> Result<Vec<Use>> {
    let name = sources.name_of(device);
    let mut ended = Vec::new();
    for _ in 0..ROUNDS {
        let uses = uses_that_last(sources, &name);
        refuse_to_release(device, &uses)?;
        if uses.is_empty() {
            return Ok(ended);
        }
        say(device, &uses, &mut announce);
        run(&uses, |argv| perform(sources, &name, argv))
            .map_err(|e| e.context(format!("cannot release {}", device.display())))?;
        ended.extend(uses);
    }
    let back = sources.uses_of(&name);
    if back.is_empty() {
        return Ok(ended);
    }
    let listed = listed(&back.iter().collect::<Vec<_>>());
    Err(anyhow!("cannot release {}: its users come back{listed}", device.display()))
        .hint("stop what starts them: an automounter, or the assembly of arrays and volume groups")
}

/// Says what is in use, and what is going to be done about it.
fn say(device: &Path, uses: &[Use], announce: &mut impl FnMut(&str)) {
    announce(&format!("releasing {}, which is in use:", device.display()));
    for u in uses {
        announce(&format!("    {} is {}", u.device, u.what));
    }
    announce("by these commands:");
    for command in commands(uses) {
        announce(&format!("    {command}"));
    }
}

fn listed(uses: &[&Use]) -> String {
    uses.iter().map(|u| format!("\n    {} is {}", u.device, u.what)).collect()
}

/// Lists the uses of a disk once programs that only looked at it, such as those of udev, are gone.
fn uses_that_last(sources: &Sources, name: &str) -> Vec<Use> {
    for _ in 1..LOOKS {
        let uses = sources.uses_and_programs(name);
        if !uses.iter().any(|u| matches!(u.free, Free::Ask(_))) {
            return uses;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    sources.uses_and_programs(name)
}

/// Refuses what no command may end, before anything is changed.
fn refuse_to_release(device: &Path, uses: &[Use]) -> Result<()> {
    let system: Vec<&Use> = uses.iter().filter(|u| u.holds_running_system()).collect();
    if !system.is_empty() {
        return Err(anyhow!(
            "cannot release {}: it holds the running system{}",
            device.display(),
            listed(&system)
        ))
        .hint("choose another disk");
    }
    let asked: Vec<&Use> = uses.iter().filter(|u| matches!(u.free, Free::Ask(_))).collect();
    let advice: Vec<&str> = asked
        .iter()
        .filter_map(|u| match &u.free {
            Free::Ask(advice) => Some(advice.as_str()),
            _ => None,
        })
        .collect();
    if advice.is_empty() {
        return Ok(());
    }
    Err(anyhow!(
        "cannot release {}: some of its uses only you can end{}",
        device.display(),
        listed(&asked)
    ))
    .hint(format!("nothing was changed; first:\n    {}", advice.join("\n    ")))
}

/// Runs the commands in order and stops at the first that fails.
fn run(uses: &[Use], mut perform: impl FnMut(&[String]) -> Result<()>) -> Result<()> {
    let steps = steps(uses);
    for (i, (u, argv)) in steps.iter().enumerate() {
        let Err(e) = perform(argv) else { continue };
        let spell = |steps: &[(&Use, &[String])]| match steps {
            [] => "nothing".to_owned(),
            steps => steps.iter().map(|(_, argv)| spelled(argv)).collect::<Vec<_>>().join(", "),
        };
        return Err(e.context(format!("{} is still {}", u.device, u.what))).hint(format!(
            "done: {}; left: {}",
            spell(&steps[..i]),
            spell(&steps[i..])
        ));
    }
    Ok(())
}

fn perform(sources: &Sources, name: &str, argv: &[String]) -> Result<()> {
    // A mount in another namespace may have gone with ours, an array with its last volume.
    let still: Vec<Use> = sources.uses_of(name);
    if !still.iter().any(|u| u.free == Free::Run(argv.to_owned())) {
        return Ok(());
    }
    let Some((program, args)) = argv.split_first() else { return Ok(()) };
    Cmd::new(program).args(args).run()
}

/// Pairs each command with the use it ends. A volume group is shut down once, however many
/// volumes it has; a directory that is mounted over twice is unmounted twice.
fn steps(uses: &[Use]) -> Vec<(&Use, &[String])> {
    let mut steps: Vec<(&Use, &[String])> = Vec::new();
    for u in uses {
        let Free::Run(argv) = &u.free else { continue };
        let again = argv.iter().any(|word| word == "umount");
        if again || !steps.iter().any(|(_, known)| known == argv) {
            steps.push((u, argv));
        }
    }
    steps
}

fn spelled(argv: &[String]) -> String {
    argv.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Spells a word so that a shell takes it for one.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn mounted(place: &str) -> Use {
        let free = Free::run(&["umount", place]);
        Use { device: "/dev/sda1".to_owned(), what: format!("mounted on {place}"), free }
    }

    #[test]
    fn the_first_failure_stops_the_release_and_says_what_is_done_and_what_is_left() {
        let uses = [mounted("/a"), mounted("/b c"), mounted("/d")];
        let mut ran = Vec::new();
        let failed = run(&uses, |argv| {
            ran.push(argv[1].clone());
            if argv[1] == "/b c" { bail!("target is busy") } else { Ok(()) }
        });
        let lines = crate::term::error_lines(&failed.unwrap_err()).join("\n");
        assert_eq!(ran, ["/a", "/b c"]);
        assert!(lines.contains("/dev/sda1 is still mounted on /b c"), "{lines}");
        assert!(lines.contains("target is busy"), "{lines}");
        assert!(lines.contains("done: umount /a; left: umount '/b c', umount /d"), "{lines}");
    }

    #[test]
    fn a_directory_mounted_over_twice_is_unmounted_twice() {
        assert_eq!(commands(&[mounted("/a"), mounted("/a")]), ["umount /a", "umount /a"]);
    }
}
