//! The build and the binaries that a suite tests, and the commands it starts with.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nestos_host::cmd::Cmd;
use nestos_host::{clock, term};
use serde_json::Value;
use tempfile::TempDir;

const BUILD: &str = "NESTOS_TEST_BUILD";
const BIN: &str = "NESTOS_TEST_BIN";
const NEXT: &str = "NESTOS_TEST_NEXT";
const FULL: &str = "NESTOS_TEST_FULL";

/// How many machines run at once.
const PLACES: usize = 2;

/// How long a boot may take until ssh works: six times what an idle machine needs without KVM.
pub const BOOT_TIME: Duration = Duration::from_secs(600);
/// How long a guest may take to shut down.
pub const OFF_TIME: Duration = Duration::from_secs(180);

/// What is tested, and a directory for one test.
#[derive(Debug)]
pub struct Suite {
    build: PathBuf,
    meta: Value,
    bin: PathBuf,
    dir: TempDir,
    /// So many machines run at once, across test processes, as there are places.
    _turn: File,
}

impl Suite {
    /// Finds what to test and waits for this test's turn; says so and returns `None` when the
    /// environment names nothing to test.
    pub fn find(test: &str) -> Result<Option<Self>> {
        let (Some(build), Some(bin)) = (std::env::var_os(BUILD), std::env::var_os(BIN)) else {
            term::warning(format_args!(
                "SKIPPED {test}: set {BUILD} to a nosa build and {BIN} to the built binaries"
            ));
            return Ok(None);
        };
        let build = build_directory(Path::new(&build))?;
        let meta = read_meta(&build)?;
        let bin = Path::new(&bin);
        let bin = bin
            .canonicalize()
            .with_context(|| format!("{BIN}={} is no directory of binaries", bin.display()))?;
        let turn = wait_for_a_place()?;
        term::status(format_args!("{test}: testing {}", build.display()));
        let dir = tempfile::Builder::new().prefix("nestos-test-").tempdir()?;
        Ok(Some(Self { build, meta, bin, dir, _turn: turn }))
    }

    /// Like [`Suite::find`], for tests that only the full run has, because they take too long for
    /// every change.
    pub fn find_in_full_run(test: &str) -> Result<Option<Self>> {
        if is_full_run() {
            return Self::find(test);
        }
        term::warning(format_args!("SKIPPED {test}: only make test-full runs it ({FULL}=1)"));
        Ok(None)
    }

    /// Returns whether [`Suite::find`] would find something to test.
    pub fn is_there() -> bool {
        [BUILD, BIN].iter().all(|name| std::env::var_os(name).is_some())
    }

    /// Returns whether this is the full run.
    pub fn is_full(&self) -> bool {
        is_full_run()
    }

    /// Returns the test's own directory, which goes away with it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the image called `key` in the build's meta.json, such as `metal` or `qemu`.
    pub fn image(&self, key: &str) -> Result<PathBuf> {
        let path = self.meta["images"][key]["path"].as_str();
        let path = path.with_context(|| {
            format!("{} lists no {key} image", self.build.join("meta.json").display())
        })?;
        Ok(self.build.join(path))
    }

    /// Returns the container image of another build, which the one under test is updated to; says
    /// so and returns `None` when the environment names none.
    pub fn next_image(&self) -> Result<Option<PathBuf>> {
        let Some(named) = std::env::var_os(NEXT) else {
            term::warning(format_args!("SKIPPED: set {NEXT} to another nosa build"));
            return Ok(None);
        };
        let build = build_directory(Path::new(&named))?;
        let meta = read_meta(&build)?;
        let path = meta["images"]["ostree"]["path"].as_str();
        let path = path.with_context(|| format!("{} has no container image", build.display()))?;
        Ok(Some(build.join(path)))
    }

    /// Returns the version of the build.
    pub fn version(&self) -> Result<String> {
        let version = self.meta["ostree-version"].as_str();
        Ok(version.context("meta.json has no ostree-version")?.to_owned())
    }

    /// Makes a working directory of nosa with this build and its image `key` alone, in which files
    /// can be added without changing the build; returns it.
    pub fn release_area(&self, key: &str) -> Result<PathBuf> {
        let area = self.dir().join("release");
        let id = self.meta["buildid"].as_str().context("meta.json has no buildid")?;
        let builds = area.join("builds");
        let build = builds.join(id).join(std::env::consts::ARCH);
        fs::create_dir_all(&build)?;
        fs::create_dir_all(area.join("src/config"))?;
        let mut meta = self.meta.clone();
        if let Some(images) = meta["images"].as_object_mut() {
            images.retain(|name, _| name == key);
        }
        fs::write(build.join("meta.json"), meta.to_string())?;
        let image = self.image(key)?;
        let name = image.file_name().context("the image has no name")?;
        if fs::hard_link(&image, build.join(name)).is_err() {
            Cmd::new("cp").arg("--sparse=always").arg(&image).arg(build.join(name)).run()?;
        }
        let list = serde_json::json!({
            "schema-version": "1.0.0",
            "builds": [{"id": id, "arches": [std::env::consts::ARCH]}],
        });
        fs::write(builds.join("builds.json"), list.to_string())?;
        std::os::unix::fs::symlink(id, builds.join("latest"))?;
        Ok(area)
    }

    /// Returns the path of a binary under test.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Compiles a Butane config with the butane under test and returns the Ignition file.
    pub fn compile(&self, name: &str, config: &str) -> Result<PathBuf> {
        let source = self.dir().join(name).with_extension("bu");
        let output = self.dir().join(name).with_extension("ign");
        fs::write(&source, config)?;
        Cmd::new(self.program("butane"))
            .arg(&source)
            .arg("-o")
            .arg(&output)
            .arg("-p")
            .run()
            .with_context(|| format!("compiling {name}:\n{config}"))?;
        Ok(output)
    }

    /// Installs the metal image to `device` with the installer under test. The new system talks
    /// to the serial console, so that a failed test has a log and a test can log in there.
    pub fn install(&self, device: &Path, ignition: &Path, kargs: &[&str]) -> Result<()> {
        let mut install = Cmd::new(self.program("nestos-installer"))
            .args(["install", "--insecure", "--console", "ttyS0,115200n8", "--image-file"])
            .arg(self.image("metal")?)
            .arg("--ignition-file")
            .arg(ignition);
        for karg in kargs {
            install = install.args(["--append-karg", karg]);
        }
        timed("installing", || install.arg(device).run())
    }
}

fn is_full_run() -> bool {
    std::env::var_os(FULL).is_some_and(|full| full == "1")
}

/// Waits until fewer machines than [`PLACES`] run. Without KVM a booting machine keeps a little less
/// than one core busy; many of them would starve each other.
fn wait_for_a_place() -> Result<File> {
    let places: Vec<File> = (0..PLACES)
        .map(|n| std::env::temp_dir().join(format!("nestos-tests.{n}.lock")))
        .map(|path| File::create(&path).with_context(|| format!("cannot open {}", path.display())))
        .collect::<Result<_>>()?;
    loop {
        if let Some(n) = places.iter().position(|place| place.try_lock().is_ok()) {
            return places.into_iter().nth(n).context("a place went away");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Prints how long a step took.
pub fn timed<T>(step: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = clock::instant();
    let result = run().with_context(|| format!("{step} failed"))?;
    let seconds = clock::instant().duration_since(start).as_secs_f64();
    term::status(format_args!("{seconds:7.1} s  {step}"));
    Ok(result)
}

fn build_directory(named: &Path) -> Result<PathBuf> {
    let candidates = [named.to_owned(), named.join("builds/latest").join(std::env::consts::ARCH)];
    match candidates.iter().find(|dir| dir.join("meta.json").exists()) {
        Some(dir) => Ok(dir.canonicalize()?),
        None => bail!("{BUILD}={} is no build: it has no meta.json", named.display()),
    }
}

fn read_meta(build: &Path) -> Result<Value> {
    let path = build.join("meta.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_found_by_its_own_path_and_by_the_working_directory() {
        let dir = tempfile::tempdir().unwrap();
        let build = dir.path().join("builds/latest").join(std::env::consts::ARCH);
        fs::create_dir_all(&build).unwrap();
        assert!(build_directory(dir.path()).is_err());
        fs::write(build.join("meta.json"), "{}").unwrap();
        let build = build.canonicalize().unwrap();
        assert_eq!(build_directory(dir.path()).unwrap(), build);
        assert_eq!(build_directory(&build).unwrap(), build);
    }
}
