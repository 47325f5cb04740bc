//! Kernel arguments of images.

use crate::scene::{KARGS_SIZE, Maker, Scene, differing, find_all};

fn show(scene: &Scene, words: &[&str]) -> String {
    let words = [&["iso", "kargs", "show"], words, &["ISO"]].concat();
    scene.run(&words).good().text().trim_end().to_owned()
}

#[test]
fn arguments_are_changed_in_all_menus_and_reset() {
    for maker in Maker::ALL {
        let scene = Scene::new(maker);
        let pristine = scene.bytes();
        assert_eq!(show(&scene, &[]), maker.kargs());
        let modify = [
            "iso",
            "kargs",
            "modify",
            "-a",
            "foobar",
            "-a",
            "a=1",
            "-a",
            "n=\"x y\"",
            "-d",
            "ignition.firstboot",
            "-r",
            "a=1=2",
        ];
        let with = scene.changed(&modify);
        let expected = maker.kargs().replace(" ignition.firstboot", "") + " foobar a=2 n=\"x y\"";
        assert_eq!(show(&scene, &[]), expected);
        assert_eq!(show(&scene, &["-d"]), maker.kargs());
        let places = find_all(&with, expected.as_bytes());
        assert_eq!(places.len(), 2, "{maker:?}");
        for at in differing(&pristine, &with) {
            let inside = |start: &u64| (*start..*start + KARGS_SIZE as u64).contains(&(at as u64));
            assert!(places.iter().any(inside), "{maker:?}: byte {at}");
        }
        assert!(scene.changed(&["iso", "kargs", "reset"]) == pristine, "{maker:?}");
    }
}

#[test]
fn arguments_fill_the_area_to_its_end_and_no_further() {
    let scene = Scene::new(Maker::Xorriso);
    let free = KARGS_SIZE - Maker::Xorriso.kargs().len() - 1;
    let modify =
        |length: usize| scene.run(&["iso", "kargs", "modify", "-a", &"x".repeat(length), "ISO"]);
    let refused = modify(free);
    let text = format!("kargs too large for area: {} vs {KARGS_SIZE}", KARGS_SIZE + 1);
    assert!(refused.code == 1 && refused.stderr.contains(&text), "{}", refused.stderr);
    modify(free - 1).good();
    assert!(show(&scene, &[]).ends_with("xxx"));
}

#[test]
fn arguments_that_menus_would_change_are_refused() {
    let scene = Scene::new(Maker::LevelOne);
    for wrong in ["a=$x", "a\nb", "a b"] {
        assert_eq!(scene.run(&["iso", "kargs", "modify", "-a", wrong, "ISO"]).code, 2, "{wrong}");
    }
    assert_eq!(scene.run(&["iso", "kargs", "modify", "-r", "a=b", "ISO"]).code, 2);
    assert_eq!(scene.run(&["iso", "kargs", "modify", "ISO"]).code, 2);
    let run = scene.run(&["iso", "kargs", "modify", "-d", "nothing", "ISO"]).good();
    assert!(run.stderr.contains("the image has no kernel argument nothing"), "{}", run.stderr);
}

#[test]
fn areas_that_disagree_are_an_error() {
    let scene = Scene::new(Maker::LevelOne);
    let mut bytes = scene.bytes();
    let at = usize::try_from(find_all(&bytes, b"ignition.firstboot ignition")[1]).unwrap();
    bytes[at] = b'X';
    std::fs::write(&scene.iso, &bytes).unwrap();
    for words in [&["iso", "kargs", "show", "ISO"][..], &["iso", "reset", "ISO"]] {
        let run = scene.run(words);
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains("kargs don't match at all offsets!"), "{}", run.stderr);
    }
    assert!(scene.bytes() == bytes);
}
