//! Images of a few pieces, put together from a repository made for the test.

use std::fs;
use std::io::Write;

use nestos_formats::osmet::{Mapping, Partition};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

/// A repository with one large object, and an image that holds parts of it.
struct Bench {
    dir: TempDir,
    object: Checksum,
    image: Vec<u8>,
}

fn bytes(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251).to_le_bytes()[0] ^ seed).collect()
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (object, content) = (Checksum([0xAB; 32]), bytes(1, 3 * PIECE));
        let path = Repository::at(dir.path()).file(object);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &content).unwrap();
        let image = [
            &bytes(2, PIECE + 100),
            &content[512..],
            &bytes(3, 77),
            &content[..4096],
            &vec![0; 2 * PIECE],
        ];
        Self { dir, object, image: image.map(<[u8]>::to_vec).concat() }
    }

    fn osmet(&self) -> (Osmet, Vec<u8>) {
        let start = PIECE as u64 + 100;
        let first = 3 * PIECE as u64 - 512;
        let object = self.object;
        let mappings = vec![
            Mapping { physical: 0, logical: 512, length: first, object },
            Mapping { physical: first + 77, logical: 0, length: 4096, object },
        ];
        let partition = Partition { start, end: start + first + 4173, mappings };
        let head = Head {
            app_version: String::new(),
            sector_size: 512,
            description: String::new(),
            architecture: "x86_64".to_owned(),
        };
        let digest = Sha256::digest(&self.image).into();
        let size = self.image.len() as u64;
        let image = Image { partitions: vec![partition], digest, size };
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        let mut at = 0;
        for segment in image.segments() {
            let end = at + usize::try_from(segment.length()).unwrap();
            if let Segment::Packed(_) = segment {
                xz.write_all(&self.image[at..end]).unwrap();
            }
            at = end;
        }
        (Osmet::new(head, image).unwrap(), xz.finish().unwrap())
    }

    fn start(&self, packed: &[u8]) -> Result<Rebuild> {
        let path = self.dir.path().join("osmet");
        fs::write(&path, [&self.osmet().0.to_bytes(), packed].concat()).unwrap();
        Rebuild::start(File::open(path).unwrap(), Repository::at(self.dir.path()))
    }

    /// Returns why the image cannot be read to its end.
    fn failure(&self, packed: &[u8]) -> String {
        let read = |mut image: Rebuild| Ok(image.read_to_end(&mut Vec::new())?);
        format!("{:#}", self.start(packed).and_then(read).unwrap_err())
    }
}

#[test]
fn the_image_comes_back_bit_by_bit() {
    let bench = Bench::new();
    let mut image = bench.start(&bench.osmet().1).unwrap();
    assert_eq!((image.size(), image.head().sector_size), (bench.image.len() as u64, 512));
    let mut out = Vec::new();
    image.read_to_end(&mut out).unwrap();
    assert!(out == bench.image);
    assert_eq!(image.read(&mut [0]).unwrap(), 0);
    assert_eq!(image.digest(), Digest::from(<[u8; 32]>::from(Sha256::digest(out))));
}

#[test]
fn objects_that_are_missing_or_cut_are_named() {
    let bench = Bench::new();
    let packed = bench.osmet().1;
    let path = Repository::at(bench.dir.path()).file(bench.object);
    File::options().write(true).open(&path).unwrap().set_len(4096).unwrap();
    let cut = bench.failure(&packed);
    assert!(cut.contains(&format!("{}: it ends too early", path.display())), "{cut}");
    fs::remove_file(&path).unwrap();
    let gone = bench.failure(&packed);
    assert!(gone.contains(&format!("{}: No such file", path.display())), "{gone}");
}

#[test]
fn a_damaged_osmet_is_refused() {
    let bench = Bench::new();
    let packed = bench.osmet().1;
    let half = &packed[..packed.len() / 2];
    for (packed, why) in [
        (&b""[..], "no xz stream follows its table"),
        (b"\x1F\x8B\x08\0", "no xz stream follows its table"),
        (half, "cannot unpack the osmet file"),
        (&[&packed[..], b"x"].concat(), "cannot unpack the osmet file"),
        (&[&packed[..], &packed].concat(), "the image was not read to its end"),
    ] {
        let failure = bench.failure(packed);
        assert!(failure.contains(why), "{failure}");
    }
}

#[test]
fn nobody_waits_for_an_image_that_is_not_wanted() {
    let bench = Bench::new();
    let mut image = bench.start(&bench.osmet().1).unwrap();
    image.read_exact(&mut [0; 10]).unwrap();
    drop(image);
}
