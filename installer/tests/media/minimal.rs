//! Minimal images, packed into full ones and cut out again.

use std::fs;

use crate::scene::{CONFIG, KARGS_SIZE, Maker, Scene, differing};

const MAKERS: [Maker; 3] = [Maker::Xorriso, Maker::LevelOne, Maker::Joliet];
const URL: &str = "http://192.0.2.1/rootfs.img";

fn read(scene: &Scene, name: &str) -> Vec<u8> {
    fs::read(scene.dir.path().join(name)).unwrap()
}

/// Puts the description into the full image, and returns the minimal one.
fn packed(maker: Maker) -> (Scene, Vec<u8>) {
    let scene = Scene::with_minimal(maker);
    let minimal = read(&scene, "minimal.iso");
    scene.run(&["pack", "minimal-iso", "--consume", "ISO", "minimal.iso"]).good();
    assert!(!scene.dir.path().join("minimal.iso").exists());
    (scene, minimal)
}

#[test]
fn a_minimal_image_comes_out_as_it_was_made_but_for_its_arguments() {
    for maker in MAKERS {
        let (scene, minimal) = packed(maker);
        let extract = ["iso", "extract", "minimal-iso", "--rootfs-url", URL];
        let to_file = ["--output-rootfs", "root", "ISO", "out.iso"];
        scene.run(&[&extract[..], &to_file].concat()).good();
        let out = read(&scene, "out.iso");
        assert_eq!(read(&scene, "root"), b"root");
        assert!(scene.run(&[&extract[..], &["ISO"]].concat()).good().stdout == out, "{maker:?}");
        // Two areas for arguments, and the defaults.
        let changed = differing(&minimal, &out);
        assert!(changed.len() < 4 * KARGS_SIZE, "{maker:?}: {} bytes", changed.len());
        let show = |words: &[&str]| {
            let words = [&["iso", "kargs", "show"], words, &["out.iso"]].concat();
            scene.run(&words).good().text().trim_end().to_owned()
        };
        let default = "ignition.firstboot ignition.platform.id=metal";
        assert_eq!(show(&["--default"]), default);
        assert_eq!(show(&[]), format!("{default} {}.live.rootfs_url={URL}", maker.flavour()));
    }
}

#[test]
fn only_an_image_as_it_was_made_has_a_minimal_one() {
    let (scene, _) = packed(Maker::Xorriso);
    let refused = |words: &[&str], text: &str| {
        let run = scene.run(words);
        assert!(run.code == 1 && run.stderr.contains(text), "{}", run.stderr);
    };
    scene.file("minimal.iso", scene.bytes());
    refused(&["pack", "minimal-iso", "ISO", "minimal.iso"], "is in use already");
    scene.run(&["iso", "extract", "minimal-iso", "ISO", "a.iso"]).good();
    refused(&["iso", "extract", "minimal-iso", "ISO", "a.iso"], "File exists");
    let config = scene.file("c.ign", CONFIG);
    scene.run(&["iso", "ignition", "embed", "-i", &config, "ISO"]).good();
    refused(
        &["iso", "extract", "minimal-iso", "ISO", "b.iso"],
        "Cannot operate on ISO with embedded customizations.",
    );
    let plain = Scene::with_minimal(Maker::Joliet);
    let run = plain.run(&["iso", "extract", "minimal-iso", "ISO", "b.iso"]);
    let text = "This CoreOS image does not support extracting a minimal ISO image.";
    assert!(run.code == 1 && run.stderr.contains(text), "{}", run.stderr);
    assert!(!plain.dir.path().join("b.iso").exists());
}

#[test]
fn images_with_little_in_common_do_not_fit() {
    let scene = Scene::with_minimal(Maker::Xorriso);
    let before = scene.bytes();
    let noise =
        (0..10_000_u32).flat_map(|i| i.wrapping_mul(0x9E37_79B9).wrapping_pow(3).to_le_bytes());
    let minimal = read(&scene, "minimal.iso").into_iter().chain(noise).collect::<Vec<u8>>();
    scene.file("minimal.iso", minimal);
    let run = scene.run(&["pack", "minimal-iso", "--consume", "ISO", "minimal.iso"]);
    assert!(run.code == 1 && run.stderr.contains("make it larger"), "{}", run.stderr);
    assert!(scene.bytes() == before && scene.dir.path().join("minimal.iso").exists());
}
