//! Configs and keyfiles in images.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nestos_host::cmd::Cmd;

use crate::scene::{AREA, CONFIG, Maker, Scene, differing, find_all};

const KEYFILE: &str = "[connection]\nid=eth0\ntype=ethernet\n";

#[test]
fn a_config_is_embedded_shown_and_removed_in_images_of_all_makers() {
    for maker in Maker::ALL {
        let scene = Scene::new(maker);
        let pristine = scene.bytes();
        scene.file("c.ign", CONFIG);
        let with = scene.changed(&["iso", "ignition", "embed", "-i", "c.ign"]);
        assert_eq!(scene.run(&["iso", "ignition", "show", "ISO"]).good().text(), CONFIG);
        let differ = differing(&pristine, &with);
        assert!(differ.last().unwrap() - differ[0] < AREA, "{maker:?}");
        assert!(pristine[differ[0]..][..AREA].iter().all(|byte| *byte == 0), "{maker:?}");
        let again = scene.run_with(&["iso", "ignition", "embed", "ISO"], b"{}");
        assert_eq!(again.code, 1);
        let text = "This ISO image already has an embedded Ignition config; use -f to force.";
        assert!(again.stderr.contains(text), "{}", again.stderr);
        scene.run_with(&["iso", "ignition", "embed", "-f", "ISO"], CONFIG.as_bytes()).good();
        let removed = scene.changed(&["iso", "ignition", "remove"]);
        assert!(removed == pristine, "{maker:?}");
        let none = scene.run(&["iso", "ignition", "show", "ISO"]);
        assert!(none.stderr.contains("No embedded Ignition config."), "{}", none.stderr);
    }
}

#[test]
fn other_programs_read_what_is_embedded() {
    let scene = Scene::new(Maker::Xorriso);
    scene.file("c.ign", CONFIG);
    scene.file("eth0.nmconnection", KEYFILE);
    scene.run(&["iso", "ignition", "embed", "-i", "c.ign", "ISO"]).good();
    scene.run(&["iso", "network", "embed", "-k", "eth0.nmconnection", "ISO"]).good();
    let dir = scene.dir.path();
    let script =
        "xorriso -osirrox on -indev live.iso -extract /images/ignition.img i.xz 2>/dev/null
        xz -dc --single-stream i.xz > i.cpio
        mkdir out && cd out && cpio -idm --quiet < ../i.cpio && find . -type f | sort
        stat -c %a:%U etc config.ign && xz -lvv ../i.xz 2>/dev/null | grep -c CRC32";
    let done = Cmd::new("bash").args(["-c", script]).cwd(dir).finish().unwrap();
    let listed = String::from_utf8(done.stdout).unwrap();
    assert!(
        listed.starts_with(
            "./config.ign\n./etc/nestos-firstboot-network/eth0.nmconnection\n755:root\n600:root\n"
        ),
        "{listed}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(fs::read_to_string(dir.join("out/config.ign")).unwrap(), CONFIG);
}

#[test]
fn keyfiles_are_embedded_extracted_and_removed_beside_a_config() {
    for maker in [Maker::LevelOne, Maker::Joliet] {
        let scene = Scene::new(maker);
        let pristine = scene.bytes();
        for name in ["b.nmconnection", "a.nmconnection"] {
            scene.file(name, KEYFILE);
        }
        let none = scene.run(&["iso", "network", "extract", "ISO"]);
        assert!(none.stderr.contains("No embedded network settings."), "{}", none.stderr);
        scene.file("c.ign", CONFIG);
        scene.run(&["iso", "ignition", "embed", "-i", "c.ign", "ISO"]).good();
        let only_config = scene.bytes();
        let embed = ["iso", "network", "embed", "-k", "b.nmconnection", "-k", "a.nmconnection"];
        scene.changed(&embed);
        let again = scene.run(&[&embed[..], &["ISO"]].concat());
        assert!(again.stderr.contains("already has embedded network settings"), "{}", again.stderr);
        let printed = scene.run(&["iso", "network", "extract", "ISO"]).good().text();
        assert_eq!(
            printed,
            format!(
                "########## a.nmconnection ##########\n{KEYFILE}\n\
                 ########## b.nmconnection ##########\n{KEYFILE}"
            )
        );
        let written = scene.run(&["iso", "network", "extract", "-C", "d", "ISO"]).good().text();
        assert_eq!(written, "d/a.nmconnection\nd/b.nmconnection\n");
        let mode = fs::metadata(scene.dir.path().join("d/a.nmconnection")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let again = scene.run(&["iso", "network", "extract", "-C", "d", "ISO"]);
        assert!(again.stderr.contains("File exists"), "{}", again.stderr);
        assert!(scene.changed(&["iso", "network", "remove"]) == only_config);
        assert!(scene.changed(&["iso", "reset"]) == pristine);
    }
    let scene = Scene::new(Maker::Legacy);
    scene.file("a", KEYFILE);
    let refused = scene.run(&["iso", "network", "embed", "-k", "a", "ISO"]);
    let text = "This OS image does not support customizing network settings.";
    assert!(refused.stderr.contains(text), "{}", refused.stderr);
}

#[test]
fn a_config_that_does_not_fit_is_refused_with_sizes() {
    let scene = Scene::new(Maker::Xorriso);
    let pristine = scene.bytes();
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{:016x}", state)
    })
    .take(4000)
    .collect();
    scene.file("big.ign", CONFIG.replace("}}", &format!("}},\"x\":\"{noise}\"}}")));
    let run = scene.run(&["iso", "ignition", "embed", "-i", "big.ign", "ISO"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("Compressed initramfs is too large: "), "{}", run.stderr);
    assert!(run.stderr.contains(&format!(" > {AREA}\n")), "{}", run.stderr);
    assert!(run.stderr.contains("config.ign: 640"), "{}", run.stderr);
    assert!(scene.bytes() == pristine);
}

#[test]
fn existing_files_stay_and_new_ones_with_configs_are_private() {
    let scene = Scene::new(Maker::Xorriso);
    scene.file("c.ign", CONFIG);
    scene.file("there.iso", "mine");
    let embed =
        |out: &str| scene.run(&["iso", "ignition", "embed", "-i", "c.ign", "-o", out, "ISO"]);
    let refused = embed("there.iso");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("File exists"), "{}", refused.stderr);
    assert_eq!(fs::read(scene.dir.path().join("there.iso")).unwrap(), b"mine");
    embed("new.iso").good();
    let mode = |name: &str| {
        fs::metadata(scene.dir.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("new.iso"), 0o600);
    scene.run(&["iso", "reset", "-o", "plain.iso", "new.iso"]).good();
    fs::set_permissions(&scene.iso, fs::Permissions::from_mode(0o644)).unwrap();
    scene.run(&["iso", "kargs", "modify", "-a", "x", "-o", "args.iso", "ISO"]).good();
    assert_eq!((mode("plain.iso"), mode("args.iso")), (0o600, 0o644));
}

#[test]
fn butane_is_compiled_and_a_bad_config_is_warned_about() {
    let scene = Scene::new(Maker::Xorriso);
    scene.file("c.bu", "variant: nestos\nversion: 1.0.0\n");
    scene.run(&["iso", "ignition", "embed", "-i", "c.bu", "ISO"]).good();
    let shown = scene.run(&["iso", "ignition", "show", "ISO"]).good().text();
    assert_eq!(shown.trim(), CONFIG);
    let run = scene.run_with(&["iso", "ignition", "embed", "-f", "ISO"], b"{\"secret\": 1}").good();
    assert!(run.stderr.contains("the live system will not come up"), "{}", run.stderr);
    assert!(!run.stderr.contains("secret"), "{}", run.stderr);
}

#[test]
fn the_old_commands_still_work() {
    let scene = Scene::new(Maker::Joliet);
    let pristine = scene.bytes();
    scene.file("c.ign", CONFIG);
    let run = scene.run(&["iso", "embed", "-c", "c.ign", "ISO"]).good();
    assert!(run.stderr.contains("use iso ignition embed"), "{}", run.stderr);
    assert_eq!(scene.run(&["iso", "show", "ISO"]).good().text(), CONFIG);
    scene.run(&["iso", "remove", "ISO"]).good();
    assert!(scene.bytes() == pristine);
    assert!(find_all(&pristine, b"config.ign").is_empty());
}
