//! A file that is not all there yet. It is locked, so that two runs do not mix their bytes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow};
use nestos_host::term::WithHint;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use reqwest::Url;

use crate::fetch::{Changed, Download, Retries, Terms};
use crate::progress::{Audience, Phase, Progress};
use crate::trust::{Trust, Verified, Witness};

const BUFFER: usize = 256 * 1024;

/// A file on its way.
#[derive(Debug)]
pub(super) struct Partial {
    file: Flock<File>,
    path: PathBuf,
    len: u64,
}

/// Why a file could not be completed.
#[derive(Debug)]
pub(super) enum Failure {
    /// What is there is as good as before: another run may go on.
    Later(Error),
    /// What is there is not the beginning of the right file.
    Useless(Error),
}

impl Partial {
    /// Opens what an earlier run left, or begins.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = || format!("cannot write {}", path.display());
        loop {
            let options = File::options().read(true).append(true).create(true).open(path);
            let file =
                match Flock::lock(options.with_context(failed)?, FlockArg::LockExclusiveNonblock) {
                    Ok(file) => file,
                    Err((_, Errno::EWOULDBLOCK)) => {
                        return Err(anyhow!("another download writes {}", path.display()))
                            .hint("wait for it, or choose another directory with -C");
                    }
                    Err((_, e)) => return Err(e).with_context(failed),
                };
            let opened = file.metadata().with_context(failed)?;
            // Another run may have completed and renamed it in between.
            if fs::metadata(path).is_ok_and(|named| named.ino() == opened.ino()) {
                return Ok(Self { len: opened.len(), file, path: path.to_owned() });
            }
        }
    }

    /// Returns how much is there.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) -> Result<()> {
        let cleared = self.file.set_len(0);
        cleared.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.len = 0;
        Ok(())
    }

    /// Removes it.
    pub(super) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path)
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }

    /// Downloads the rest, and verifies all of it.
    pub(super) fn complete(
        &mut self,
        url: &Url,
        trust: &Trust,
        retries: Retries,
    ) -> Result<Verified, Failure> {
        let mut witness = Witness::new(trust.clone());
        show(&self.path, &mut witness).map_err(Failure::Later)?;
        let download = match self.len {
            0 => Download::begin(url, Terms::of(retries)),
            at => Download::resume(url, at, Terms::of(retries)),
        };
        self.receive(download.map_err(judge)?, &mut witness)?;
        let synced = self.file.sync_all();
        let synced = synced.with_context(|| format!("cannot write {}", self.path.display()));
        synced.map_err(Failure::Later)?;
        witness.finish().map_err(Failure::Useless)
    }

    fn receive(&mut self, mut download: Download, witness: &mut Witness) -> Result<(), Failure> {
        let mut progress = Progress::new(Audience::Person);
        if let Some(length) = download.length() {
            progress.start(Phase::Download, length);
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match download.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => &buffer[..n],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(judge(e.into())),
            };
            let written = self.file.write_all(read);
            let written = written.with_context(|| format!("cannot write {}", self.path.display()));
            written.map_err(Failure::Later)?;
            self.len += read.len() as u64;
            witness.update(read);
            progress.set(self.len);
        }
        progress.finish();
        Ok(())
    }

    /// Gives it its name.
    pub(super) fn finish(self, name: &Path) -> Result<()> {
        let rename = || -> io::Result<()> {
            fs::rename(&self.path, name)?;
            let parent = name.parent().filter(|dir| !dir.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        };
        rename().with_context(|| format!("cannot write {}", name.display()))
    }
}

/// A file that changed on the server will not be the right one later either.
fn judge(error: Error) -> Failure {
    match error.chain().any(|cause| cause.is::<Changed>()) {
        true => Failure::Useless(error),
        false => Failure::Later(error),
    }
}

/// Verifies a file that is all there.
pub(super) fn verify(path: &Path, trust: Trust) -> Result<Verified> {
    let mut witness = Witness::new(trust);
    show(path, &mut witness)?;
    witness.finish()
}

fn show(path: &Path, witness: &mut Witness) -> Result<()> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => witness.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).with_context(failed),
        }
    }
}
