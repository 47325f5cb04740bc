//! Runs the built compiler, and Ignition's own check where it is installed.

use std::io::Write;
use std::path::Path;
use std::sync::Once;

use nestos_host::cmd::Cmd;

/// What a run of the compiler came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `butane` in `dir` with `input` as standard input.
pub(crate) fn butane(dir: &Path, args: &[&str], input: impl Into<Vec<u8>>) -> Run {
    let program = Cmd::new(env!("CARGO_BIN_EXE_butane")).args(args).cwd(dir);
    let done = program.env("LC_ALL", "C").input(input).finish().unwrap();
    Run {
        code: done.status.code().unwrap(),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Compiles `text` after a nestos header.
pub(crate) fn nestos(text: &str) -> Run {
    let config = format!("variant: nestos\nversion: 1.0.0\n{text}");
    butane(Path::new("."), &["--raw-errors"], config)
}

/// Requires that Ignition accepts a config; says so on stderr where it cannot be asked, and fails
/// where it has to be there.
pub(crate) fn assert_ignition_accepts(json: &str) {
    static SAID: Once = Once::new();
    let asked = Cmd::new("ignition-validate").arg("-").input(json).finish();
    match asked {
        Ok(done) => assert!(
            done.status.success(),
            "ignition-validate refuses:\n{}{}\n{json}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        ),
        Err(reason) => SAID.call_once(|| {
            assert!(std::env::var_os("CI").is_none(), "{reason:#}; tools/install-deps installs it");
            let note = format!(
                "\n*** SKIPPED: outputs were not checked by Ignition itself: {reason}\n\
                 *** install Debian's package ignition to check them\n\n"
            );
            std::io::stderr().write_all(note.as_bytes()).unwrap();
        }),
    }
}
