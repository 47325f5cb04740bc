//! A disk that is too small is found before anything is fetched, or when it is full; either way
//! it is as before afterwards.

use crate::commit::Encapsulated;
use crate::machine::Machine;
use crate::registry::Registry;
use crate::tree::Tree;

const MIB: usize = 1 << 20;

/// Content that cannot be compressed, or that can.
fn content(mib: usize, compressible: bool) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if compressible { 0 } else { state.to_le_bytes()[0] }
    };
    std::iter::repeat_with(&mut next).take(mib * MIB).collect()
}

#[track_caller]
fn fails(compressible: bool, expected: &str) {
    let Some(machine) = Machine::with_disk(40) else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    let system = Tree::system();
    Encapsulated::new(&system, &["usr/share/"]).image().push(&registry, "small");
    machine.pull(&registry.image("small")).ok();
    let free = || nix::sys::statvfs::statvfs(&machine.disk()).unwrap().blocks_free();
    let before = free();
    let large = system.file("usr/share/large", content(60, compressible));
    let image = Encapsulated::new(&large, &["usr/share/"]).image();
    image.push(&registry, "large");
    let ran = machine.pull(&registry.image("large"));
    let said = ran.failed().join("\n").replace(&machine.disk().display().to_string(), "DISK");
    let said = said.replace(registry.host(), "HOST");
    // Which of the layers met the end of the disk is left to chance.
    let lines: Vec<_> = said.lines().collect();
    let said = [lines[0], lines[lines.len() - 1]].join("\n");
    assert_eq!(said, expected);
    assert!(free() + 100 > before, "{} blocks are left of {before}", free());
    machine.fsck("repo");
    Encapsulated::new(&Tree::system(), &["usr/bin/"]).image().push(&registry, "other");
    machine.pull(&registry.image("other")).ok();
    assert_eq!(machine.leftovers(), [""; 0]);
}

#[test]
fn an_image_that_cannot_fit_is_not_fetched() {
    fails(
        false,
        "error: cannot import docker://HOST/nestos:large\n  \
         because: no space left for the image at DISK/repo: \
         29 MiB are free, more than 65 MiB are needed",
    );
}

#[test]
fn a_disk_that_fills_up_gets_its_space_back() {
    fails(
        true,
        "error: cannot import docker://HOST/nestos:large\n  \
         because: no space left for the image at DISK/repo/objects: \
         0 MiB are free, more than 1 MiB are needed",
    );
}
