//! The files and options that were given, read and checked before an image is touched.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::console::Console;
use nestos_formats::kargs::{Karg, KernelArgs};
use nestos_host::term::{self, WithHint};

use crate::cli::CustomizeArgs;
use crate::config::{CheckedConfig, ConfigSource, Loading};
use crate::fetch::Retries;
use crate::selector::DeviceSpec;

/// Most bytes of a file: the area for all of them is smaller.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// A file with its name; never printed with its content, which may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenFile {
    /// Its name, without directories.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for GivenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GivenFile({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// What a medium is given.
#[derive(Debug, Default)]
pub struct Given {
    /// Configs for the installed system.
    pub dest: Vec<CheckedConfig>,
    /// The disk.
    pub device: Option<DeviceSpec>,
    /// Consoles of the installed system.
    pub consoles: Vec<Console>,
    /// Kernel arguments to add there.
    pub append: Vec<Karg>,
    /// Kernel arguments to remove there.
    pub delete: Vec<Karg>,
    /// Keyfiles of NetworkManager.
    pub keyfiles: Vec<GivenFile>,
    /// Certificates that Ignition trusts.
    pub authorities: Vec<GivenFile>,
    /// Scripts to run before the installation.
    pub before: Vec<GivenFile>,
    /// Scripts to run after it.
    pub after: Vec<GivenFile>,
    /// Option files.
    pub options: Vec<GivenFile>,
    /// Configs for the live system.
    pub live: Vec<CheckedConfig>,
}

impl Given {
    /// Reads all files.
    pub fn read(args: CustomizeArgs) -> Result<Self> {
        if let Some(path) = args.network_nmstate.first() {
            let path = path.display();
            return Err(anyhow!("{path} is of nmstate, which nothing here can convert")).hint(
                format!(
                    "write keyfiles with `nmstatectl gc {path}`, and give them by --network-keyfile"
                ),
            );
        }
        let appended: KernelArgs = args.dest_karg_append.iter().cloned().collect();
        appended.check_length()?;
        Ok(Self {
            dest: configs(&args.dest_ignition)?,
            device: args.dest_device,
            consoles: args.dest_console,
            append: args.dest_karg_append,
            delete: args.dest_karg_delete,
            keyfiles: keyfiles(&args.network_keyfile)?,
            authorities: authorities(&args.ignition_ca)?,
            before: unique(&args.pre_install, "unit pre-install")?,
            after: unique(&args.post_install, "unit post-install")?,
            options: args.installer_config.iter().map(|p| read(p)).collect::<Result<_>>()?,
            live: configs(&args.live_ignition)?,
        })
    }

    /// Returns whether the medium installs without a question.
    pub fn installs(&self) -> bool {
        self.has_options() || !self.options.is_empty()
    }

    /// Returns whether there are options for the installer besides option files.
    pub(super) fn has_options(&self) -> bool {
        !self.dest.is_empty()
            || self.device.is_some()
            || !self.consoles.is_empty()
            || !self.append.is_empty()
            || !self.delete.is_empty()
    }
}

/// Reads keyfiles; the name of each is that of the file in the system.
pub fn keyfiles(paths: &[PathBuf]) -> Result<Vec<GivenFile>> {
    let files = unique(paths, "keyfile")?;
    for file in &files {
        if !file.name.ends_with(".nmconnection") {
            term::warning(format!(
                "NetworkManager reads no keyfile called {}: its name has to end in .nmconnection",
                file.name
            ));
        }
        let text = String::from_utf8_lossy(&file.bytes);
        if !text.lines().any(|line| line.trim() == "[connection]") {
            term::warning(format!("{} has no section [connection]", file.name));
        }
    }
    Ok(files)
}

/// Reads a file, and names it.
pub fn read(path: &Path) -> Result<GivenFile> {
    let read = || -> Result<GivenFile> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.context("it has no name in UTF-8")?.to_owned();
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            bail!("it is longer than {} MiB", LARGEST / 1024 / 1024);
        }
        Ok(GivenFile { name, bytes })
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

fn unique(paths: &[PathBuf], what: &str) -> Result<Vec<GivenFile>> {
    let files: Vec<GivenFile> = paths.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let mut names = BTreeSet::new();
    match files.iter().find(|file| !names.insert(file.name.as_str())) {
        Some(file) => bail!("config already specifies {what} {}", file.name),
        None => Ok(files),
    }
}

fn configs(paths: &[PathBuf]) -> Result<Vec<CheckedConfig>> {
    let loading = Loading { retries: Retries::Finite(0), hash: None };
    paths
        .iter()
        .map(|path| CheckedConfig::load(&ConfigSource::File(path.clone()), loading))
        .collect::<Result<_>>()
        .context("parsing Ignition config")
}

fn authorities(paths: &[PathBuf]) -> Result<Vec<GivenFile>> {
    let files: Vec<GivenFile> = paths.iter().map(|path| read(path)).collect::<Result<_>>()?;
    for file in &files {
        let text = String::from_utf8_lossy(&file.bytes);
        if text.contains("PRIVATE KEY-----") {
            bail!("{} holds a private key, which has no place in a medium", file.name);
        }
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err(anyhow!("{} holds no certificate in PEM", file.name))
                .hint("convert it with: openssl x509 -inform der -in FILE -out FILE.pem");
        }
    }
    Ok(files)
}
