//! Images of a few sectors, as the description sees them.

use super::*;

/// Puts an image together of files and what is between them, and lists the files.
fn image(parts: &[(&str, &[u8])]) -> (File, Vec<IsoFile>) {
    let mut file = tempfile::tempfile().unwrap();
    let (mut files, mut at) = (Vec::new(), 0);
    for (path, content) in parts {
        file.write_all(content).unwrap();
        let length = content.len() as u64;
        if !path.is_empty() {
            files.push(IsoFile { path: (*path).to_owned(), offset: at, length });
        }
        at = (at + length).next_multiple_of(SECTOR);
        file.set_len(at).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
    }
    (file, files)
}

fn full() -> (File, Vec<IsoFile>) {
    let (kernel, boot) = (vec![7; 5000], [vec![1; 100], vec![9; 2000]].concat());
    image(&[
        ("", &[1; 2048]),
        ("KERNEL", &kernel),
        ("ROOTFS", &[2; 100_000]),
        ("BOOT", &boot),
        ("EMPTY", b""),
        ("INITRD", &[4; 30_000]),
    ])
}

fn minimal() -> (File, Vec<IsoFile>) {
    // The boot loader knows where it is.
    let (kernel, boot) = (vec![7; 5000], [vec![2; 100], vec![9; 2000]].concat());
    image(&[
        ("", &[3; 2048]),
        ("KERNEL", &kernel),
        ("LINK", &kernel),
        ("BOOT", &boot),
        ("EMPTY", b""),
        ("INITRD", &[4; 30_000]),
        ("", &[5; 3000]),
    ])
}

fn bytes(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_minimal_image_is_cut_out_bit_by_bit() {
    let ((full, in_full), (minimal, in_minimal)) = (full(), minimal());
    let full = Listing { image: &full, files: in_full };
    let miniso = describe(&full, &Listing { image: &minimal, files: in_minimal }).unwrap();
    let shared: Vec<_> = miniso.table.files().iter().map(|f| (f.minimal, f.full)).collect();
    assert_eq!(shared, [(1, 1), (9, 55)]);
    let mut out = Vec::new();
    cut(&Miniso::parse(&miniso.to_bytes().unwrap()).unwrap(), full.image, &mut out).unwrap();
    assert!(out == bytes(&minimal));
}

#[test]
fn damage_is_found() {
    let ((image, in_full), (minimal, in_minimal)) = (full(), minimal());
    let full = Listing { image: &image, files: in_full };
    let miniso = describe(&full, &Listing { image: &minimal, files: in_minimal }).unwrap();
    let failure = |miniso: &Miniso| format!("{:#}", cut(miniso, &image, io::sink()).unwrap_err());
    let cut_off = Miniso { packed: miniso.packed[..20].to_vec(), ..miniso.clone() };
    assert!(failure(&cut_off).contains("description of the minimal image is damaged"));
    image.write_all_at(b"x", 3000).unwrap();
    assert!(failure(&miniso).starts_with("wrong final digest: expected sha256:"));
    image.set_len(60_000).unwrap();
    assert!(failure(&miniso).contains("the full image is cut off"));
}
