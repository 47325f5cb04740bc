//! A small disk image, disks to install it to, and a web server.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::thread;

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use nestos_host::cmd::{Cmd, Finished};
use nestos_host::term;
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1024 * 1024;
pub(crate) const IMAGE_SIZE: u64 = 24 * MIB;
pub(crate) const BOOT_AT: u64 = 2 * MIB;
pub(crate) const BOOT_LEN: u64 = 8 * MIB;
pub(crate) const ROOT_AT: u64 = 10 * MIB;
pub(crate) const ENTRY: &str = "title NestOS 1 (ostree:0)\nversion 1\noptions root=LABEL=root rw \
    console=tty0 ignition.platform.id=metal $ignition_firstboot ostree=/ostree/boot.1/x/0\n\
    linux /ostree/x/vmlinuz\ninitrd /ostree/x/initramfs.img\n";
pub(crate) const CONFIG: &str = r#"{"ignition":{"version":"3.3.0"}}"#;

pub(crate) fn len(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

/// Returns the image for 512-byte sectors.
pub(crate) fn image() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| make_image(LogicalBlockSize::Lb512, ENTRY))
}

/// Makes an image: BIOS boot, `boot` (ext4 with a boot entry), `root` (noise, then zeros).
pub(crate) fn make_image(sector: LogicalBlockSize, entry: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mut file = File::create_new(&path).unwrap();
    file.set_len(IMAGE_SIZE).unwrap();
    let partitions = [
        (1, "BIOS-BOOT", MIB, MIB),
        (2, "EFI-SYSTEM", 22 * MIB, MIB),
        (3, "boot", BOOT_AT, BOOT_LEN),
        (4, "root", ROOT_AT, 12 * MIB),
    ];
    write_table(&path, IMAGE_SIZE, sector, &partitions);
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(b"GRUB core").unwrap();
    file.seek(SeekFrom::Start(BOOT_AT)).unwrap();
    file.write_all(&boot_filesystem(dir.path(), entry)).unwrap();
    // The first MiB of root stays zeros: nothing of the disk's past may show through.
    file.seek(SeekFrom::Start(ROOT_AT + MIB)).unwrap();
    file.write_all(&noise(3 * len(MIB))).unwrap();
    fs::read(&path).unwrap()
}

/// Writes the table of an image of `size` bytes: number, name, start and length of partitions.
pub(crate) fn write_table(
    path: &Path,
    size: u64,
    sector: LogicalBlockSize,
    partitions: &[(u32, &str, u64, u64)],
) {
    let device = File::options().read(true).write(true).open(path).unwrap();
    let guid = nestos_formats::disk_layout::IMAGE_DISK_GUID.parse().unwrap();
    let config = GptConfig::new().writable(true).logical_block_size(sector);
    let mut disk = config.create_from_device(device, Some(guid)).unwrap();
    let lba = |bytes: u64| bytes / sector.as_u64();
    let kind = gpt::partition_types::LINUX_FS;
    for (id, name, at, length) in partitions {
        disk.add_partition_at(name, *id, lba(*at), lba(*length), kind.clone(), 0).unwrap();
    }
    let mut device = disk.write().unwrap();
    let sectors = u32::try_from(lba(size) - 1).unwrap();
    ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut device).unwrap();
}

pub(crate) fn boot_filesystem(dir: &Path, entry: &str) -> Vec<u8> {
    let tree = dir.join("boot");
    let write = |path: &str, text: &str| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("loader.1/entries/ostree-1-nestos.conf", entry);
    write("loader.1/entries/ostree-0-nestos.conf", "title old\noptions old\n");
    std::os::unix::fs::symlink("loader.1", tree.join("loader")).unwrap();
    write(
        "grub2/grub.cfg",
        "# CONSOLE-SETTINGS-START\nterminal_input console\n# CONSOLE-SETTINGS-END\nblscfg\n",
    );
    write("ignition.firstboot", "");
    write(
        "nestos/platforms.json",
        r#"{"metal": {"kernel_arguments": ["console=tty0"]}, "qemu":
           {"grub_commands": ["serial --speed=115200"], "kernel_arguments": ["console=ttyS0"]}}"#,
    );
    let fs_image = dir.join("boot.img");
    File::create(&fs_image).unwrap().set_len(BOOT_LEN).unwrap();
    Cmd::new("mke2fs")
        .args(["-q", "-t", "ext4", "-b", "4096", "-L", "boot", "-d"])
        .args([&tree, &fs_image])
        .when_missing("install e2fsprogs")
        .run()
        .unwrap();
    fs::read(fs_image).unwrap()
}

/// Bytes that do not compress, the same every time (xorshift).
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// A directory with an image and a disk in it.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) disk: PathBuf,
}

impl Bench {
    /// Makes a disk whose every byte was used before.
    pub(crate) fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk");
        fs::write(&disk, vec![0xA5; len(size)]).unwrap();
        Self { dir, disk }
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `nestos-installer install DISK ARGS`.
    pub(crate) fn install<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Run {
        install_on(&self.disk, args)
    }

    pub(crate) fn disk_bytes(&self) -> Vec<u8> {
        fs::read(&self.disk).unwrap()
    }

    pub(crate) fn assert_untouched(&self) {
        assert!(self.disk_bytes().iter().all(|b| *b == 0xA5), "the disk was touched");
    }

    /// Neither end holds anything that could boot or be taken for a table.
    pub(crate) fn assert_unbootable(&self) {
        let bytes = self.disk_bytes();
        let (first, last) = (&bytes[..len(MIB)], &bytes[bytes.len() - len(MIB)..]);
        assert!(first.iter().chain(last).all(|b| *b == 0), "an end of the disk is not erased");
    }
}

pub(crate) fn installer() -> Cmd {
    Cmd::new(env!("CARGO_BIN_EXE_nestos-installer")).env("LC_ALL", "C")
}

pub(crate) fn install_on<S: AsRef<std::ffi::OsStr>>(
    disk: &Path,
    args: impl IntoIterator<Item = S>,
) -> Run {
    Run::from(installer().arg("install").arg(disk).args(args).finish().unwrap())
}

/// Starts an installation and leaves it running; its stderr can be read.
pub(crate) fn start_install(disk: &Path, args: &[&str]) -> Child {
    let cmd = installer().arg("install").arg(disk).args(args);
    cmd.spawn(Stdio::null(), Stdio::null(), Stdio::piped()).unwrap()
}

/// What a finished run left.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl From<Finished> for Run {
    fn from(done: Finished) -> Self {
        let stderr = String::from_utf8(done.stderr).unwrap();
        Self { code: done.status.code(), stderr }
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Requires failure and that stderr contains every text.
    #[track_caller]
    pub(crate) fn fails_with(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        }
        self
    }
}

/// Reads a file of the ext4 file system at `offset` of a disk, with debugfs.
pub(crate) fn boot_file(disk: &Path, path: &str) -> String {
    debugfs(disk, &format!("cat {path}"))
}

pub(crate) fn debugfs(disk: &Path, request: &str) -> String {
    let device = format!("{}?offset={BOOT_AT}", disk.display());
    Cmd::new("debugfs").args(["-R", request]).arg(device).output().unwrap()
}

pub(crate) fn debugfs_write(disk: &Path, request: &str) {
    let device = format!("{}?offset={BOOT_AT}", disk.display());
    Cmd::new("debugfs").args(["-w", "-R", request]).arg(device).run().unwrap();
}

/// Returns whether loop devices can be used; says loudly when a test is skipped.
pub(crate) fn loop_devices(test: &str) -> bool {
    let usable = nestos_installer::boot::check_editable().is_ok();
    if !usable {
        term::status(format!("SKIPPED {test}: it needs root and loop devices"));
    }
    usable
}

/// Returns whether a program exists; says loudly when a test is skipped.
pub(crate) fn program(name: &str, test: &str) -> bool {
    let exists = Cmd::new(name).arg("--version").finish().is_ok();
    if !exists {
        term::status(format!("SKIPPED part of {test}: it needs the program {name}"));
    }
    exists
}

/// A loop device of a test, detached when dropped.
pub(crate) struct Loop(pub(crate) PathBuf);

impl Loop {
    pub(crate) fn attach(file: &Path, options: &[&str]) -> Self {
        let out = Cmd::new("losetup").args(["--find", "--show"]).args(options).arg(file).output();
        Self(PathBuf::from(out.unwrap().trim()))
    }

    pub(crate) fn partition(&self, number: u32) -> PathBuf {
        PathBuf::from(format!("{}p{number}", self.0.display()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let detached = Cmd::new("losetup").arg("--detach").arg(&self.0).run();
        assert!(thread::panicking() || detached.is_ok(), "{detached:?}");
    }
}

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// All of it.
    Whole(Vec<u8>),
    /// An error status.
    Status(u16),
    /// The first bytes of a longer answer, then the connection ends.
    Cut(Vec<u8>, usize),
    /// The first bytes of a longer answer, then silence.
    Stall(Vec<u8>, usize),
}

/// Serves the answers in turn, the last one for ever, and returns the base URL. There are no
/// signatures.
pub(crate) fn serve(answers: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        let mut last = answers.next().unwrap();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Ok(path) = requested(&mut stream) else { continue };
            let answer = if path.ends_with(".sig") || path.ends_with(".asc") {
                Answer::Status(404)
            } else {
                let answer = last.clone();
                last = answers.next().unwrap_or(last);
                answer
            };
            thread::spawn(move || drop(reply(stream, &answer)));
        }
    });
    url
}

fn requested(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    Ok(request.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn reply(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let (status, total, body) = match answer {
        Answer::Whole(bytes) => (200, bytes.len(), &bytes[..]),
        Answer::Status(status) => (*status, 0, &b""[..]),
        Answer::Cut(bytes, n) | Answer::Stall(bytes, n) => (200, bytes.len(), &bytes[..*n]),
    };
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {total}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)?;
    if matches!(answer, Answer::Stall(..)) {
        // Until the other side gives up.
        stream.read_exact(&mut [0])?;
    }
    Ok(())
}
