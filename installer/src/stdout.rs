//! Bytes on standard output, as they are. A reader that went away is no failure.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, anyhow};
use nestos_host::term::WithHint;

/// Fails when binary data would go to a terminal.
pub fn refuse_terminal() -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(anyhow!("Refusing to write binary data to terminal"))
            .hint("name a file with --output, or send the output elsewhere");
    }
    Ok(())
}

/// Writes bytes.
pub fn write(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(e).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
