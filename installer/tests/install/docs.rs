//! The examples of `docs/installer.md`, in both languages, run as they are printed. What a test
//! does not have is replaced in their text: the disks, the addresses, the live medium.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nestos_host::cmd::Cmd;

use crate::gpg::Gpg;
use crate::server::{Reply, Server};
use crate::support::{BOOT_AT, Bench, CONFIG, Loop, MIB, image, installer, loop_devices};

const ENGLISH: &str = include_str!("../../../docs/installer.md");
const CHINESE: &str = include_str!("../../../docs/installer.zh-CN.md");

const BUTANE: &str = "variant: nestos\nversion: 1.0.0\npasswd:\n  users:\n    - name: nest\n";

/// What is printed between fences of a kind.
fn blocks(text: &str, kind: &str) -> Vec<String> {
    let fence = format!("```{kind}\n");
    let parts = text.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// Returns the commands of a block, one a line, without comments.
fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Two disks, and a server with an image, its metadata and a config.
struct Stage {
    bench: Bench,
    server: Server,
    disk: Loop,
    other: Loop,
    _other: Bench,
}

impl Stage {
    fn new() -> Self {
        let (bench, other) = (Bench::new(40 * MIB), Bench::new(64 * MIB));
        let gpg = Gpg::new(&["nestos"]);
        let raw = bench.file("nestos.raw", image());
        Cmd::new("xz").args(["-0", &raw]).run().unwrap();
        let packed = fs::read(bench.dir.path().join("nestos.raw.xz")).unwrap();
        let signature = gpg.sign("nestos", &packed, &[]);
        bench.file("nestos.raw.xz.sig", &signature);
        let armoured = gpg.run(&["--armor", "--export", "nestos@example.org"]);
        bench.file("nestos-key.asc", armoured);
        for name in ["example.ign", "base.ign"] {
            bench.file(name, CONFIG);
        }
        for name in ["example.bu", "node1.bu"] {
            bench.file(name, BUTANE);
        }
        let digest = gpg.sha256(&packed);
        let server = Server::start(move |_, request| match request.path.as_str() {
            "/stable.json" => Reply::whole(metadata(&digest).as_bytes()),
            "/nestos.raw.xz" => Reply::ranged(request, &packed, "\"1\""),
            "/nestos.raw.xz.sig" => Reply::whole(&signature),
            "/node1.ign" => Reply::whole(CONFIG.as_bytes()),
            _ => Reply::status(404),
        });
        // A partition with data, to be saved, at the end of the other disk.
        let data = ["-n", "7:100000:+4M", "-c", "7:data1"];
        Cmd::new("sgdisk").args(["--clear"]).args(data).arg(&other.disk).run().unwrap();
        let (disk, kept) = (Loop::attach(&bench.disk, &[]), Loop::attach(&other.disk, &[]));
        // The commands find the program by its name.
        let program = bench.dir.path().join("nestos-installer");
        symlink(env!("CARGO_BIN_EXE_nestos-installer"), program).unwrap();
        Self { bench, server, disk, other: kept, _other: other }
    }

    /// Replaces what exists on no test machine. Options are added for what the documents take for
    /// granted: the stream of NestOS, keys of the system, addresses with encryption.
    fn adapted(&self, text: &str) -> String {
        let url = &self.server.url;
        let keys = if text.contains("list-stream") { "" } else { " --keyring nestos-key.asc" };
        let stream = format!("--stream stable --stream-base-url {url}/{keys}");
        let config = format!("--insecure-ignition --ignition-url {url}/");
        text.replace("--stream stable", &stream)
            .replace("--ignition-url https://config.example.com/", &config)
            .replace("/dev/sda", self.disk.0.to_str().unwrap())
            .replace("/dev/nvme0n1", self.other.0.to_str().unwrap())
    }

    /// Without an image option, the image is the running live medium's, which no test has.
    fn with_image(&self, command: &str) -> String {
        let named = ["--image-file", "--stream", "--config-file"];
        let live = command.starts_with("nestos-installer install")
            && !named.iter().any(|option| command.contains(option));
        let image = "--image-file nestos.raw.xz --keyring nestos-key.asc";
        if live {
            command.replacen(" install", &format!(" install {image}"), 1)
        } else {
            command.to_owned()
        }
    }

    /// Runs the commands of a block and returns what they say.
    fn run(&self, block: &str) -> String {
        let lines = commands(block);
        let lines = lines.iter().map(|line| self.adapted(&self.with_image(line)));
        let script = lines.collect::<Vec<_>>().join("\n");
        let dir = self.bench.dir.path();
        let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
        // Each block starts in the directory of the files that it names.
        let whole = format!("cd '{}'\n{script}\n", dir.display());
        let cmd = Cmd::new("sh").args(["-e", "-x", "-c", &whole]).env("PATH", path);
        let done = cmd.env("LC_ALL", "C").finish().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{script}\n{said}");
        String::from_utf8(done.stdout).unwrap() + &said
    }
}

fn metadata(digest: &str) -> String {
    let hex = digest.trim_start_matches("sha256:");
    let arch = std::env::consts::ARCH;
    format!(
        r#"{{"stream": "stable", "architectures": {{"{arch}": {{"artifacts": {{"metal": {{
            "release": "1.0", "formats": {{"raw.xz": {{"disk": {{"location": "nestos.raw.xz",
            "signature": "nestos.raw.xz.sig", "sha256": "{hex}"}}}}}}}}}}}}}}}}"#
    )
}

fn file(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn both_languages_have_the_same_examples() {
    let of = |text: &str| blocks(text, "sh").iter().flat_map(|b| commands(b)).collect::<Vec<_>>();
    assert_eq!(of(ENGLISH), of(CHINESE));
    for kind in ["yaml", "text"] {
        assert_eq!(blocks(ENGLISH, kind), blocks(CHINESE, kind));
    }
    assert!(of(ENGLISH).len() >= 9, "{:?}", of(ENGLISH));
    let tables = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
    let headings = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!((tables(ENGLISH), headings(ENGLISH)), (tables(CHINESE), headings(CHINESE)));
}

#[test]
fn every_example_does_what_it_says() {
    if !loop_devices("every_example_does_what_it_says") {
        return;
    }
    let stage = Stage::new();
    let dir = stage.bench.dir.path();
    let [options] = &blocks(ENGLISH, "yaml")[..] else { panic!("one option file is expected") };
    stage.bench.file("options.yaml", stage.adapted(options));
    let said: String = blocks(ENGLISH, "sh").iter().map(|block| stage.run(block)).collect();
    for text in
        ["dry run: ", "release 1.0", "signed by nestos <", "NestOS is installed on disk.raw"]
    {
        assert!(said.contains(text), "no {text:?} in:\n{said}");
    }
    assert!(fs::metadata(dir.join("images/nestos.raw.xz")).is_ok());
    assert!(file(dir, "report.json").contains(r#""outcome""#));
    assert!(file(dir, "progress.jsonl").lines().last().unwrap().contains(r#""installed""#));
    let table = Cmd::new("sgdisk").arg("-p").arg(&stage.other.0).output().unwrap();
    assert!(table.contains("data1") && table.contains("root"), "{table}");
    let sparse = format!("{}?offset={BOOT_AT}", dir.join("disk.raw").display());
    let listed = Cmd::new("debugfs").args(["-R", "ls /"]).arg(sparse).output().unwrap();
    assert!(listed.contains("ignition.firstboot"), "{listed}");
}

#[test]
fn the_messages_that_are_shown_are_those_of_the_program() {
    if !loop_devices("the_messages_that_are_shown_are_those_of_the_program") {
        return;
    }
    let bench = Bench::new(32 * MIB);
    let path = bench.file("nestos.raw", image());
    let mistakes = "      pasword_hash: x\nstorage:\n  files:\n    - path: etc/motd\n";
    let config = bench.file("c.bu", [BUTANE, mistakes].concat());
    let run = bench.install(["--image-file", &path, "--insecure", "-i", &config]);
    let [shown] = &blocks(ENGLISH, "text")[..] else { panic!("one example is expected") };
    let shown = shown.replace("/dev/sda", bench.disk.to_str().unwrap()).replace("c.bu", &config);
    assert_eq!((run.code, run.stderr), (Some(1), shown));
}

#[test]
fn every_option_is_described() {
    for command in ["install", "download", "list-stream"] {
        let help = installer().args([command, "--help"]).output().unwrap();
        let words = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let options = words.flat_map(|line| line.split_whitespace().take(2));
        let options = options.filter(|word| word.starts_with("--") && word.len() > 3);
        for option in options.filter(|o| !["--help", "--version"].contains(o)) {
            for (language, text) in [("English", ENGLISH), ("Chinese", CHINESE)] {
                assert!(text.contains(option), "no {option} of {command} in {language}");
            }
        }
    }
}
