use super::*;

fn image() -> (tempfile::TempDir, PathBuf, File) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.iso");
    fs::write(&path, vec![b'a'; 4 * SECTOR]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    (dir, path, file)
}

fn patches() -> Vec<Patch> {
    vec![
        Patch { at: 100, bytes: vec![b'b'; SECTOR] },
        Patch { at: 3 * SECTOR as u64, bytes: vec![b'a'; 7] },
    ]
}

fn journal(image: &mut File, changes: &[Change]) -> Journal {
    Journal { image: identity(image).unwrap(), changes: changes.to_vec() }
}

fn expected() -> Vec<u8> {
    [vec![b'a'; 100], vec![b'b'; SECTOR], vec![b'a'; 3 * SECTOR - 100]].concat()
}

#[test]
fn only_what_differs_is_written_and_no_journal_stays() {
    let (dir, path, mut file) = image();
    let found = changes(&mut file, &patches()).unwrap();
    let places: Vec<(u64, usize)> = found.iter().map(|c| (c.at, c.new.len())).collect();
    assert_eq!(places, [(100, SECTOR - 100), (SECTOR as u64, 100)]);
    apply(&path, &mut file, &patches()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), expected());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_change_that_was_cut_off_anywhere_is_finished() {
    for done in 0..=2 {
        let (dir, path, mut file) = image();
        let all = changes(&mut file, &patches()).unwrap();
        write_journal(&path, &journal(&mut file, &all)).unwrap().unwrap();
        write_all(&mut file, &all[..done]).unwrap();
        recover(&path, &mut File::open(&path).unwrap(), Access::Read).unwrap();
        assert_eq!(fs::read(&path).unwrap(), expected());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_journal_that_is_not_whole_means_that_nothing_was_written() {
    let (dir, path, mut file) = image();
    let all = changes(&mut file, &patches()).unwrap();
    let whole = journal(&mut file, &all);
    let bytes = to_bytes(&whole);
    for cut in [0, 1, 40, bytes.len() - 1] {
        fs::write(place(&path), &bytes[..cut]).unwrap();
        recover(&path, &mut file, Access::Change).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(changes(&mut file, &patches()).unwrap(), all);
    }
    assert_eq!(parse(&bytes), Some(whole));
}

#[test]
fn a_journal_of_another_image_changes_nothing() {
    let (_dir, path, mut file) = image();
    let all = changes(&mut file, &patches()).unwrap();
    write_journal(&path, &journal(&mut file, &all)).unwrap().unwrap();
    fs::write(&path, vec![b'c'; 4 * SECTOR]).unwrap();
    let error = recover(&path, &mut file, Access::Change).unwrap_err();
    assert!(format!("{error:#}").contains("is about another image"), "{error:#}");
    assert_eq!(fs::read(&path).unwrap(), vec![b'c'; 4 * SECTOR]);
}

/// The areas of most images are zeros, so the sectors alone do not tell one from another.
#[test]
fn a_journal_is_not_used_on_another_image_with_the_same_sectors() {
    for (length, volume) in [(40, b'2'), (44, b'1')] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.iso");
        let image = |kib: usize, volume: u8| {
            let mut bytes = vec![0; kib * 1024];
            bytes[usize::try_from(DESCRIPTOR_AT).unwrap() + 40] = volume;
            fs::write(&path, &bytes).unwrap();
            (File::options().read(true).write(true).open(&path).unwrap(), bytes)
        };
        let (mut file, _) = image(40, b'1');
        let all =
            changes(&mut file, &[Patch { at: 36 * 1024, bytes: b"a secret".to_vec() }]).unwrap();
        write_journal(&path, &journal(&mut file, &all)).unwrap().unwrap();
        let (mut file, bytes) = image(length, volume);
        let error = recover(&path, &mut file, Access::Read).unwrap_err();
        assert!(format!("{error:#}").contains("is about another image"), "{error:#}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_change_that_goes_on_is_left_alone() {
    let (_dir, path, mut file) = image();
    let all = changes(&mut file, &patches()).unwrap();
    write_journal(&path, &journal(&mut file, &all)).unwrap().unwrap();
    patch::lock(&file).unwrap();
    let error = recover(&path, &mut File::open(&path).unwrap(), Access::Read).unwrap_err();
    assert!(format!("{error:#}").contains("another program is changing it"), "{error:#}");
    assert!(place(&path).exists());
}

#[test]
fn the_journal_lies_beside_the_file_and_not_beside_a_link() {
    let (dir, path, mut file) = image();
    let all = changes(&mut file, &patches()).unwrap();
    let link = dir.path().join("link.iso");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    write_journal(&link, &journal(&mut file, &all)).unwrap().unwrap();
    recover(&path, &mut file, Access::Change).unwrap();
    assert_eq!(fs::read(&path).unwrap(), expected());
}
