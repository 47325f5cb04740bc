//! A second build without changes does no work, and says so.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nestos_host::cmd::Cmd;
use nestos_tests::Suite;

#[test]
fn a_second_build_without_changes_does_no_work() -> Result<()> {
    let Some(suite) = Suite::find("nosa_twice")? else { return Ok(()) };
    let workdir = PathBuf::from(std::env::var_os("NESTOS_TEST_BUILD").unwrap_or_default());
    if !workdir.join("builds/builds.json").exists() {
        nestos_host::term::warning("SKIPPED nosa_twice: NESTOS_TEST_BUILD is no working directory");
        return Ok(());
    }
    let image = suite.image("metal")?;
    let before = std::fs::metadata(&image)?.modified()?;
    let index = std::fs::read_to_string(workdir.join("builds/builds.json"))?;
    let done = Cmd::new(suite.program("nosa"))
        .arg("-C")
        .arg(&workdir)
        .args(["build", "qemu", "metal"])
        .finish()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "nosa build failed: {said}");
    ensure!(said.contains("no changes since build"), "nosa said: {said}");
    ensure!(said.contains("nothing to do"), "nosa said: {said}");
    let again = std::fs::read_to_string(workdir.join("builds/builds.json"))?;
    ensure!(index == again, "the index of builds changed");
    let after = std::fs::metadata(&image).context("the image is gone")?.modified()?;
    ensure!(before == after, "{} was written again", image.display());
    Ok(())
}
