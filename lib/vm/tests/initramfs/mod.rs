//! The smallest guest: the host's own shell in an initramfs, answering on the serial console.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nestos_host::cmd::Cmd;

/// What the guest says when it takes commands.
pub(crate) const READY: &str = "harness: ready";

/// Evaluates each line that comes in.
const INIT: &str = "#!/bin/sh
export PATH=/usr/bin:/bin
mount -t proc proc /proc
echo harness: ready
while read -r line; do eval \"$line\"; done
";

const PROGRAMS: [&str; 3] = ["/bin/sh", "/bin/cat", "/bin/mount"];
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CONSOLE: u32 = 0o020_600;

/// Writes the initramfs to `to`.
pub(crate) fn write(to: &Path) -> Result<()> {
    let mut files = BTreeSet::from(PROGRAMS.map(PathBuf::from));
    for program in PROGRAMS {
        files.extend(libraries(program)?);
    }
    let mut directories: BTreeSet<PathBuf> = ["/dev", "/proc"].map(PathBuf::from).into();
    directories.extend(files.iter().flat_map(|f| f.ancestors().skip(1)).map(Path::to_owned));
    directories.remove(Path::new("/"));

    let mut archive = Archive(Vec::new());
    for directory in &directories {
        archive.add(directory, DIRECTORY, &[]);
    }
    for file in &files {
        let content = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        archive.add(file, PROGRAM, &content);
    }
    archive.add(Path::new("/dev/console"), CONSOLE, &[]);
    archive.add(Path::new("/init"), PROGRAM, INIT.as_bytes());
    archive.add(Path::new("/TRAILER!!!"), 0, &[]);
    fs::write(to, archive.0).with_context(|| format!("writing {}", to.display()))
}

fn libraries(program: &str) -> Result<Vec<PathBuf>> {
    let list = Cmd::new("ldd").arg(program).output()?;
    let words = list.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(words.map(PathBuf::from).collect())
}

/// An archive in the kernel's "newc" form (Documentation/driver-api/early-userspace).
struct Archive(Vec<u8>);

impl Archive {
    fn add(&mut self, path: &Path, mode: u32, content: &[u8]) {
        let name = path.display().to_string();
        let name = format!("{}\0", name.trim_start_matches('/'));
        // /dev/console is character device 5, 1.
        let (major, minor) = if mode == CONSOLE { (5, 1) } else { (0, 0) };
        let fields = [0, mode, 0, 0, 1, 0].into_iter().map(|field| field as usize).chain([
            content.len(),
            0,
            0,
            major,
            minor,
            name.len(),
            0,
        ]);
        self.0.extend_from_slice(b"070701");
        for field in fields {
            self.0.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.0.extend_from_slice(name.as_bytes());
        self.pad();
        self.0.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}
