//! The keys that may vouch for images: files with public keys, binary or armoured, in the
//! directories of the system or given on the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::term::WithHint;

use super::armor::{self, Around, Kind};
use super::certificate::{Certificate, Issuer, Key};
use super::packets::{self, Packet, PacketError, Tag};

/// Where the system keeps keys. A file in a later directory hides the one of the same name in
/// an earlier one; an empty file, or a link to /dev/null, so takes a key away.
pub const SYSTEM_DIRECTORIES: [&str; 2] = ["/usr/share/nestos/keys", "/etc/nestos/keys"];

/// No key file is larger.
pub const KEY_FILE_LIMIT: usize = 16 * 1024 * 1024;

const EXTENSIONS: [&str; 4] = ["gpg", "asc", "pgp", "key"];

/// Where to look for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySources {
    /// Directories that need not exist, whose broken files are passed over with a warning.
    System(Vec<PathBuf>),
    /// Files and directories that somebody named: they must exist and hold keys. They replace
    /// the system's, so that a key that is not trusted any more can be left out.
    Given(Vec<PathBuf>),
}

impl KeySources {
    /// Returns what `--keyring` names, or else the directories of the system.
    pub fn choose(given: Vec<PathBuf>) -> Self {
        if given.is_empty() {
            return Self::System(SYSTEM_DIRECTORIES.map(PathBuf::from).to_vec());
        }
        Self::Given(given)
    }
}

/// Public keys that may vouch for images.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
    searched: Vec<String>,
    warnings: Vec<String>,
}

impl Keyring {
    /// Reads all keys of these places.
    pub fn load(sources: &KeySources) -> Result<Self> {
        let mut keyring = Self::default();
        match sources {
            KeySources::System(directories) => {
                for path in keyring.system_files(directories) {
                    if let Err(e) = keyring.add_file(&path) {
                        keyring.warnings.push(format!("{e:#}; it is passed over"));
                    }
                }
            }
            KeySources::Given(paths) => {
                for path in paths {
                    keyring.searched.push(path.display().to_string());
                    if keyring.add_given(path)? == 0 {
                        bail!("there is no key that can be used in {}", path.display());
                    }
                }
            }
        }
        Ok(keyring)
    }

    /// Takes the keys of one file. Keys that cannot be used, while others can, are warned about.
    /// Returns how many keys the file holds that can be used.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<usize> {
        self.add_bytes(name, bytes).with_context(|| format!("cannot use the key file {name}"))
    }

    /// Returns what people should know about the files that were read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the number of keys, subkeys not counted.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Returns whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Says where was looked for keys, and whether any was found.
    pub(crate) fn described(&self) -> String {
        let places = match &self.searched[..] {
            [] => "none".to_owned(),
            places => places.join(", "),
        };
        if self.is_empty() { format!("{places} (without any key)") } else { places }
    }

    /// Returns the keys that may have made a signature, each with the certificate it is part of.
    pub(crate) fn find<'a>(
        &'a self,
        issuer: &'a Issuer<'a>,
    ) -> impl Iterator<Item = (&'a Certificate, Key)> + 'a {
        self.certificates.iter().flat_map(|c| c.keys(issuer).map(move |key| (c, key)))
    }

    fn system_files(&mut self, directories: &[PathBuf]) -> Vec<PathBuf> {
        let mut files = BTreeMap::new();
        for directory in directories {
            self.searched.push(directory.display().to_string());
            match key_files(directory) {
                Ok(found) => files.extend(found),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => self.warnings.push(format!("cannot read {}: {e}", directory.display())),
            }
        }
        files.into_values().collect()
    }

    fn add_given(&mut self, path: &Path) -> Result<usize> {
        if !path.is_dir() {
            return self.add_file(path);
        }
        let files = key_files(path).with_context(|| format!("cannot read {}", path.display()))?;
        if files.is_empty() {
            return Err(anyhow!("there is no key file in {}", path.display()))
                .hint(format!("the names of key files end in .{}", EXTENSIONS.join(", .")));
        }
        files.into_values().map(|file| self.add_file(&file)).sum()
    }

    fn add_file(&mut self, path: &Path) -> Result<usize> {
        let read = || -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(path)?.take(KEY_FILE_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let name = path.display().to_string();
        let bytes = read().with_context(|| format!("cannot read the key file {name}"))?;
        self.add(&name, &bytes)
    }

    fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<usize> {
        if bytes.len() > KEY_FILE_LIMIT {
            bail!("it has more than {KEY_FILE_LIMIT} bytes");
        }
        if bytes.get(8..12) == Some(b"KBXf") {
            return Err(anyhow!("it is a keybox, which only GnuPG reads"))
                .hint("export the keys: gpg --export KEY > FILE.gpg");
        }
        let binary = if armor::is_armored(bytes) {
            armor::decode(bytes, Kind::PublicKey, Around::Text)?
        } else {
            bytes.to_vec()
        };
        let packets = read_packets(&binary)?;
        let mut usable = 0;
        for group in packets.chunk_by(|_, next| next.tag != Tag::PublicKey) {
            match self.add_key(group) {
                Ok(()) => usable += 1,
                Err(why) => self.warnings.push(format!("{name}: a key is passed over: {why}")),
            }
        }
        Ok(usable)
    }

    fn add_key(&mut self, packets: &[Packet<'_>]) -> Result<()> {
        let Some((first, rest)) = packets.split_first() else { return Ok(()) };
        let mut certificate = Certificate::begin(*first)?;
        if !certificate.is_current() {
            bail!("it is of a version that is not used any more");
        }
        certificate.extend(rest);
        let fingerprint = certificate.fingerprint();
        match self.certificates.iter_mut().find(|c| c.fingerprint() == fingerprint) {
            Some(known) => known.join(certificate),
            None => self.certificates.push(certificate),
        }
        Ok(())
    }
}

/// Returns the key files of a directory by name.
fn key_files(directory: &Path) -> std::io::Result<BTreeMap<OsString, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let known = path.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known));
        // A link to /dev/null counts, a FIFO would block.
        let readable = fs::metadata(&path).is_ok_and(|m| m.is_file()) || is_masked(&path);
        if known && readable {
            files.insert(entry.file_name(), path);
        }
    }
    Ok(files)
}

fn is_masked(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null"))
}

fn read_packets(bytes: &[u8]) -> Result<Vec<Packet<'_>>> {
    let mut rest = bytes;
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let packet = match packets::take(&mut rest) {
            Ok(packet) => packet,
            Err(PacketError::NoPacket) if packets.is_empty() => bail!("it holds no OpenPGP key"),
            Err(e) => return Err(e.into()),
        };
        match packet.tag {
            Tag::Secret => {
                return Err(anyhow!("it holds a secret key"))
                    .hint("remove it from there at once; export the public key: gpg --export");
            }
            Tag::Ignored if packets.is_empty() => {}
            Tag::PublicKey => packets.push(packet),
            _ if packets.is_empty() => bail!("it holds no OpenPGP key"),
            _ => packets.push(packet),
        }
    }
    Ok(packets)
}
