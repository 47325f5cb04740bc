//! `download`: fetches files of a stream, or one by its URL, and keeps what verifies. A file gets
//! its name when all of it is there, verified and on the disk; until then it is called
//! NAME.partial, and the next run goes on with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_host::term::WithHint;
use nestos_host::{atomic, term};
use reqwest::Url;

use crate::fetch::{Retries, shown};
use crate::source::{Chosen, StreamSource};
use crate::trust::{Evidence, Trust};

mod partial;
mod place;
mod unpack;
mod vouching;

use partial::Partial;
pub use place::Form;
use place::Place;
use vouching::Judge;
pub use vouching::Vouching;

/// What to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// One file.
    Url(Url),
    /// All files of a format that a stream offers.
    Stream {
        /// The stream.
        source: StreamSource,
        /// Architecture.
        arch: String,
        /// Platform.
        platform: String,
        /// Format; without one, the usual format.
        format: Option<String>,
    },
}

/// One run of `download`.
#[derive(Debug)]
pub struct DownloadRequest {
    /// What to download.
    pub what: What,
    /// Where to put it.
    pub directory: PathBuf,
    /// How it is kept.
    pub form: Form,
    /// What must vouch for it.
    pub vouching: Vouching,
    /// How often a download starts again.
    pub retries: Retries,
}

/// Downloads, and prints the path of each file.
pub fn run(request: &DownloadRequest) -> Result<()> {
    if !request.directory.is_dir() {
        return Err(anyhow!("{} is no directory", request.directory.display()))
            .hint("make it first, or name another one with -C");
    }
    let judge = Judge::new(&request.vouching)?;
    for file in request.files()? {
        let path = save(&file, request, &judge);
        let path = path.with_context(|| format!("cannot download {}", shown(&file.location)))?;
        term::result(path.display());
    }
    Ok(())
}

impl DownloadRequest {
    fn files(&self) -> Result<Vec<Chosen>> {
        match &self.what {
            What::Url(url) => Ok(vec![Chosen::of_url(url.clone())]),
            What::Stream { source, arch, platform, format } => {
                source.load(self.retries)?.files(arch, platform, format.as_deref())
            }
        }
    }
}

/// Makes sure that a file is there and verified, and returns its path.
fn save(file: &Chosen, request: &DownloadRequest, judge: &Judge) -> Result<PathBuf> {
    let place = Place::of(&file.location, &request.directory, request.form)?;
    if is_complete(&place, file, judge) {
        return finish_kept(&place, file);
    }
    let evidence = file.evidence(request.retries)?;
    let trust = judge.settle(&evidence, file.sha256)?;
    if matches!(trust, Trust::Insecure | Trust::Stated(_)) {
        term::warning(format!(
            "{} is not signed, which --insecure accepts",
            place.stored.display()
        ));
    }
    if is_verified(&place.stored, &trust) {
        keep_signature(&place, &evidence)?;
        return finish_kept(&place, file);
    }
    let partial = fetch_verified(file, &place.partial, &trust, request.retries)?;
    match &place.unpacked {
        Some(unpacked) => {
            unpack::unpack(&place.partial, unpacked, file.uncompressed_sha256)?;
            partial.remove()?;
            Ok(unpacked.clone())
        }
        None => {
            keep_signature(&place, &evidence)?;
            partial.finish(&place.stored)?;
            Ok(place.stored)
        }
    }
}

/// Returns whether the file and its signature are there already, and verify.
fn is_complete(place: &Place, file: &Chosen, judge: &Judge) -> bool {
    match Evidence::beside(&place.stored) {
        Ok(found @ Evidence::Found { .. }) if place.stored.is_file() => {
            let settled = judge.settle(&found, file.sha256);
            settled.is_ok_and(|trust| is_verified(&place.stored, &trust))
        }
        _ => false,
    }
}

/// Returns whether a file is there and is the one vouched for; says so if it is not.
fn is_verified(path: &Path, trust: &Trust) -> bool {
    if !path.is_file() || !vouching::tells_content(trust) {
        return false;
    }
    match partial::verify(path, trust.clone()) {
        Ok(_verified) => true,
        Err(e) => {
            term::warning(format!("{} is there, but it is of no use: {e:#}", path.display()));
            false
        }
    }
}

/// Uses a verified file that was there before.
fn finish_kept(place: &Place, file: &Chosen) -> Result<PathBuf> {
    term::status(format!("{} is there already and verifies", place.stored.display()));
    let Some(unpacked) = &place.unpacked else { return Ok(place.stored.clone()) };
    unpack::unpack(&place.stored, unpacked, file.uncompressed_sha256)?;
    Ok(unpacked.clone())
}

/// A decompressed file has another content than what was signed: its signature is not kept.
fn keep_signature(place: &Place, evidence: &Evidence) -> Result<()> {
    match (place.form, evidence) {
        (Form::Decompressed, _) => Ok(()),
        (Form::AsStored, Evidence::Found { bytes, .. }) => {
            atomic::write(&place.signature, bytes, 0o644)
        }
        (Form::AsStored, _) => match fs::remove_file(&place.signature) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", place.signature.display()))
            }
            _ => Ok(()),
        },
    }
}

/// Downloads a file to its partial one, from where an earlier run broke off if that is the same
/// file.
fn fetch_verified(file: &Chosen, path: &Path, trust: &Trust, retries: Retries) -> Result<Partial> {
    let mut partial = Partial::open(path)?;
    if !vouching::tells_content(trust) {
        // Nothing would tell whether both parts belong together.
        partial.clear()?;
    }
    if partial.len() > 0 {
        term::status(format!("going on after {} bytes of an earlier run", partial.len()));
        match partial.complete(&file.location, trust, retries) {
            Ok(_verified) => return Ok(partial),
            Err(partial::Failure::Later(e)) => return Err(kept(e, &partial)),
            Err(partial::Failure::Useless(e)) => {
                term::warning(format!("what an earlier run left is of no use: {e:#}"));
                partial.clear()?;
            }
        }
    }
    match partial.complete(&file.location, trust, retries) {
        Ok(_verified) => Ok(partial),
        Err(partial::Failure::Later(e)) if vouching::tells_content(trust) && partial.len() > 0 => {
            Err(kept(e, &partial))
        }
        Err(partial::Failure::Later(e) | partial::Failure::Useless(e)) => {
            partial.remove()?;
            Err(e)
        }
    }
}

fn kept(error: anyhow::Error, partial: &Partial) -> anyhow::Error {
    let what = format!("{} bytes are kept in {}", partial.len(), partial.path().display());
    let Err(hinted) = Err::<std::convert::Infallible, _>(error)
        .hint(format!("{what}; run the same command again to go on"));
    hinted
}
