//! The container image of a build: what is in it, what changes with an update, where it goes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nestos_host::cmd::Cmd;
use serde_json::Value;

use crate::distribution::which;
use crate::registry::Registry;
use crate::workshop::{META, Workshop, skip};

/// `nosa:secret` and `nosa:wrong`.
const RIGHT: &str = "bm9zYTpzZWNyZXQ=";
const WRONG: &str = "bm9zYTp3cm9uZw==";

/// A build of the tiny distribution; `None` on a host without these programs.
fn built(programs: &[&str]) -> Option<Workshop> {
    for program in programs {
        if which(program).is_none() {
            skip(&format!("the host lacks {program}"));
            return None;
        }
    }
    let shop = Workshop::of_packages()?;
    shop.nosa(&["build", "container"]).done();
    Some(shop)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn meta(shop: &Workshop, build: &str) -> Value {
    json(&shop.build_dir(build).join("meta.json"))
}

/// The archive of a build as containers-transports(5) names it.
fn archive(shop: &Workshop, build: &str) -> String {
    let name = meta(shop, build)["images"]["ostree"]["path"].as_str().unwrap().to_owned();
    format!("oci-archive:{}", shop.build_dir(build).join(name).display())
}

fn manifest(shop: &Workshop, build: &str) -> Value {
    let name = meta(shop, build)["images"]["oci-manifest"]["path"].as_str().unwrap().to_owned();
    json(&shop.build_dir(build).join(name))
}

fn layers(manifest: &Value) -> BTreeSet<String> {
    let all = manifest["layers"].as_array().unwrap().iter();
    all.map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

fn inspect(image: &str, more: &[&str]) -> Value {
    let said = Cmd::new("skopeo").arg("inspect").args(more).arg(image).output().unwrap();
    serde_json::from_str(&said).unwrap()
}

#[test]
fn the_image_says_what_it_is() {
    let Some(shop) = built(&["skopeo"]) else { return };
    let arch = std::env::consts::ARCH;
    let meta = meta(&shop, "1.0");
    let archive_meta = &meta["images"]["ostree"];
    assert_eq!(archive_meta["path"], format!("tiny-1.0-ostree.{arch}.ociarchive"));
    assert_eq!(archive_meta["skip-compression"], true);
    let image = inspect(&archive(&shop, "1.0"), &[]);
    let go_arch = if arch == "x86_64" { "amd64" } else { "arm64" };
    assert_eq!((&image["Architecture"], &image["Os"]), (&go_arch.into(), &"linux".into()));
    let labels = &image["Labels"];
    assert_eq!(labels["ostree.commit"], meta["ostree-commit"]);
    for (label, value) in [
        ("ostree.bootable", "true"),
        ("ostree.linux", crate::distribution::KERNEL),
        ("containers.bootc", "1"),
        ("org.opencontainers.image.version", "1.0"),
    ] {
        assert_eq!(labels[label], value, "{label}");
    }
    let config = inspect(&archive(&shop, "1.0"), &["--config"]);
    let last = config["rootfs"]["diff_ids"].as_array().unwrap().last().unwrap();
    assert_eq!(&labels["ostree.final-diffid"], last);
    assert_eq!(manifest(&shop, "1.0")["annotations"], *labels);
    let list = shop.nosa(&["list"]);
    assert!(list.stdout.contains(&format!("{arch}: ostree oci-manifest\n")), "{}", list.stdout);
}

#[test]
fn the_same_commit_gives_the_same_image() {
    let Some(shop) = built(&[]) else { return };
    let manifest_of = |build: &str| meta(&shop, build)["images"]["oci-manifest"]["sha256"].clone();
    shop.config("image.yaml", "size: 4\n");
    let text = shop.nosa(&["build", "ostree"]).done();
    assert!(text.contains(" layers, 0 of them new"), "{text}");
    fs::remove_dir_all(shop.work("cache/layers")).unwrap();
    shop.config("image.yaml", "size: 5\n");
    shop.nosa(&["build", "ostree"]).done();
    assert_eq!(shop.builds(), ["1.0", "1.0-1", "1.0-2"]);
    assert_eq!(manifest_of("1.0-1"), manifest_of("1.0"));
    assert_eq!(manifest_of("1.0-2"), manifest_of("1.0"));
}

#[test]
fn a_damaged_layer_in_the_cache_is_made_again() {
    let Some(shop) = built(&[]) else { return };
    let name = shop.names("cache/layers").into_iter().find(|n| n.ends_with(".tar.gz")).unwrap();
    fs::write(shop.work("cache/layers").join(name), "x").unwrap();
    shop.config("image.yaml", "size: 4\n");
    let text = shop.nosa(&["build", "ostree"]).done();
    assert!(text.contains(" layers, 1 of them new"), "{text}");
    assert_eq!(manifest(&shop, "1.0-1"), manifest(&shop, "1.0"));
}

#[test]
fn a_change_in_one_package_changes_its_layer_and_that_of_the_commit() {
    let Some(shop) = built(&[]) else { return };
    shop.manifest("postprocess: ['echo new > /etc/app.conf']\n");
    let text = shop.nosa(&["build", "ostree"]).done();
    assert!(text.contains(" layers, 2 of them new"), "{text}");
    let (old, new) = (manifest(&shop, "1.0"), manifest(&shop, "1.1"));
    assert_eq!(layers(&new).difference(&layers(&old)).count(), 2);
    let changed = new["layers"].as_array().unwrap().iter().find(|layer| {
        let components = layer["annotations"]["ostree.components"].as_str().unwrap_or_default();
        components.split(',').any(|name| name == "tiny-app")
    });
    let changed = changed.unwrap()["digest"].as_str().unwrap().to_owned();
    assert!(!layers(&old).contains(&changed));
}

#[test]
fn the_image_runs_as_a_container() {
    let Some(shop) = built(&["skopeo"]) else { return };
    shop.nosa(&["push-container", "--transport", "dir", shop.path("image").to_str().unwrap()])
        .done();
    let root = shop.path("root");
    fs::create_dir(&root).unwrap();
    for layer in manifest(&shop, "1.0")["layers"].as_array().unwrap() {
        let digest = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let blob = shop.path("image").join(digest);
        Cmd::new("tar").arg("-C").arg(&root).arg("-xzpf").arg(blob).run().unwrap();
    }
    let said = Cmd::new("chroot").arg(&root).args(["cat", "/etc/app.conf"]).output().unwrap();
    assert_eq!(said, "from the package\n");
    assert_eq!(fs::read_link(root.join("home")).unwrap(), Path::new("var/home"));
}

#[test]
fn the_command_of_a_container_comes_from_the_manifest() {
    let Some(shop) = Workshop::of_packages() else { return };
    shop.manifest("container-cmd: [/usr/bin/bash, -l]\n");
    shop.nosa(&["build", "ostree"]).done();
    if which("skopeo").is_some() {
        let config = inspect(&archive(&shop, "1.0"), &["--config"]);
        assert_eq!(config["config"]["Cmd"], serde_json::json!(["/usr/bin/bash", "-l"]));
    }
}

#[test]
fn an_image_is_pushed_to_a_registry_and_recorded() {
    let Some(shop) = built(&["skopeo", "docker-registry"]) else { return };
    let registry = Registry::start(&shop.path("registry"));
    let name = format!("{}/team/tiny", registry.host);
    let file = registry.credentials(RIGHT);
    let push = ["push-container", &name, "--authfile", &file];
    shop.nosa(&push).fails_with(&[
        &format!("cannot push to docker://{name}:1.0-"),
        "HTTP response to HTTPS client",
        "hint: a registry without a certificate that this host trusts takes --insecure",
    ]);
    let done = shop.nosa(&[&push[..], &["--insecure"]].concat());
    let tagged = format!("{name}:1.0-{}", std::env::consts::ARCH);
    let rebase = format!("nestos-updater rebase ostree-unverified-registry:{tagged}\n");
    assert_eq!(done.stdout, rebase, "{}", done.stderr);
    let pushed = &meta(&shop, "1.0")["base-oscontainer"];
    assert_eq!(pushed["image"], tagged);
    let sha256 = meta(&shop, "1.0")["images"]["oci-manifest"]["sha256"].clone();
    assert_eq!(pushed["digest"], format!("sha256:{}", sha256.as_str().unwrap()));
    let there =
        inspect(&format!("docker://{tagged}"), &["--tls-verify=false", "--authfile", &file]);
    assert_eq!(there["Digest"], pushed["digest"]);
}

#[test]
fn wrong_credentials_are_refused_with_advice() {
    let Some(shop) = built(&["skopeo", "docker-registry"]) else { return };
    let registry = Registry::start(&shop.path("registry"));
    let name = format!("{}/tiny:t", registry.host);
    let file = registry.credentials(WRONG);
    shop.nosa(&["push-container", "--no-tls-verify", &name, "--authfile", &file]).fails_with(&[
        &format!("cannot push to docker://{name}"),
        "hint: skopeo login --authfile FILE 127.0.0.1",
    ]);
    shop.nosa(&["push-container", &name, "--authfile", "/nowhere/auth.json"])
        .fails_with(&["cannot read the credentials in /nowhere/auth.json", "hint: skopeo login"]);
    assert!(meta(&shop, "1.0")["base-oscontainer"].is_null());
    assert!(!shop.work("tmp/push").exists());
}

#[test]
fn an_image_goes_to_files_too() {
    let Some(shop) = built(&["skopeo"]) else { return };
    let commit = &meta(&shop, "1.0")["ostree-commit"];
    let tag = format!("1.0-{}", std::env::consts::ARCH);
    for (transport, image) in [
        ("dir", format!("dir:{}", shop.path("out.dir").display())),
        ("oci", format!("oci:{}:{tag}", shop.path("out.oci").display())),
        ("docker-archive", format!("docker-archive:{}", shop.path("out.docker-archive").display())),
    ] {
        let path = shop.path(&format!("out.{transport}"));
        let to = ["push-container", "--transport", transport];
        shop.nosa(&[&to[..], &[path.to_str().unwrap()]].concat()).done();
        assert_eq!(&inspect(&image, &[])["Labels"]["ostree.commit"], commit, "{transport}");
        shop.nosa(&to).done();
    }
    let beside = shop.names(&format!("builds/1.0/{}", std::env::consts::ARCH));
    assert!(beside.contains(&format!("tiny-{tag}.oci")), "{beside:?}");
}

#[test]
fn what_cannot_be_pushed_is_refused() {
    let shop = Workshop::new();
    shop.init();
    shop.nosa(&["push-container", "h:1/x"]).fails_with(&["there is no build yet", "nosa build"]);
    fs::create_dir_all(shop.build_dir("1.0")).unwrap();
    fs::write(shop.build_dir("1.0").join("meta.json"), META).unwrap();
    shop.nosa(&["push-container", "h:1/x"])
        .fails_with(&["build 1.0 has no container image", "hint: run nosa build"]);
    shop.nosa(&["push-container"]).fails_with(&[
        "a registry needs the name of the image",
        "hint: nosa push-container HOST/NAME[:TAG]",
    ]);
    shop.nosa(&["push-container", "team/x"]).fails_with(&["names no registry", "hint: a host"]);
    shop.nosa(&["push-container", "h:1/X"]).fails_with(&["is no image name such as HOST/"]);
    shop.nosa(&["push-container", "h:1/x", "--build", "9"]).fails_with(&["no build \"9\""]);
    shop.nosa(&["push-container", "h:1/x", "--tag-suffix", "?"]).fails_with(&["the tag has"]);
}
