use super::*;
use proptest::prelude::*;

fn sum(byte: u8) -> Checksum {
    Checksum([byte; 32])
}

#[test]
fn checksums_print_and_parse() {
    let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Checksum::of(b"").to_string(), text);
    assert_eq!(text.parse(), Ok(Checksum::of(b"")));
    for wrong in ["", "e3", &text.to_uppercase(), &format!("{text}0"), &text.replace('e', "é")] {
        assert!(wrong.parse::<Checksum>().is_err(), "{wrong:?}");
    }
}

/// The values come from libostree 2022.7: `ostree commit` of one file, `ostree ls -C`.
#[test]
fn checksums_are_those_of_libostree() {
    let file = FileHeader::regular(0, 0, 0o644, Xattrs::default()).checksum(b"hello\n");
    let link = FileHeader::symlink(0, 0, "a".to_owned(), Xattrs::default()).checksum(b"");
    let meta = DirMeta::new(0, 0, 0o755, Xattrs::default());
    assert_eq!(
        file.to_string(),
        "44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b"
    );
    assert_eq!(
        link.to_string(),
        "438802d990f25270d36f902bc9ce9d0737b88f9ae0b41ed59ec9e47c28523e0a"
    );
    assert_eq!(
        Checksum::of(&meta.to_bytes()).to_string(),
        "446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488"
    );
    let files = [("a".to_owned(), file), ("l".to_owned(), link)].into();
    let inner = Checksum::of(&DirTree { files, dirs: BTreeMap::new() }.to_bytes());
    assert_eq!(
        inner.to_string(),
        "78fe1b289e6de095f8933e41ba9aaa707a06929fdcbd802bd7141756b5bf042d"
    );
    let dirs = [("d".to_owned(), (inner, Checksum::of(&meta.to_bytes())))].into();
    let outer = DirTree { files: BTreeMap::new(), dirs };
    assert_eq!(
        Checksum::of(&outer.to_bytes()).to_string(),
        "df77c944fc1682508bd05d8c2ff74f20e86c7897dcbc4fcf9ec71c4e0813a800"
    );
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["", ".", "..", "a/b"] {
        let tree = DirTree { files: [(name.to_owned(), sum(1))].into(), dirs: BTreeMap::new() };
        assert_eq!(DirTree::parse(&tree.to_bytes()), Err(ObjectError::Name(name.to_owned())));
    }
}

fn attributes() -> impl Strategy<Value = Xattrs> {
    let pair = ("[a-z.]{1,20}", proptest::collection::vec(any::<u8>(), 0..300));
    proptest::collection::vec(pair, 0..4).prop_map(Xattrs::new)
}

fn sums() -> impl Strategy<Value = Checksum> {
    any::<[u8; 32]>().prop_map(Checksum)
}

proptest! {
    #[test]
    fn attributes_round_trip(xattrs in attributes()) {
        prop_assert_eq!(Xattrs::parse(&xattrs.to_bytes()), Ok(xattrs));
    }

    #[test]
    fn directories_round_trip(
        files in proptest::collection::btree_map("[a-zA-Z0-9._é-]{3,40}", sums(), 0..600),
        dirs in proptest::collection::btree_map("[a-z]{1,9}", (sums(), sums()), 0..9),
        uid in any::<u32>(), mode in 0_u32..0o7777, xattrs in attributes(),
    ) {
        let tree = DirTree { files, dirs };
        prop_assert_eq!(DirTree::parse(&tree.to_bytes()), Ok(tree));
        let meta = DirMeta::new(uid, 7, mode, xattrs);
        prop_assert_eq!(DirMeta::parse(&meta.to_bytes()), Ok(meta));
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop((DirTree::parse(&bytes), DirMeta::parse(&bytes), Commit::parse(&bytes), Xattrs::parse(&bytes)));
    }
}

/// A commit object that libostree 2022.7 wrote for the tree above.
#[test]
fn commits_of_libostree_are_read() {
    let commit = Commit::parse(include_bytes!("testdata/commit")).unwrap();
    assert_eq!(commit.texts["version"], "1.2");
    assert_eq!(commit.texts.get("ostree.bootable"), None);
    assert_eq!(commit.parent, None);
    let root = "df77c944fc1682508bd05d8c2ff74f20e86c7897dcbc4fcf9ec71c4e0813a800";
    assert_eq!(commit.root.to_string(), root);
    assert_eq!(
        commit.root_meta,
        Checksum::of(&DirMeta::new(0, 0, 0o755, Xattrs::default()).to_bytes())
    );
    assert_eq!(commit.timestamp, 1795314775);
}
