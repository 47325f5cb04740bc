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
        write_journal(&path, &all).unwrap().unwrap();
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
    let bytes = to_bytes(&all);
    for cut in [0, 1, 40, bytes.len() - 1] {
        fs::write(place(&path), &bytes[..cut]).unwrap();
        recover(&path, &mut file, Access::Change).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(changes(&mut file, &patches()).unwrap(), all);
    }
    assert_eq!(parse(&bytes), Some(all));
}

#[test]
fn a_journal_of_another_image_changes_nothing() {
    let (_dir, path, mut file) = image();
    let all = changes(&mut file, &patches()).unwrap();
    write_journal(&path, &all).unwrap().unwrap();
    fs::write(&path, vec![b'c'; 4 * SECTOR]).unwrap();
    let error = recover(&path, &mut file, Access::Change).unwrap_err();
    assert!(format!("{error:#}").contains("is about another image"), "{error:#}");
    assert_eq!(fs::read(&path).unwrap(), vec![b'c'; 4 * SECTOR]);
}
