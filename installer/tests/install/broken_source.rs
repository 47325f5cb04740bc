//! Images that are cut, damaged, too long or late, from a file and from a web server, stored in
//! every way: nothing of them boots, and the message tells what is wrong with them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nestos_host::cmd::Cmd;
use nestos_installer::digest::Digest;

use crate::judge;
use crate::scene::{Others, Scene};
use crate::server::{Reply, Request, Server};
use crate::support::{MIB, Run, installer, len};

const UNTOUCHED: &str = "the disk was not touched";
const UNBOOTABLE: &str = "the disk was left unbootable";

/// The image of the scene in every way of storing it, each with a checksum where the format
/// has one.
fn stored(raw: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(raw).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(raw).unwrap();
    let mut zst = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    zst.include_checksum(true).unwrap();
    zst.write_all(raw).unwrap();
    vec![
        ("raw", raw.to_vec()),
        ("gzip", gz.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zstd", zst.finish().unwrap()),
    ]
}

/// Where the image comes from.
#[derive(Debug, Clone, Copy)]
enum From {
    File,
    Server,
}

/// The answer of a server that has the image, but no signature of it.
fn unsigned(request: &Request, image: &[u8]) -> Reply {
    match [".sig", ".asc"].iter().any(|end| request.path.ends_with(end)) {
        true => Reply::status(404),
        false => Reply::ranged(request, image, "\"1\""),
    }
}

/// Installs what is stored on the first disk of the scene.
fn install(scene: &Scene, stored: &[u8], from: From, more: &[&str]) -> Run {
    let path = scene.bench.file("source", stored);
    let stored = stored.to_vec();
    let server = Server::start(move |_, request| unsigned(request, &stored));
    let image = match from {
        From::File => ["--image-file", &path],
        From::Server => ["--image-url", &server.url],
    };
    let cmd = installer().env("TMPDIR", scene.tmp()).arg("install").arg(&scene.bench.disk);
    Run::from(cmd.args(image).args(more).finish().unwrap())
}

#[test]
fn an_image_that_is_late_cut_damaged_or_too_long_boots_nothing() {
    let test = "an_image_that_is_late_cut_damaged_or_too_long_boots_nothing";
    if !judge::judges(test) {
        return;
    }
    let scene = Scene::set(Others::None);
    let late = Late::start(&scene);
    for (format, whole) in stored(&scene.image()) {
        for from in [From::File, From::Server] {
            refuse_other_lengths(&scene, format, &whole, from);
            refuse_damage(&scene, format, &whole, from);
        }
    }
    late.end(&scene);
}

fn refuse_other_lengths(scene: &Scene, format: &str, whole: &[u8], from: From) {
    let cut = |at: usize| whole[..at].to_vec();
    let text = if format == "raw" { "the image is cut off" } else { "it is cut off" };
    for (stored, texts) in [
        (cut(64), &[UNTOUCHED][..]),
        (cut(whole.len() / 2), &[UNBOOTABLE, text]),
        // In what the format checks itself with.
        (cut(whole.len() - 3), &[UNBOOTABLE, text]),
        ([whole, &[7; 700]].concat(), &[UNBOOTABLE, "garbage at its end"]),
    ] {
        scene.renew();
        let run = install(scene, &stored, from, &["--insecure"]);
        scene.assert_failed(run, &scene.bench.disk, texts);
    }
}

/// Changes one byte: in the head, in the table, in the middle, and in what the format checks
/// itself with.
fn refuse_damage(scene: &Scene, format: &str, whole: &[u8], from: From) {
    let digest = Digest::from(sha256(whole)).to_string();
    for at in [5, 530, whole.len() / 2, whole.len() - 3] {
        let mut stored = whole.to_vec();
        stored[at] ^= 0x10;
        scene.renew();
        let run = install(scene, &stored, from, &["--image-digest", &digest]);
        scene.assert_failed(run, &scene.bench.disk, &["cannot install on"]);
        // Without a digest, the format finds what it checks itself.
        if format != "raw" && at > 600 {
            scene.renew();
            let run = install(scene, &stored, from, &["--insecure"]);
            scene.assert_failed(run, &scene.bench.disk, &[UNBOOTABLE, format, "damaged"]);
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let out = Cmd::new("sha256sum").input(bytes).output().unwrap();
    let hex = out.split_whitespace().next().unwrap().to_owned();
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}

/// An installation whose server falls silent in mid-image for ever.
struct Late {
    child: Child,
    disk: PathBuf,
}

impl Late {
    fn start(scene: &Scene) -> Self {
        let disk = scene.fresh_disk("late");
        let image = scene.image();
        let server = Server::start(move |_, request| unsigned(request, &image).stall(len(9 * MIB)));
        let args = ["--insecure", "--fetch-retries", "0", "--image-url", &server.url];
        let cmd = installer().arg("install").arg(&disk).args(args);
        let child = cmd.spawn(Stdio::null(), Stdio::null(), Stdio::piped()).unwrap();
        Self { child, disk }
    }

    /// Waits until the installer has given up.
    fn end(self, scene: &Scene) {
        let done = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8(done.stderr).unwrap();
        let run = Run { code: done.status.code(), stderr };
        scene.assert_failed(run, &self.disk, &[UNBOOTABLE, "breaks off after 9437184 of 25165824"]);
    }
}
