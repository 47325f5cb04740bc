//! `push-container`: copies the container image of a build to a registry or elsewhere, with skopeo.
//! Decides with values where it goes, so that a wrong name is refused before anything is read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nestos_formats::builds::Meta;
use nestos_formats::disk_layout::Arch;
use nestos_formats::image_ref::RegistryName;
use nestos_host::cmd::Cmd;
use nestos_host::term::{self, WithHint};
use serde_json::json;

use crate::build::ARCHIVE;
use crate::cli::{Format, PushContainer, Transport};
use crate::container;
use crate::scratch;
use crate::workdir::WorkDir;

/// Key of meta.json: where the image was pushed to.
pub(crate) const PUSHED: &str = "base-oscontainer";

/// Where an image goes, as containers-transports(5) writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    /// A registry.
    Registry(RegistryName),
    /// Elsewhere.
    Other(String),
}

/// What names an image when the user does not.
#[derive(Debug)]
struct Defaults<'a> {
    name: &'a str,
    tag: &'a str,
    dir: &'a Path,
}

/// Pushes the image of a build.
pub(crate) fn push(workdir: &WorkDir, arch: Arch, args: &PushContainer) -> Result<()> {
    let _lock = workdir.lock()?;
    let mut meta = build_of(workdir, arch, args.build.as_deref())?;
    let dir = workdir.build_dir(&meta.buildid, &arch.to_string());
    let tag = container::tag(&meta.buildid, arch) + args.tag_suffix.as_deref().unwrap_or_default();
    let defaults = Defaults { name: &meta.name, tag: &tag, dir: &dir };
    let destination = destination(args.transport, args.name.as_deref(), &defaults)?;
    let artifact = meta.images.get(ARCHIVE);
    let missing = || anyhow!("build {} has no container image", meta.buildid);
    let archive = dir.join(&artifact.ok_or_else(missing).hint("run nosa build")?.path);
    let work = scratch::fresh(workdir.path("tmp/push"))?;
    let copied = copy(&archive, &destination, args, &work);
    scratch::remove(&work)?;
    let digest = copied?;
    let Destination::Registry(name) = destination else { return Ok(()) };
    let pushed = json!({ "image": name.to_string(), "digest": digest });
    meta.other.insert(PUSHED.to_owned(), pushed);
    workdir.write_meta(&meta, &arch.to_string())?;
    term::status(format!("pushed {digest}; on a machine that shall run it:"));
    term::result(format!("nestos-updater rebase ostree-unverified-registry:{name}"));
    Ok(())
}

fn build_of(workdir: &WorkDir, arch: Arch, id: Option<&str>) -> Result<Meta> {
    let arch = arch.to_string();
    let builds = workdir.builds()?;
    let mut of_arch = builds.builds.iter().filter(|b| b.arches.contains(&arch));
    let found = of_arch.find(|b| id.is_none_or(|id| b.id == id || id == "latest"));
    let missing = || match id {
        Some(id) => anyhow!("there is no build {id:?} for {arch}"),
        None => anyhow!("there is no build yet"),
    };
    let hint = if id.is_some() { "nosa list shows the builds" } else { "run nosa build first" };
    workdir.meta(&found.ok_or_else(missing).hint(hint)?.id, &arch)
}

/// Decides where the image goes.
fn destination(
    transport: Transport,
    name: Option<&str>,
    defaults: &Defaults<'_>,
) -> Result<Destination> {
    let tag = defaults.tag;
    let beside = |end: &str| {
        let path = defaults.dir.join(format!("{}-{tag}{end}", defaults.name));
        path.to_string_lossy().into_owned()
    };
    Ok(match transport {
        Transport::Docker => {
            let missing = || anyhow!("a registry needs the name of the image");
            let name = name.ok_or_else(missing).hint("nosa push-container HOST/NAME[:TAG]")?;
            Destination::Registry(registry_name(name, tag)?)
        }
        Transport::Dir => {
            let path = name.map_or_else(|| beside(".dir"), str::to_owned);
            Destination::Other(format!("dir:{}", absolute(&path)?))
        }
        Transport::Oci => {
            let named = name.map_or_else(|| (beside(".oci"), None), path_and_tag);
            let path = plain_path(&named.0)?;
            Destination::Other(format!("oci:{path}:{}", named.1.as_deref().unwrap_or(tag)))
        }
        Transport::DockerArchive => {
            let named = name.map_or_else(|| (beside(".docker.tar"), None), path_and_tag);
            let path = plain_path(&named.0)?;
            let tag = named.1.as_deref().unwrap_or(tag);
            let name = defaults.name.to_lowercase();
            Destination::Other(format!("docker-archive:{path}:{name}:{tag}"))
        }
        Transport::ContainersStorage | Transport::DockerDaemon => {
            let name = name.unwrap_or(defaults.name);
            let (name, given) = path_and_tag(name);
            let tag = given.as_deref().unwrap_or(tag);
            let prefix = match transport {
                Transport::DockerDaemon => "docker-daemon",
                _ => "containers-storage",
            };
            Destination::Other(format!("{prefix}:{name}:{tag}"))
        }
    })
}

/// Reads `HOST[:PORT]/NAME[:TAG]`.
fn registry_name(text: &str, tag: &str) -> Result<RegistryName> {
    let text = text.strip_prefix("docker://").unwrap_or(text);
    let name: RegistryName = text.parse()?;
    // Container engines take a first word without these for a part of the name on Docker Hub.
    if !name.host.contains(['.', ':']) && name.host != "localhost" {
        return Err(anyhow!("{text:?} names no registry: {:?} is no host", name.host))
            .hint("a host has a dot or a port, such as registry.example.com or myhost:5000");
    }
    if name.digest.is_some() {
        return Err(anyhow!("{text:?} has a digest, which only the image itself decides"))
            .hint("leave out what begins with @");
    }
    if name.tag.is_some() { Ok(name) } else { Ok(format!("{name}:{tag}").parse()?) }
}

/// Splits `PATH[:TAG]`; a colon before a slash belongs to the path.
fn path_and_tag(text: &str) -> (String, Option<String>) {
    match text.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path.to_owned(), Some(tag.to_owned())),
        _ => (text.to_owned(), None),
    }
}

/// Returns the absolute path, if it can stand before a colon.
fn plain_path(path: &str) -> Result<String> {
    let path = absolute(path)?;
    if path.contains(':') {
        return Err(anyhow!("{path:?} has a colon, behind which skopeo would look for a tag"))
            .hint("choose another path");
    }
    Ok(path)
}

fn absolute(path: &str) -> Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("{path:?} is no path"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Copies the image and returns the digest of its manifest there.
fn copy(
    archive: &Path,
    destination: &Destination,
    args: &PushContainer,
    work: &Path,
) -> Result<String> {
    let digest_file = work.join("digest");
    let to = match destination {
        Destination::Registry(name) => format!("docker://{name}"),
        Destination::Other(to) => to.clone(),
    };
    // What this program built is not to be checked against signatures.
    let mut cmd = Cmd::new("skopeo")
        .when_missing("install the package skopeo")
        .args(["copy", "--quiet", "--insecure-policy", "--digestfile"])
        .arg(&digest_file);
    // An empty REGISTRY_AUTH_FILE is none.
    if let Some(file) = args.authfile.as_ref().filter(|file| !file.as_os_str().is_empty()) {
        cmd = cmd.arg("--dest-authfile").arg(readable(file)?);
    }
    if args.insecure {
        cmd = cmd.arg("--dest-tls-verify=false");
    }
    if let Some(format) = args.format {
        cmd = cmd.args(["--format", format.name()]);
    }
    term::status(format!("pushing {} to {to}", archive.display()));
    let (dir, file) = (archive.parent().unwrap_or(archive), archive.file_name());
    // skopeo unpacks the archive first; the working directory has room, /var/tmp may not. It is
    // started beside the archive, because a path in its arguments must not have a colon.
    let done = cmd
        .env("TMPDIR", work)
        .cwd(dir)
        .arg(format!("oci-archive:{}", file.unwrap_or_default().to_string_lossy()))
        .arg(&to)
        .run()
        .with_context(|| format!("cannot push to {to}"));
    match (done, destination) {
        (Err(err), Destination::Registry(name)) => return explained(err, name),
        (done, _) => done?,
    }
    let digest = std::fs::read_to_string(&digest_file)
        .with_context(|| format!("skopeo wrote no {}", digest_file.display()))?;
    Ok(digest.trim().to_owned())
}

fn readable(file: &Path) -> Result<PathBuf> {
    std::fs::File::open(file)
        .with_context(|| format!("cannot read the credentials in {}", file.display()))
        .hint("skopeo login --authfile FILE HOST makes such a file")?;
    std::path::absolute(file).with_context(|| format!("{} is no path", file.display()))
}

/// Adds what usually helps to a registry's refusal.
fn explained(err: anyhow::Error, name: &RegistryName) -> Result<String> {
    let text = format!("{err:#}");
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    let failed = Err(err);
    if has(&["unauthorized", "authentication required", "denied"]) {
        failed.hint(format!("skopeo login --authfile FILE {}, then --authfile FILE", name.host))
    } else if has(&["server gave HTTP response to HTTPS client", "x509:", "certificate"]) {
        failed.hint("a registry without a certificate that this host trusts takes --insecure")
    } else {
        failed
    }
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Oci => "oci",
            Self::V2s2 => "v2s2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(transport: Transport, name: Option<&str>) -> Result<String> {
        let dir = Path::new("/b");
        let decided = destination(transport, name, &Defaults { name: "Os", tag: "1-a", dir })?;
        Ok(match decided {
            Destination::Registry(name) => name.to_string(),
            Destination::Other(to) => to,
        })
    }

    #[test]
    fn ports_and_tags_are_told_apart() {
        for (name, expected) in [
            ("h:5000/os", "h:5000/os:1-a"),
            ("h:5000/a/os:t", "h:5000/a/os:t"),
            ("localhost/os", "localhost/os:1-a"),
            ("docker://r.example/os", "r.example/os:1-a"),
        ] {
            assert_eq!(decide(Transport::Docker, Some(name)).unwrap(), expected);
        }
    }

    #[test]
    fn names_that_are_no_place_in_a_registry_are_refused() {
        let digest = format!("h.x/os@sha256:{}", "a".repeat(64));
        for (name, message) in [
            ("os", "no image name such as HOST/REPOSITORY:TAG: there is no host"),
            ("me/os", "names no registry: \"me\" is no host"),
            ("h.x/Os", "the repository has characters that no repository has"),
            (digest.as_str(), "has a digest"),
        ] {
            let err = decide(Transport::Docker, Some(name)).unwrap_err();
            assert!(format!("{err:#}").contains(message), "{err:#}");
        }
        let err = decide(Transport::Docker, None).unwrap_err();
        assert_eq!(err.root_cause().to_string(), "a registry needs the name of the image");
    }

    #[test]
    fn other_places_are_paths_or_have_a_default() {
        for (transport, name, expected) in [
            (Transport::Dir, Some("/x/a:b"), "dir:/x/a:b"),
            (Transport::Dir, None, "dir:/b/Os-1-a.dir"),
            (Transport::Oci, Some("/x/y"), "oci:/x/y:1-a"),
            (Transport::Oci, Some("/x/y:t"), "oci:/x/y:t"),
            (Transport::DockerArchive, Some("/x/y.tar"), "docker-archive:/x/y.tar:os:1-a"),
            (Transport::DockerArchive, None, "docker-archive:/b/Os-1-a.docker.tar:os:1-a"),
            (Transport::ContainersStorage, Some("h:1/os"), "containers-storage:h:1/os:1-a"),
            (Transport::DockerDaemon, Some("os:t"), "docker-daemon:os:t"),
        ] {
            assert_eq!(decide(transport, name).unwrap(), expected);
        }
        assert!(decide(Transport::Oci, Some("/a:b/c")).is_err());
    }
}
