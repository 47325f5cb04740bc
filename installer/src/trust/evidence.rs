//! What was found beside an image.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::signature::SIGNATURE_FILE_LIMIT;
use crate::digest::Digest;

/// What a signature's name adds to that of its image, the usual one first.
pub const SIGNATURE_SUFFIXES: [&str; 2] = [".sig", ".asc"];

/// What was found beside an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The image belongs to the live medium that is running: it needs nothing else.
    LiveMedium,
    /// The live medium that is running says how to put the image together, and its digest.
    Rebuilt(Digest),
    /// A file with signatures.
    Found {
        /// Where it was: a path or an address, for messages.
        place: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// No signature.
    Missing {
        /// Where it was looked for.
        places: Vec<String>,
    },
}

impl Evidence {
    /// Looks beside an image file.
    pub fn beside(image: &Path) -> Result<Self> {
        let mut places = Vec::new();
        for suffix in SIGNATURE_SUFFIXES {
            let mut path = image.as_os_str().to_owned();
            path.push(suffix);
            let path = PathBuf::from(path);
            let place = path.display().to_string();
            match read(&path) {
                Ok(bytes) => return Ok(Self::Found { place, bytes }),
                Err(e) if e.kind() == ErrorKind::NotFound => places.push(place),
                Err(e) => return Err(e).context(format!("cannot read the signature {place}")),
            }
        }
        Ok(Self::Missing { places })
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than a signature may have tells that there are too many.
    File::open(path)?.take(SIGNATURE_FILE_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
