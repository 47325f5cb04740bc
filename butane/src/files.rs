//! What is read and written, with errors in the reference's words.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The mode of a new output file, before the umask.
const OUTPUT_MODE: u32 = 0o644;

/// The mode of an output file while its contents are not complete.
const PRIVATE_MODE: u32 = 0o600;

/// A text and what the user calls it.
#[derive(Debug)]
pub(crate) struct Input {
    pub name: String,
    pub text: Vec<u8>,
}

impl Input {
    /// Reads a file, or standard input.
    pub(crate) fn read(file: Option<&PathBuf>) -> Result<Self, String> {
        let Some(path) = file else {
            let mut text = vec![];
            let read = io::stdin().lock().read_to_end(&mut text);
            read.map_err(|e| format!("failed to read <stdin>: {}", reason(&e)))?;
            return Ok(Self { name: "<stdin>".to_owned(), text });
        };
        let name = path.display().to_string();
        let fail = |verb: &str, e: &io::Error| {
            format!("failed to {verb} {name}: {verb} {name}: {}", reason(e))
        };
        let mut opened = fs::File::open(path).map_err(|e| fail("open", &e))?;
        let mut text = vec![];
        opened.read_to_end(&mut text).map_err(|e| fail("read", &e))?;
        Ok(Self { name, text })
    }
}

/// Replaces a file as a whole; what is not a regular file, such as a pipe, is written to. A mode
/// is set exactly; without one an existing file keeps its own.
pub(crate) fn write_file(path: &Path, text: &str, mode: Option<u32>) -> Result<(), String> {
    replace(path, text, mode)
        .map_err(|e| format!("Failed to write config to {}: {}", path.display(), reason(&e)))
}

fn replace(path: &Path, text: &str, mode: Option<u32>) -> io::Result<()> {
    // A link stays a link, the file behind it is replaced.
    let path = path.canonicalize().unwrap_or_else(|_missing| path.to_owned());
    let existing = fs::metadata(&path).ok();
    if existing.as_ref().is_some_and(|meta| !meta.is_file()) {
        return fs::OpenOptions::new().write(true).open(&path)?.write_all(text.as_bytes());
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The umask applies to what is asked for here, and not to what is set below.
    let created = if mode.is_some() { PRIVATE_MODE } else { OUTPUT_MODE };
    let mut file = tempfile::Builder::new()
        .prefix(".butane-")
        .permissions(fs::Permissions::from_mode(created))
        .tempfile_in(dir)?;
    let exact = mode.map(fs::Permissions::from_mode);
    if let Some(permissions) = exact.or_else(|| existing.map(|meta| meta.permissions())) {
        file.as_file().set_permissions(permissions)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

pub(crate) fn write_stdout(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| format!("Failed to write config to stdout: {}", reason(&e)))
}

/// Prints on standard error. If that is closed, there is nobody to tell.
pub(crate) fn say(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}

/// Returns the text of a system error without its number, as the reference prints it.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
}
