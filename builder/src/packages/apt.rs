//! Resolving and downloading with apt, in a state directory of our own: the host's packages and
//! sources have no say, its proxy settings do. apt checks signatures and digests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nestos_formats::disk_layout::Arch;
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;

use super::{Lock, LockedPackage, Request};

/// apt with its state below one directory.
#[derive(Debug)]
pub(super) struct Apt {
    dir: PathBuf,
    options: Vec<String>,
}

/// Returns the directory that holds downloaded packages.
pub(super) fn archives(cache: &Path) -> PathBuf {
    cache.join("debs")
}

/// Resolves, downloads, and returns what was resolved.
pub(super) fn fetch(request: &Request, cache: &Path) -> Result<Lock> {
    let apt = Apt::new(request, cache)?;
    apt.run("apt-get")
        // Without this, a mirror that cannot be reached is only a warning.
        .args(["-q", "update", "--error-on=any"])
        .log(apt.dir.join("update.log"))
        .run()
        .hint("check that the mirror is reachable; --mirror names another one")?;
    // --print-uris leaves out what is downloaded already, so it must not see the cache.
    let unseen = format!("Dir::Cache::Archives={}", apt.dir.join("none").display());
    let listed = listed(apt.install(request).args(["-q", "--print-uris", "-o", &unseen])).hint(
        "the names come from \"packages\" and \"exclude-packages\" in the manifest, the \
         repositories from *.sources",
    )?;
    let lines = listed.lines().filter(|line| line.starts_with('\''));
    let packages = lines.map(locked).collect::<Result<Vec<_>>>()?;
    if packages.is_empty() {
        bail!("apt resolved the request to no package at all");
    }
    apt.install(request)
        .args(["-qq", "--download-only"])
        .log(apt.dir.join("download.log"))
        .run()
        .context("cannot download the packages")?;
    let mut packages = packages;
    packages.sort();
    Ok(Lock { request: request.digest(), packages })
}

/// Returns the control stanzas (deb822, blank line between) of the locked packages, with
/// `Filename` set to the file in the cache.
pub(super) fn stanzas(request: &Request, lock: &Lock, cache: &Path) -> Result<String> {
    let apt = Apt::new(request, cache)?;
    let names = lock.packages.iter().map(|p| format!("{}={}", p.name, p.version));
    let shown = apt.run("apt-cache").arg("show").args(names).output()?;
    let mut index = String::new();
    for p in &lock.packages {
        let stanza = shown
            .split("\n\n")
            .find(|s| field(s, "Package") == Some(&p.name) && field(s, "SHA256") == Some(&p.sha256))
            .ok_or_else(|| anyhow!("apt no longer knows {} {}", p.name, p.version))
            .hint("run nosa fetch")?;
        for line in stanza.lines().filter(|l| !l.is_empty()) {
            if line.starts_with("Filename:") {
                index.push_str(&format!("Filename: ./{}\n", p.file));
            } else {
                index.push_str(line);
                index.push('\n');
            }
        }
        index.push('\n');
    }
    Ok(index)
}

impl Apt {
    fn new(request: &Request, cache: &Path) -> Result<Self> {
        let dir = std::path::absolute(cache.join("apt"))?;
        let archives = std::path::absolute(archives(cache))?;
        for sub in
            ["sources.d", "preferences.d", "state/lists/partial", "cache", "log", "none/partial"]
        {
            let path = dir.join(sub);
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        fs::create_dir_all(archives.join("partial"))
            .with_context(|| format!("cannot create {}", archives.display()))?;
        let sources: Vec<String> = request.sources.iter().map(|s| s.to_deb822()).collect();
        write(&dir.join("sources.d/config.sources"), &sources.join("\n"))?;
        let pins = request.exclude.iter();
        let pins = pins.map(|p| format!("Package: {p}\nPin: release *\nPin-Priority: -1\n\n"));
        write(&dir.join("preferences.d/excluded.pref"), &pins.collect::<String>())?;
        write(&dir.join("status"), "")?;
        let arch = match request.arch {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        };
        let d = dir.display();
        let options = vec![
            "Dir::Etc::SourceList=/dev/null".to_owned(),
            format!("Dir::Etc::SourceParts={d}/sources.d"),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            format!("Dir::Etc::PreferencesParts={d}/preferences.d"),
            format!("Dir::State={d}/state"),
            format!("Dir::State::Status={d}/status"),
            format!("Dir::Cache={d}/cache"),
            format!("Dir::Cache::Archives={}", archives.display()),
            format!("Dir::Log={d}/log"),
            format!("APT::Architecture={arch}"),
            format!("APT::Architectures={arch}"),
            format!("APT::Install-Recommends={}", request.recommends),
            "APT::Sandbox::User=root".to_owned(),
            // Which digest --print-uris prints.
            "Acquire::ForceHash=SHA256".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        Ok(Self { dir, options })
    }

    fn run(&self, program: &str) -> Cmd {
        let options = self.options.iter().flat_map(|o| ["-o", o.as_str()]);
        Cmd::new(program).env("LC_ALL", "C").args(options).when_missing("this back end needs apt")
    }

    fn install(&self, request: &Request) -> Cmd {
        self.run("apt-get").args(["--yes", "install", "?essential"]).args(&request.packages)
    }
}

/// Returns what apt lists. What packages need and do not get, it prints on stdout, and not with -qq.
fn listed(apt: Cmd) -> Result<String> {
    let done = apt.finish()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if done.status.success() {
        return Ok(text(&done.stdout));
    }
    let said = format!("{}\n{}", text(&done.stdout), text(&done.stderr));
    let lines = said.lines().filter(|line| !line.trim().is_empty() && !line.ends_with("..."));
    let said: String = lines.map(|line| format!("\n    {line}")).collect();
    bail!("apt cannot resolve the packages:{said}")
}

/// Reads a line of `--print-uris`: `'URI' FILE SIZE SHA256:HEX`.
fn locked(line: &str) -> Result<LockedPackage> {
    let read = || {
        let mut words = line.split(' ').rev();
        let (digest, _size, file) = (words.next()?, words.next()?, words.next()?);
        let (name, rest) = file.split_once('_')?;
        let (version, _arch) = rest.split_once('_')?;
        Some(LockedPackage {
            name: name.to_owned(),
            version: version.replace("%3a", ":"),
            file: file.to_owned(),
            sha256: digest.strip_prefix("SHA256:")?.to_owned(),
        })
    };
    read().ok_or_else(|| anyhow!("cannot understand apt's answer {line:?}"))
}

fn field<'a>(stanza: &'a str, key: &str) -> Option<&'a str> {
    stanza.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))
}

fn write(path: &Path, text: &str) -> Result<()> {
    nestos_host::atomic::write(path, text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_an_epoch_are_unescaped() {
        let line = "'http://m.example/d/pool/x/dbus_1%253a1.2-3_amd64.deb' \
                    dbus_1%3a1.2-3_amd64.deb 1234 SHA256:00ff";
        let p = locked(line).unwrap();
        assert_eq!((p.name.as_str(), p.version.as_str()), ("dbus", "1:1.2-3"));
        assert_eq!(p.file, "dbus_1%3a1.2-3_amd64.deb");
        assert_eq!(p.sha256, "00ff");
        assert!(locked("'u' x_1_a.deb 12 MD5Sum:00").is_err());
    }
}
