//! An import that is killed at any moment leaves a sound repository, and the next one goes on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::commit::Encapsulated;
use crate::machine::Machine;
use crate::registry::{Registry, slow};
use crate::server::{End, content};
use crate::tree::Tree;

const KILLS: u32 = 20;

#[test]
#[expect(clippy::disallowed_methods, reason = "the kills are spread over the time of an import")]
fn kills_at_any_moment_do_no_harm() {
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    let host = slow(registry.host(), 1_500_000);
    machine.trust(&host);
    let mut tree = Tree::system();
    for n in 0..120 {
        let (path, start) = (format!("usr/share/data/{}/{n}", n % 4), n * 30_000);
        tree = tree.file(&path, &content(start + 30_000)[start..]);
    }
    let chunks = [
        "usr/share/data/0",
        "usr/share/data/1",
        "usr/share/data/2",
        "usr/share/data/3",
        "usr/bin/",
    ];
    let encapsulated = Encapsulated::new(&tree, &chunks);
    encapsulated.image().push(&registry, "v1");
    let image = format!("ostree-unverified-registry:{host}/nestos:v1");

    machine.init_repo("other");
    let begin = Instant::now();
    let expected = machine.pull_into("other", &image).ok().to_owned();
    let whole = begin.elapsed();
    let mut killed = 0;
    for n in 0..KILLS {
        let mut child = machine.start_pull(&image);
        // The last tenth, where all is published, gets a third of the kills.
        let tenths =
            if n < 14 { 0.9 * f64::from(n) / 14.0 } else { 0.9 + f64::from(n - 14) / 60.0 };
        sleep(whole.mul_f64(tenths));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().ok();
        child.wait().unwrap();
        machine.fsck("repo");
    }
    assert!(killed > KILLS / 2, "only {killed} of {KILLS} came while it ran");
    assert_eq!(machine.pull(&image).ok(), expected);
    machine.fsck("repo");
    assert_eq!(machine.leftovers(), [""; 0]);
}

#[test]
fn layers_that_were_complete_are_not_fetched_again() {
    let Some(machine) = Machine::new() else { return };
    let registry = Registry::start();
    machine.trust(registry.host());
    let zeros = |n: u8| vec![n; 100 << 20];
    let tree = Tree::system().file("usr/share/a", zeros(1)).file("usr/share/b", zeros(2));
    let image = Encapsulated::new(&tree, &["usr/share/a", "usr/share/b", "usr/bin/"]).image();
    image.push(&registry, "v1");
    let path = format!("blobs/{}", image.digest(3));
    let good = registry.spoil(&image.digest(3), End::StallAfter);

    let mut child = machine.start_pull(&registry.image("v1"));
    for _ in 0..3000 {
        if !machine.refs("repo").is_empty() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    machine.fsck("repo");
    let published = machine.refs("repo").len();
    assert!(published > 0, "{published} layers");
    registry.set(&path, good);
    let ran = machine.pull(&registry.image("v1"));
    let expected = format!("{} layers fetched, {published} already present\n", 4 - published);
    assert_eq!((ran.ok().len(), ran.stderr), (64, expected));
    machine.fsck("repo");
}
