//! What goes wrong is said once and clearly, leaves no image behind, and does not stand in the way
//! of the next import.

use nestos_formats::ostree::Checksum;
use oci_spec::image::ImageManifest;

use crate::commit::{Encapsulated, file, object};
use crate::image::{Image, Layer, arch};
use crate::machine::Machine;
use crate::registry::Registry;
use crate::server::{Answer, End, sha256};
use crate::tree::{KERNEL, Tree};

const CHUNKS: [&str; 2] = ["usr/bin/", "usr/share/"];

fn system() -> Encapsulated {
    Encapsulated::new(&Tree::system(), &CHUNKS)
}

/// Imports what `spoil` left of the good image, then the good one, which must succeed.
#[track_caller]
fn fails(spoil: impl FnOnce(&Registry) -> Image) -> Option<String> {
    let machine = Machine::new()?;
    let registry = Registry::start();
    machine.trust(registry.host());
    let image = spoil(&registry);
    let ran = machine.pull(&registry.image("v1"));
    let mut said = ran.failed().join("\n").replace(registry.host(), "HOST");
    said = said.replace(&format!("machine is {}", arch()), "machine is MACHINE");
    for (n, layer) in image.layers.iter().enumerate() {
        said = said.replace(&sha256(&layer.blob()), &format!("LAYER{n}"));
        said = said.replace(&sha256(&layer.stream()), &format!("STREAM{n}"));
    }
    for (_, (path, head, content)) in system().objects.files {
        let sum = head.checksum(&content).to_string();
        said = said.replace(&sum, &format!("[{path}]"));
        said = said.replace(&format!("{}/{}", &sum[..2], &sum[2..]), &format!("[{path}]"));
    }
    if let Some((start, rest)) = said.split_once("the digest sha256:") {
        said = format!("{start}the digest sha256:OTHER{}", &rest[64..]);
    }
    let images = machine.refs("repo").into_iter().filter(|r| r.contains("/image/"));
    assert_eq!(images.collect::<Vec<_>>(), [""; 0]);
    machine.fsck("repo");
    system().image().push(&registry, "v1");
    machine.pull(&registry.image("v1")).ok();
    machine.fsck("repo");
    assert_eq!(machine.leftovers(), [""; 0]);
    Some(said)
}

/// Compares what is said with what is expected; nothing where no machine can be.
#[track_caller]
fn assert_fails(spoil: impl FnOnce(&Registry) -> Image, expected: &str) {
    if let Some(said) = fails(spoil) {
        assert_eq!(said, expected);
    }
}

/// The same for an image that was wrong from the beginning.
#[track_caller]
fn assert_refused(image: &Image, expected: &str) {
    let push = |registry: &Registry| {
        image.push(registry, "v1");
        image.clone()
    };
    assert_fails(push, expected);
}

#[test]
fn a_registry_that_is_away_is_named() {
    let Some(machine) = Machine::new() else { return };
    // The other tests' servers have another address: none of them takes over the port.
    let listener = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    machine.trust(&host);
    let ran = machine.pull(&format!("ostree-unverified-registry:{host}/nestos:v1"));
    let expected = "error: cannot read docker://HOST/nestos:v1\n  \
                    because: cannot reach HOST\n  because: Connection refused (os error 111)";
    assert_eq!(ran.failed().join("\n").replace(&host, "HOST"), expected);
    machine.fsck("repo");
}

#[test]
fn a_tag_that_is_not_there_is_named() {
    let nothing = |_: &Registry| system().image();
    assert_fails(
        nothing,
        "error: cannot read docker://HOST/nestos:v1\n  \
         because: no such tag nestos:v1 on HOST",
    );
}

#[test]
fn a_blob_with_other_bytes_is_refused() {
    let spoil = |registry: &Registry| {
        let image = system().image();
        image.push(registry, "v1");
        // The time in the header of gzip: what is inflated is the same.
        let mut blob = image.layers[1].blob();
        blob[4] ^= 1;
        registry.set(&format!("blobs/{}", image.digest(1)), Answer::new(200, blob));
        image
    };
    assert_fails(
        spoil,
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: layer LAYER1\n  because: cannot read the layer's end\n  \
         because: blob LAYER1 of HOST/nestos:v1 has the digest sha256:OTHER",
    );
}

#[test]
fn a_blob_that_always_breaks_off_is_given_up() {
    let spoil = |registry: &Registry| {
        let image = system().image();
        image.push(registry, "v1");
        registry.spoil(&image.digest(1), End::CutAfter);
        image
    };
    let length = system().image().layers[1].blob().len();
    let expected = format!(
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: layer LAYER1\n  because: cannot read the layer\n  \
         because: cannot fetch blob LAYER1 of nestos from HOST\n  \
         because: end of file before message length reached after {} of {length} bytes, 4 times",
        length / 2
    );
    assert_fails(spoil, &expected);
}

#[test]
fn an_object_with_other_content_is_refused() {
    let system = system();
    let (sum, (_, head, _)) =
        system.objects.files.iter().find(|(_, f)| f.0 == "usr/share/app/a").unwrap();
    let mut image = system.image();
    image.layers[2] = file(Layer::new(), sum, head, b"evil\n");
    assert_refused(
        &relabelled(image),
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: layer LAYER2\n  because: entry objects/[usr/share/app/a].file\n  \
         because: object [usr/share/app/a] has the content of \
         569ec33eadfbf058dab0e4e4dbb9dfd04551a215b4e8524659edd8161356f706: the image is damaged",
    );
    let mut image = system.image();
    let dirtree = system.objects.dirtrees.keys().next().unwrap();
    image.layers[0] = object(image.layers[0].clone(), dirtree, "dirtree", b"nonsense");
    assert_refused(
        &image,
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: layer LAYER0\n  because: entry objects/07/\
         bcb601a39d464c7fe44caee3bad0d165363444678b372a69b02453688cb93c.dirtree\n  \
         because: its content is not that of \
         07bcb601a39d464c7fe44caee3bad0d165363444678b372a69b02453688cb93c: \
         the image is damaged",
    );
}

#[test]
fn a_chunk_with_more_than_files_is_refused() {
    let mut image = system().image();
    let meta = Checksum::of(b"");
    image.layers[2] = object(image.layers[2].clone(), &meta, "dirmeta", b"");
    assert_refused(
        &relabelled(image),
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: layer LAYER2\n  \
         because: entry objects/e3/\
         b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.dirmeta\n  \
         because: a layer of files holds a dirmeta object",
    );
}

#[test]
fn an_image_without_all_of_its_objects_is_refused() {
    let mut image = system().image();
    image.layers.remove(1);
    assert_refused(
        &image,
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: the image is incomplete: \
         file \"ping\" (object [usr/bin/ping]) is in none of its layers",
    );
}

#[test]
fn an_image_that_cannot_run_here_is_refused() {
    let mut foreign = system().image();
    foreign.arch = "riscv64".to_owned();
    assert_refused(
        &foreign,
        "error: docker://HOST/nestos:v1 cannot run here\n  \
         because: the image is for the architecture riscv64, this machine is MACHINE",
    );
    let mut ordinary = Image::new(vec![Layer::new().file("etc/hostname", "box\n")]);
    ordinary.labels.clear();
    assert_refused(
        &ordinary,
        "error: docker://HOST/nestos:v1 cannot run here\n  \
         because: the image is an ordinary container image: it has no label ostree.bootable",
    );
    let vmlinuz = format!("usr/lib/modules/{KERNEL}/vmlinuz");
    let unbootable = Encapsulated::new(&Tree::system().without(&vmlinuz), &CHUNKS);
    assert_refused(
        &unbootable.image(),
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: the image has no kernel (/usr/lib/modules/VERSION/vmlinuz): it cannot be booted",
    );
}

#[test]
fn a_layer_that_is_not_what_the_config_says_is_refused() {
    let spoil = |registry: &Registry| {
        let good = system().image().with(Layer::new().file("usr/bin/one", ""));
        let mut image = good.clone();
        image.layers[3] = image.layers[3].clone().file("usr/bin/more", "");
        let manifest = |image: &Image| -> ImageManifest {
            let manifest = image.store(|bytes| registry.blob(bytes)).to_string();
            serde_json::from_str(&manifest).unwrap()
        };
        let mut mixed = manifest(&good);
        mixed.set_layers(manifest(&image).layers().clone());
        registry.manifest("v1", serde_json::to_string(&mixed).unwrap().as_bytes());
        image.layers.push(good.layers[3].clone());
        image
    };
    assert_fails(
        spoil,
        "error: cannot import docker://HOST/nestos:v1\n  \
         because: layer LAYER3\n  \
         because: it inflates to STREAM3, the image's config says STREAM4",
    );
}

/// Lets the label name the last layer again, whose content is another now.
fn relabelled(image: Image) -> Image {
    let last = sha256(&image.layers.last().unwrap().stream());
    image.label("ostree.final-diffid", &last)
}
