//! Live media of both families, made by other programs, and the program that changes them.

use std::fs;
use std::path::{Path, PathBuf};

use nestos_host::cmd::Cmd;
use tempfile::TempDir;

pub(crate) const CONFIG: &str = r#"{"ignition":{"version":"3.3.0"}}"#;
pub(crate) const FEATURES: &str = r#"{"installer-config": true, "live-initrd-network": true,
    "installer-config-directives": {"console": true}}"#;
pub(crate) const KARGS_SIZE: usize = 400;
pub(crate) const AREA: usize = 16 * 1024;

/// Who made the image, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Rock Ridge and Joliet names, NestOS.
    Xorriso,
    /// Names of level 1 alone, with a BIOS boot loader, NestOS.
    LevelOne,
    /// Names of level 1 and Joliet, CoreOS.
    Joliet,
    /// Rock Ridge names, CoreOS, and a table instead of `kargs.json`.
    Legacy,
}

impl Maker {
    pub(crate) const ALL: [Self; 4] = [Self::Xorriso, Self::LevelOne, Self::Joliet, Self::Legacy];

    pub(crate) fn flavour(self) -> &'static str {
        match self {
            Self::Xorriso | Self::LevelOne => "nestos",
            Self::Joliet | Self::Legacy => "coreos",
        }
    }

    fn vendor(self) -> &'static str {
        if self.flavour() == "nestos" { "openEuler" } else { "fedora" }
    }

    pub(crate) fn kargs(self) -> String {
        let name = self.flavour();
        format!("{name}.liveiso={name}-1 ignition.firstboot ignition.platform.id=metal")
    }
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }
}

/// An image in a directory.
pub(crate) struct Scene {
    pub(crate) dir: TempDir,
    pub(crate) iso: PathBuf,
}

impl Scene {
    pub(crate) fn new(maker: Maker) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        let iso = dir.path().join("live.iso");
        fill(&tree, maker);
        make(&tree, &iso, maker);
        if maker == Maker::Legacy {
            add_table(&iso);
        }
        fs::remove_dir_all(&tree).unwrap();
        Self { dir, iso }
    }

    /// Makes a full image with room for a description, and its minimal one, `minimal.iso`.
    pub(crate) fn with_minimal(maker: Maker) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (tree, iso) = (dir.path().join("tree"), dir.path().join("live.iso"));
        let description = tree.join(maker.flavour()).join("miniso.dat");
        fill(&tree, maker);
        fs::write(&description, [0; 16 * 1024]).unwrap();
        make(&tree, &iso, maker);
        fs::remove_file(description).unwrap();
        fs::remove_file(tree.join("images/pxeboot/rootfs.img")).unwrap();
        make(&tree, &dir.path().join("minimal.iso"), maker);
        fs::remove_dir_all(&tree).unwrap();
        Self { dir, iso }
    }

    /// Writes a file beside the image and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.iso).unwrap()
    }

    /// Runs the program; `ISO` stands for the image, names are those of files beside it.
    pub(crate) fn run(&self, words: &[&str]) -> Run {
        self.run_with(words, b"")
    }

    pub(crate) fn run_with(&self, words: &[&str], input: &[u8]) -> Run {
        let words = words.iter().map(|w| if *w == "ISO" { "live.iso" } else { w });
        let done = Cmd::new(env!("CARGO_BIN_EXE_nestos-installer"))
            .args(words)
            .cwd(self.dir.path())
            .input(input)
            .finish()
            .unwrap();
        Run {
            code: done.status.code().unwrap(),
            stdout: done.stdout,
            stderr: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// Runs a command with an output in all three ways, and returns the image that all give.
    pub(crate) fn changed(&self, words: &[&str]) -> Vec<u8> {
        let before = self.bytes();
        let run = |output: &[&str]| self.run(&[words, output, &["ISO"]].concat()).good();
        run(&["-o", "out.iso"]);
        let to_file = fs::read(self.dir.path().join("out.iso")).unwrap();
        fs::remove_file(self.dir.path().join("out.iso")).unwrap();
        let streamed = run(&["-o", "-"]).stdout;
        assert_eq!(self.bytes(), before, "the image itself is not changed");
        run(&[]);
        assert!(to_file == self.bytes() && streamed == to_file, "all outputs are the same");
        let names = fs::read_dir(self.dir.path()).unwrap().flatten().map(|e| e.file_name());
        let hidden = names.filter(|name| name.to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0);
        to_file
    }
}

fn fill(tree: &Path, maker: Maker) {
    let write = |path: &str, bytes: &[u8]| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let (name, vendor) = (maker.flavour(), maker.vendor());
    let mut area = maker.kargs() + "\n";
    area += &"#".repeat(KARGS_SIZE - area.len());
    let grub = format!("linux /images/pxeboot/vmlinuz {area} KARG_EMBED_AREA\n");
    let isolinux = format!("default x\nappend initrd=/x {area} KARG_EMBED_AREA\n");
    write(&format!("EFI/{vendor}/grub.cfg"), grub.as_bytes());
    write("isolinux/isolinux.cfg", isolinux.as_bytes());
    let loader = fs::read("/usr/lib/ISOLINUX/isolinux.bin").expect("install isolinux");
    write("isolinux/isolinux.bin", &loader);
    let at = |text: &str| text.find(&maker.kargs()).unwrap();
    let json = format!(
        r##"{{"default": "{}", "files": [{{"path": "EFI/{vendor}/grub.cfg", "offset": {},
            "pad": "#", "end": "\n"}}, {{"path": "isolinux/isolinux.cfg", "offset": {}}}],
            "size": {KARGS_SIZE}}}"##,
        maker.kargs(),
        at(&grub),
        at(&isolinux)
    );
    if maker != Maker::Legacy {
        write(&format!("{name}/kargs.json"), json.as_bytes());
        write(&format!("{name}/igninfo.json"), br#"{"file": "images/ignition.img"}"#);
        write(&format!("{name}/features.json"), FEATURES.as_bytes());
    }
    write("images/ignition.img", &[0; AREA]);
    for (file, text) in [("vmlinuz", "kernel"), ("initrd.img", "initramfs"), ("rootfs.img", "root")]
    {
        write(&format!("images/pxeboot/{file}"), text.as_bytes());
    }
}

fn make(tree: &Path, iso: &Path, maker: Maker) {
    let label = format!("{}-1", maker.flavour());
    let (program, options): (&str, &[&str]) = match maker {
        Maker::Xorriso => ("xorriso", &["-as", "mkisofs", "-R", "-J"]),
        Maker::LevelOne => ("genisoimage", &["-iso-level", "1"]),
        Maker::Joliet => ("genisoimage", &["-iso-level", "1", "-J"]),
        Maker::Legacy => ("genisoimage", &["-R"]),
    };
    let boot = ["-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot"];
    let table = ["-boot-load-size", "4", "-boot-info-table", "-quiet", "-V", &label, "-o"];
    let done = Cmd::new(program)
        .args(options)
        .args(boot)
        .args(table)
        .args([iso, tree])
        .when_missing("run tools/install-deps")
        .finish()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Writes the table of old images: where the defaults and the areas are.
fn add_table(iso: &Path) {
    let mut bytes = fs::read(iso).unwrap();
    let kargs = Maker::Legacy.kargs();
    let areas: Vec<u64> = find_all(&bytes, kargs.as_bytes());
    assert_eq!(areas.len(), 2);
    let end = bytes.len() as u64;
    let mut default = kargs.into_bytes();
    default.push(b'\n');
    default.resize(KARGS_SIZE, b'#');
    bytes.extend(default);
    let mut table = b"coreKarg".to_vec();
    for number in [KARGS_SIZE as u64, end, areas[0], areas[1]] {
        table.extend(number.to_le_bytes());
    }
    bytes[32672..32672 + table.len()].copy_from_slice(&table);
    fs::write(iso, bytes).unwrap();
}

/// Returns where a text is.
pub(crate) fn find_all(bytes: &[u8], text: &[u8]) -> Vec<u64> {
    let starts = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text);
    starts.map(|(at, _)| at as u64).collect()
}

/// Returns the ranges of bytes that differ.
pub(crate) fn differing(a: &[u8], b: &[u8]) -> Vec<usize> {
    assert_eq!(a.len(), b.len());
    (0..a.len()).filter(|at| a[*at] != b[*at]).collect()
}
