//! Installing with mmdebstrap from a flat repository made of exactly the locked files: no network,
//! and the same lock gives the same packages.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_host::cmd::Cmd;
use nestos_host::term::WithHint;
use sha2::{Digest, Sha256};

use super::apt::{archives, stanzas};
use super::{Lock, Request};
use crate::chroot::confined;
use crate::digest::sha256_of;

/// What `documentation: false` leaves out.
const DOCUMENTATION: [&str; 5] = [
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/lintian",
];

/// Installs the lock into `root`, which must not exist.
pub(super) fn install(request: &Request, lock: &Lock, cache: &Path, root: &Path) -> Result<()> {
    let pool = std::path::absolute(cache.join("pool"))?;
    let suite = request.sources.first().and_then(|s| s.suites.first());
    let suite = suite.ok_or_else(|| anyhow!("no suite is configured"))?;
    Cmd::new("mmdebstrap").arg("--version").when_missing("install the package mmdebstrap").run()?;
    make_pool(request, lock, cache, &pool, suite)?;
    let mut cmd = confined(&["--mount-proc"])
        .named("mmdebstrap")
        .arg("mmdebstrap")
        // The initramfs is made once, later, with the whole tree in place.
        .env("INITRD", "No")
        .env("SOURCE_DATE_EPOCH", "0")
        .args(["--mode=root", "--variant=essential", "--format=directory"])
        .arg(format!("--aptopt=APT::Install-Recommends \"{}\"", request.recommends))
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Sandbox::User \"root\""]);
    if !request.documentation {
        cmd = cmd.args(DOCUMENTATION.map(|p| format!("--dpkgopt=path-exclude={p}/*")));
    }
    cmd.arg(format!("--include={}", request.packages.join(",")))
        .arg(suite)
        .arg(root)
        .arg(format!("deb [trusted=yes] copy://{} ./", quoted(&pool)))
        .log(cache.join("mmdebstrap.log"))
        .run()
        .context("cannot install the packages")
}

/// Returns the files that dpkg lists for a package, of any architecture.
pub(super) fn files_of(root: &Path, package: &str) -> Result<Vec<String>> {
    let info = root.join("var/lib/dpkg/info");
    let list = fs::read_dir(&info).with_context(|| format!("cannot list {}", info.display()))?;
    for entry in list {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".list") else { continue };
        if stem.split(':').next() == Some(package) {
            let path = info.join(&name);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(text.lines().map(str::to_owned).collect());
        }
    }
    Err(anyhow!("remove-from-packages names {package:?}, which is not installed"))
}

/// Quotes a path for a line of sources.list(5), where a blank ends the address.
fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let quote = |b: &u8| {
        let plain = b.is_ascii_alphanumeric() || b"/-_.~".contains(b);
        if plain { char::from(*b).to_string() } else { format!("%{b:02x}") }
    };
    bytes.map(quote).collect()
}

/// Makes the flat repository. apt checked each file when it was downloaded; the cache may have been
/// damaged since, so each is checked against the lock again.
fn make_pool(request: &Request, lock: &Lock, cache: &Path, pool: &Path, suite: &str) -> Result<()> {
    if pool.exists() {
        fs::remove_dir_all(pool).with_context(|| format!("cannot remove {}", pool.display()))?;
    }
    fs::create_dir_all(pool).with_context(|| format!("cannot create {}", pool.display()))?;
    for p in &lock.packages {
        let source = archives(cache).join(&p.file);
        let found = sha256_of(&source).hint("run nosa fetch")?;
        if found != p.sha256 {
            fs::remove_file(&source)
                .with_context(|| format!("cannot remove the damaged {}", source.display()))?;
            return Err(anyhow!(
                "{} is damaged (its digest is {found}, not {}) and was removed",
                source.display(),
                p.sha256
            ))
            .hint("run nosa fetch");
        }
        fs::hard_link(&source, pool.join(&p.file))
            .with_context(|| format!("cannot link {}", source.display()))?;
    }
    let index = stanzas(request, lock, cache)?;
    let digest = format!("{:x}", Sha256::digest(index.as_bytes()));
    let release = format!(
        "Origin: nosa\nSuite: {suite}\nCodename: {suite}\nSHA256:\n {digest} {} Packages\n",
        index.len()
    );
    fs::write(pool.join("Packages"), index).context("cannot write the package index")?;
    fs::write(pool.join("Release"), release).context("cannot write the release file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_an_address_are_quoted() {
        assert_eq!(quoted(Path::new("/a b/c%[d].e~1")), "/a%20b/c%25%5bd%5d.e~1");
    }
}
