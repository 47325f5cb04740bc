//! Asks `ignition-validate`, of Debian's package `ignition`.

use std::io::Write;
use std::sync::OnceLock;

use nestos_host::cmd::Cmd;

const TOOL: &str = "ignition-validate";

/// Returns whether the tool can be asked. Where it has to be, its absence is a failure.
pub(crate) fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let Err(reason) = Cmd::new(TOOL).arg("--version").output() else { return true };
        let missing = std::env::var_os("CI").is_none();
        assert!(missing, "{reason:#}; tools/install-deps installs it");
        let note = format!("\n*** SKIPPED: {reason:#}; Debian's package ignition has it\n\n");
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        false
    })
}

/// Returns what the tool says to a config; an `Err` if it refuses it.
pub(crate) fn verdict(json: &str) -> Result<String, String> {
    let done = Cmd::new(TOOL).arg("-").input(json).finish().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if done.status.success() { Ok(said) } else { Err(said) }
}

/// Returns whether the tool knows a version of the spec; it says so to any config.
pub(crate) fn knows(version: &str) -> bool {
    verdict(&format!(r#"{{"ignition": {{"version": "{version}"}}}}"#)).is_ok()
}
