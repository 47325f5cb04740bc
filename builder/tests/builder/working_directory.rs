//! Mistakes with the working directory, and what else may be at work in it.

use std::fs;
use std::os::unix::fs::symlink;

use nestos_host::cmd::Cmd;
use nix::fcntl::{Flock, FlockArg};

use crate::workshop::{META, Workshop, is_root, nosa_in, skip};

#[test]
fn a_directory_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["build", "fetch", "list", "buildextend-metal"] {
        nosa_in(dir.path(), &[command]).fails_with(&[
            "is no working directory",
            dir.path().to_str().unwrap(),
            "hint: run nosa init CONFIG",
        ]);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn init_refuses_what_is_no_config_and_leaves_nothing() {
    for (config, parts) in [
        ("empty", &["is no config folder", "manifest.yaml"][..]),
        ("nowhere", &["cannot find the config folder", "nowhere"]),
        ("file:///nowhere/at/all", &["cannot clone file:///nowhere/at/all"]),
    ] {
        let shop = Workshop::new();
        fs::create_dir(shop.path("empty")).unwrap();
        let config = if config.contains(':') {
            config.to_owned()
        } else {
            shop.path(config).to_str().unwrap().to_owned()
        };
        shop.nosa(&["init", &config]).fails_with(parts);
        assert_eq!(fs::read_dir(shop.path("work")).unwrap().count(), 0);
        shop.init();
    }
}

#[test]
fn init_refuses_an_unusable_layout_of_tools() {
    let shop = Workshop::new();
    fs::create_dir(shop.path("tools")).unwrap();
    let (config, tools) = (shop.path("config"), shop.path("tools"));
    let args = ["init", config.to_str().unwrap(), "--tools-root", tools.to_str().unwrap()];
    shop.nosa(&args).fails_with(&["--tools-root", "it has no usr", "make install DESTDIR"]);
    assert_eq!(fs::read_dir(shop.path("work")).unwrap().count(), 0);
}

#[test]
fn init_twice_is_refused_and_forced() {
    let shop = Workshop::new();
    shop.init();
    let config = shop.path("config");
    let config = config.to_str().unwrap();
    shop.nosa(&["init", config]).fails_with(&["is initialised already", "--force"]);
    shop.nosa(&["init", "--force", config]).done();
}

#[test]
fn a_config_in_a_git_repository_is_cloned_and_cloned_again() {
    let shop = Workshop::new();
    let repository = shop.path("repository");
    fs::create_dir(&repository).unwrap();
    fs::rename(shop.path("config"), repository.join("nested")).unwrap();
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        Cmd::new("git").cwd(&repository).args(identity).args(args).run().unwrap();
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "config"]);
    let url = format!("file://{}", repository.display());
    // The working directory is given as a relative path, so links must not be.
    let nosa = |args: &[&str]| {
        Cmd::new(env!("CARGO_BIN_EXE_nosa"))
            .cwd(shop.path(""))
            .args(["-C", "work"])
            .args(args)
            .run()
    };
    nosa(&["init", "--branch", "main", &url, "nested"]).unwrap();
    assert!(shop.work("src/config/manifest.yaml").is_file());
    assert!(nosa(&["init", &url, "nested"]).is_err());
    nosa(&["init", "--force", &url, "nested"]).unwrap();
    assert!(shop.work("src/config/manifest.yaml").is_file());
    let folder = repository.join("nested");
    nosa(&["init", "--force", folder.to_str().unwrap()]).unwrap();
    assert_eq!(fs::read_link(shop.work("src/config")).unwrap(), folder);
}

#[test]
fn a_branch_of_a_plain_folder_is_refused() {
    let shop = Workshop::new();
    let config = shop.path("config");
    shop.nosa(&["init", "--branch", "x", config.to_str().unwrap()])
        .fails_with(&["--branch", "is a folder"]);
}

#[test]
fn nothing_is_listed_before_the_first_build() {
    let shop = Workshop::new();
    shop.init();
    let listed = shop.nosa(&["list"]);
    assert_eq!(listed.stdout, "No builds!\n");
    listed.done();
}

#[test]
fn a_damaged_index_is_named_and_can_be_made_again() {
    let shop = Workshop::new();
    shop.init();
    fs::write(shop.work("builds/builds.json"), "{\"schema-version\": \"1.0.0\", \"bui").unwrap();
    let parts = ["builds.json", "not valid", "hint: ", "line 1 column"];
    shop.nosa(&["list"]).fails_with(&parts);
    let dir = shop.build_dir("1.0");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("meta.json"), META).unwrap();
    fs::remove_file(shop.work("builds/builds.json")).unwrap();
    assert!(shop.nosa(&["list"]).stdout.starts_with("1.0\n"));
    fs::write(dir.join("meta.json"), "").unwrap();
    shop.nosa(&["list"]).fails_with(&["meta.json", "not valid"]);
}

#[test]
fn a_second_nosa_is_refused() {
    let shop = Workshop::new();
    shop.init();
    let lock = fs::File::create(shop.work("tmp/.lock")).unwrap();
    let held = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    let commands: &[&str] =
        if is_root() { &["build", "fetch", "buildextend-qemu"] } else { &["fetch"] };
    for command in commands {
        let mirror = "http://127.0.0.1:1/debian";
        shop.nosa(&[command, "--mirror", mirror])
            .fails_with(&["another nosa is at work in", shop.path("work").to_str().unwrap()]);
    }
    drop(held);
    assert!(shop.builds().is_empty());
}

#[test]
fn building_as_an_ordinary_user_is_refused_at_once() {
    if !is_root() || crate::distribution::which("setpriv").is_none() {
        return skip("giving up root takes root and setpriv");
    }
    // Below /, where an ordinary user may enter.
    let dir = tempfile::tempdir().unwrap();
    let shop = Workshop::new();
    shop.init();
    let nosa = dir.path().join("nosa");
    fs::copy(env!("CARGO_BIN_EXE_nosa"), &nosa).unwrap();
    symlink(shop.path("config"), dir.path().join("config")).unwrap();
    let done = Cmd::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["sh", "-c", "cd /; exec \"$0\" build"])
        .arg(&nosa);
    Cmd::new("chmod").arg("755").arg(dir.path()).run().unwrap();
    let done = done.finish().unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(text.contains("nosa build needs root") && text.contains("sudo"), "{text}");
}
