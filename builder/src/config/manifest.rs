//! `manifest.yaml`: what goes into the root file system. The keys are those of rpm-ostree's
//! treefile, as nestos-config uses them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use nestos_formats::disk_layout::Arch;
use nestos_host::term;

use super::reader::{self, Reader, expand};

/// Keys with an effect here.
const KEYS: [&str; 25] = [
    "include",
    "arch-include",
    "variables",
    "packages",
    "packages-x86_64",
    "packages-aarch64",
    "exclude-packages",
    "recommends",
    "documentation",
    "remove-files",
    "remove-from-packages",
    "postprocess",
    "ostree-layers",
    "ostree-override-layers",
    "default-target",
    "releasever",
    "rojig",
    "ref",
    "automatic-version-prefix",
    "lockfile-repos",
    "initramfs-args",
    "container-cmd",
    "boot-location",
    "tmp-is-dir",
    "machineid-compat",
];

/// Treefile keys that are understood and have no effect on what this builder makes.
const WITHOUT_EFFECT: [&str; 21] = [
    "repos",
    "repo-packages",
    "etc-group-members",
    "check-passwd",
    "check-groups",
    "ignore-removed-users",
    "ignore-removed-groups",
    "rpmdb",
    "rpmdb-normalize",
    "mutate-os-release",
    "add-commit-metadata",
    "install-langs",
    "selinux",
    "selinux-label-version",
    "edition",
    "sysusers",
    "opt-usrlocal",
    "preserve-passwd",
    "gpg-key",
    "cliwrap",
    "readonly-executables",
];

/// Name and summary of the OS (`rojig`, or by the guide's misprint `rolij`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rojig {
    /// Name: the first part of every artifact's file name, and the stateroot.
    pub(crate) name: String,
    /// One line of description.
    pub(crate) summary: String,
}

/// Files to remove that a package brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageFiles {
    /// Name of the package.
    pub(crate) package: String,
    /// Regular expressions over absolute paths.
    pub(crate) patterns: Vec<String>,
}

/// A manifest with its includes merged and its variables expanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Packages to install, for the architecture at hand.
    pub(crate) packages: BTreeSet<String>,
    /// Packages that must not be installed.
    pub(crate) exclude_packages: BTreeSet<String>,
    /// Whether weak dependencies are installed.
    pub(crate) recommends: bool,
    /// Whether documentation is installed.
    pub(crate) documentation: bool,
    /// Files and directories to remove, relative to the root.
    pub(crate) remove_files: Vec<String>,
    /// Files of packages to remove.
    pub(crate) remove_from_packages: Vec<PackageFiles>,
    /// Scripts to run in the tree, in order.
    pub(crate) postprocess: Vec<String>,
    /// Overlays that may not change what packages brought.
    pub(crate) layers: Vec<String>,
    /// Overlays that may.
    pub(crate) override_layers: Vec<String>,
    /// What the system boots into.
    pub(crate) default_target: Option<String>,
    /// Release of the OS.
    pub(crate) releasever: String,
    /// Name and summary.
    pub(crate) rojig: Rojig,
    /// Ref of the commit.
    pub(crate) ref_name: String,
    /// First part of each version.
    pub(crate) version_prefix: String,
    /// Extra arguments for dracut.
    pub(crate) initramfs_args: Vec<String>,
    /// What the image runs as a container.
    pub(crate) container_cmd: Vec<String>,
    /// Repositories to use, by name; all when empty.
    pub(crate) repos: Vec<String>,
    /// The files that were read, for the inputs' digest.
    pub(crate) files: Vec<PathBuf>,
}

/// A manifest file and what it includes, merged; nothing is required yet.
#[derive(Debug, Default)]
struct Fragment {
    manifest: Manifest,
    recommends: Option<bool>,
    documentation: Option<bool>,
    releasever: Option<String>,
    rojig: Option<Rojig>,
    ref_name: Option<String>,
    version_prefix: Option<String>,
    variables: BTreeMap<String, String>,
}

/// Reads the manifest at `path` for `arch`.
pub(crate) fn load(path: &Path, arch: Arch) -> Result<Manifest> {
    let mut seen = BTreeSet::new();
    read(path, arch, &mut seen)?.finished(path, arch)
}

fn read(path: &Path, arch: Arch, seen: &mut BTreeSet<PathBuf>) -> Result<Fragment> {
    let real = path.canonicalize().map_err(|e| anyhow!("cannot read {}: {e}", path.display()))?;
    if !seen.insert(real.clone()) {
        bail!("{} is included twice", path.display());
    }
    let root = reader::load(path)?;
    let reader = Reader::new(path, &root);
    let mut own = Fragment::default();
    own.manifest.files.push(real);
    let mut includes = Vec::new();
    for (key, value) in reader.entries()? {
        match key {
            "include" => includes.extend(include_paths(&value)?),
            "arch-include" => {
                for (name, list) in value.entries()? {
                    if name == arch.to_string() {
                        includes.extend(include_paths(&list)?);
                    }
                }
            }
            _ => own.set(key, &value, arch)?,
        }
    }
    let mut merged = Fragment::default();
    for include in includes {
        // Of several includes, the later one's scripts run before the earlier one's.
        merged = read(&include, arch, seen)?.then(merged);
    }
    Ok(merged.then(own))
}

fn include_paths(value: &Reader<'_>) -> Result<Vec<PathBuf>> {
    Ok(value.text_or_texts()?.iter().map(|name| value.path_beside(name)).collect())
}

impl Fragment {
    fn set(&mut self, key: &str, value: &Reader<'_>, arch: Arch) -> Result<()> {
        let m = &mut self.manifest;
        match key {
            "variables" => {
                for (name, v) in value.entries()? {
                    self.variables.insert(name.to_owned(), v.text()?);
                }
            }
            "packages" => m.packages.extend(package_names(value)?),
            "packages-x86_64" if arch == Arch::X86_64 => m.packages.extend(package_names(value)?),
            "packages-aarch64" if arch == Arch::Aarch64 => m.packages.extend(package_names(value)?),
            "packages-x86_64" | "packages-aarch64" => drop(package_names(value)?),
            "exclude-packages" => m.exclude_packages.extend(package_names(value)?),
            "recommends" => self.recommends = Some(value.boolean()?),
            "documentation" => self.documentation = Some(value.boolean()?),
            "remove-files" => m.remove_files.extend(relative_paths(value)?),
            "remove-from-packages" => m.remove_from_packages.extend(package_files(value)?),
            "postprocess" => m.postprocess.extend(value.texts()?),
            "ostree-layers" => m.layers.extend(value.texts()?),
            "ostree-override-layers" => m.override_layers.extend(value.texts()?),
            "default-target" => m.default_target = Some(value.text()?),
            "releasever" => self.releasever = Some(value.text()?),
            "rojig" | "rolij" => self.rojig = Some(rojig(value)?),
            "ref" => self.ref_name = Some(value.text()?),
            "automatic-version-prefix" => self.version_prefix = Some(value.text()?),
            "initramfs-args" => m.initramfs_args.extend(value.texts()?),
            "container-cmd" => m.container_cmd = value.texts()?,
            "lockfile-repos" => m.repos.extend(value.texts()?),
            "boot-location" => require(value, "modules", &value.text()?)?,
            "tmp-is-dir" | "machineid-compat" => drop(value.boolean()?),
            other => unused(value, other)?,
        }
        Ok(())
    }

    /// Merges `child` over `self`: its scalars win, its lists follow.
    fn then(mut self, child: Self) -> Self {
        let (m, c) = (&mut self.manifest, child.manifest);
        m.packages.extend(c.packages);
        m.exclude_packages.extend(c.exclude_packages);
        m.remove_files.extend(c.remove_files);
        m.remove_from_packages.extend(c.remove_from_packages);
        m.postprocess.extend(c.postprocess);
        m.layers.extend(c.layers);
        m.override_layers.extend(c.override_layers);
        m.initramfs_args.extend(c.initramfs_args);
        m.repos.extend(c.repos);
        m.files.extend(c.files);
        m.default_target = c.default_target.or(m.default_target.take());
        if !c.container_cmd.is_empty() {
            m.container_cmd = c.container_cmd;
        }
        self.variables.extend(child.variables);
        Self {
            recommends: child.recommends.or(self.recommends),
            documentation: child.documentation.or(self.documentation),
            releasever: child.releasever.or(self.releasever),
            rojig: child.rojig.or(self.rojig),
            ref_name: child.ref_name.or(self.ref_name),
            version_prefix: child.version_prefix.or(self.version_prefix),
            ..self
        }
    }

    fn finished(self, path: &Path, arch: Arch) -> Result<Manifest> {
        let missing = |key: &str| anyhow!("{}: the key {key:?} is required", path.display());
        let releasever = self.releasever.unwrap_or_default();
        let value_of = |name: &str| match name {
            "releasever" => Some(releasever.clone()),
            "basearch" => Some(arch.to_string()),
            other => self.variables.get(other).cloned(),
        };
        let rojig = self.rojig.filter(|r| !r.name.is_empty());
        let mut manifest = self.manifest;
        manifest.rojig = rojig.ok_or_else(|| missing("rojig.name"))?;
        check_name(&manifest.rojig.name)?;
        manifest.ref_name = expand(&self.ref_name.ok_or_else(|| missing("ref"))?, value_of)?;
        let prefix = self.version_prefix.ok_or_else(|| missing("automatic-version-prefix"))?;
        manifest.version_prefix = expand(&prefix, value_of)?;
        manifest.recommends = self.recommends.unwrap_or(false);
        manifest.documentation = self.documentation.unwrap_or(true);
        manifest.releasever = releasever;
        if manifest.packages.is_empty() {
            return Err(missing("packages"));
        }
        Ok(manifest)
    }
}

/// The name becomes file names, a stateroot and a kernel argument.
fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.chars().all(fine) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    bail!("rojig.name {name:?} may hold only letters, digits, \"-\", \"_\" and \".\"")
}

fn unused(value: &Reader<'_>, key: &str) -> Result<()> {
    if WITHOUT_EFFECT.contains(&key) {
        term::warning(value.error(&format!("the key {key:?} has no effect in this builder")));
        return Ok(());
    }
    Err(value.unknown_key(key, &[&KEYS[..], &WITHOUT_EFFECT[..]].concat()))
}

fn require(value: &Reader<'_>, only: &str, found: &str) -> Result<()> {
    if found == only { Ok(()) } else { Err(value.error(&format!("only {only:?} is supported"))) }
}

/// Items may hold several names; a version condition is the package tools' business, not ours.
fn package_names(value: &Reader<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in value.items()? {
        for name in item.text()?.split_whitespace() {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-+._:~=/".contains(c);
            if !name.chars().all(fine) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(item.error(&format!("{name:?} is no package name")));
            }
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn relative_paths(value: &Reader<'_>) -> Result<Vec<String>> {
    let items = value.items()?;
    let checked = items.iter().map(|item| {
        let text = item.text()?;
        let path = Path::new(text.trim_start_matches('/'));
        let inside = path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if path.as_os_str().is_empty() || !inside {
            return Err(item.error(&format!("{text:?} must be a path inside the root")));
        }
        Ok(path.to_string_lossy().into_owned())
    });
    checked.collect()
}

fn package_files(value: &Reader<'_>) -> Result<Vec<PackageFiles>> {
    let items = value.items()?;
    let rules = items.iter().map(|item| {
        let mut words = item.texts()?.into_iter();
        let package = words.next().ok_or_else(|| item.error("a package name is missing"))?;
        let patterns: Vec<String> = words.collect();
        for pattern in &patterns {
            regex::Regex::new(pattern).map_err(|e| item.error(&e.to_string()))?;
        }
        Ok(PackageFiles { package, patterns })
    });
    rules.collect()
}

fn rojig(value: &Reader<'_>) -> Result<Rojig> {
    let mut rojig = Rojig::default();
    for (key, v) in value.entries()? {
        match key {
            "name" => rojig.name = v.text()?,
            "summary" => rojig.summary = v.text()?,
            "license" => drop(v.text()?),
            other => return Err(v.unknown_key(other, &["name", "summary", "license"])),
        }
    }
    Ok(rojig)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(dir: &Path, name: &str, text: &str) {
        fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs::write(dir.join(name), text).unwrap();
    }

    #[test]
    fn includes_are_merged_child_last_and_variables_expanded() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            "manifest.yaml",
            "include: [manifests/a.yaml, manifests/b.yaml]\nreleasever: \"1.0\"\n\
             ref: os/${basearch}/${stream}\nvariables: {stream: stable}\n\
             rojig: {name: nestos, summary: s, license: MIT}\n\
             automatic-version-prefix: \"${releasever}.<date:%Y%m%d>\"\n\
             postprocess: [own]\npackages: [a b]\n",
        );
        write(
            dir.path(),
            "manifests/a.yaml",
            "postprocess: [first]\npackages-x86_64: [x]\npackages-aarch64: [y]\ndefault-target: a.target\n",
        );
        write(dir.path(), "manifests/b.yaml", "postprocess: [second]\ndefault-target: b.target\n");
        let m = load(&dir.path().join("manifest.yaml"), Arch::X86_64).unwrap();
        assert_eq!(m.packages.iter().collect::<Vec<_>>(), ["a", "b", "x"]);
        assert_eq!(m.postprocess, ["second", "first", "own"]);
        assert_eq!(m.ref_name, "os/x86_64/stable");
        assert_eq!(m.version_prefix, "1.0.<date:%Y%m%d>");
        assert_eq!(m.rojig.name, "nestos");
    }

    #[test]
    fn mistakes_are_placed() {
        let base = "rojig: {name: n}\nref: r\nautomatic-version-prefix: p\npackages: [a]\n";
        for (text, message) in [
            (
                "pakages: [a]\n",
                "manifest.yaml:5:1: unknown key \"pakages\"; did you mean \"packages\"?",
            ),
            (
                "remove-files: [../x]\n",
                "manifest.yaml:5:16: \"../x\" must be a path inside the root",
            ),
            ("remove-from-packages: [[p, \"(\"]]\n", "manifest.yaml:5:24: regex parse error"),
            ("include: manifest.yaml\n", "is included twice"),
            ("recommends: maybe\n", "expected true or false, found a scalar"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), "manifest.yaml", &format!("{base}{text}"));
            let err = load(&dir.path().join("manifest.yaml"), Arch::X86_64).unwrap_err();
            assert!(format!("{err:#}").contains(message), "{err:#}");
        }
    }

    #[test]
    fn a_manifest_says_which_key_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "manifest.yaml", "rojig: {name: n}\nref: r\npackages: [a]\n");
        let err = load(&dir.path().join("manifest.yaml"), Arch::X86_64).unwrap_err();
        assert!(err.to_string().contains("\"automatic-version-prefix\" is required"));
    }
}
