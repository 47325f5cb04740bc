//! Downloads of what a stream offers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use nestos_host::cmd::Cmd;
use nestos_host::term;
use nestos_installer::download::{self, DownloadRequest, Form, Vouching, What};
use nestos_installer::fetch::Retries;
use nestos_installer::request::Unsigned;
use nestos_installer::source::StreamSource;
use nestos_installer::trust::KeySources;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::gpg::Gpg;
use crate::server::{Reply, Server};
use crate::support::{Run, installer, noise};

/// Files of a web server by path.
type Files = Vec<(&'static str, Vec<u8>)>;

fn serve_files(files: Files) -> Server {
    Server::start(move |_, request| {
        let found = files.iter().find(|(path, _)| *path == request.path);
        found.map_or(Reply::status(404), |(_, bytes)| Reply::ranged(request, bytes, "\"1\""))
    })
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Metadata of a stream with one format of metal for this file.
fn metadata(format: &str, location: &str, stored: &[u8], unpacked: &[u8]) -> Vec<u8> {
    format!(
        r#"{{"stream": "stable", "architectures": {{"x86_64": {{"artifacts": {{"metal": {{
            "release": "1.0", "formats": {{"{format}": {{"disk": {{"location": "{location}",
            "sha256": "{}", "uncompressed-sha256": "{}"}}}}}}}}}}}}}}}}"#,
        hex(stored),
        hex(unpacked)
    )
    .into_bytes()
}

/// A directory to download to.
struct Target {
    dir: TempDir,
}

impl Target {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn request(&self, what: What, form: Form) -> DownloadRequest {
        DownloadRequest {
            what,
            directory: self.dir.path().to_owned(),
            form,
            vouching: Vouching {
                digest: None,
                unsigned: Unsigned::Accept,
                keys: KeySources::choose(vec![]),
            },
            retries: Retries::Finite(0),
        }
    }

    /// Downloads the image of the stream without signature; an error is returned as it is shown.
    fn stream(&self, server: &Server, form: Form) -> Result<(), String> {
        shown(download::run(&self.request(of_stream(server), form)))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn of_stream(server: &Server) -> What {
    What::Stream {
        source: StreamSource {
            name: "stable".parse().unwrap(),
            base: format!("{}/streams", server.url).parse().unwrap(),
        },
        arch: "x86_64".to_owned(),
        platform: "metal".to_owned(),
        format: None,
    }
}

fn shown<T>(result: anyhow::Result<T>) -> Result<T, String> {
    result.map_err(|e| term::error_lines(&e).join("\n"))
}

fn asked_for(server: &Server, path: &str) -> usize {
    server.requests().iter().filter(|request| request.path == path).count()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Cmd::new("xz").args(["-1", "--keep", "--force"]).arg(file.path()).run().unwrap();
    let packed = format!("{}.xz", file.path().display());
    let bytes = fs::read(&packed).unwrap();
    fs::remove_file(packed).unwrap();
    bytes
}

fn image_server(image: &[u8], served: Vec<u8>) -> Server {
    let stored = xz(image);
    let metadata = metadata("raw.xz", "../images/x.raw.xz", &stored, image);
    let served = if served.is_empty() { stored } else { served };
    serve_files(vec![("/streams/stable.json", metadata), ("/images/x.raw.xz", served)])
}

#[test]
fn an_image_of_a_stream_is_saved_once() {
    let image = noise(300_000);
    let server = image_server(&image, Vec::new());
    let target = Target::new();
    target.stream(&server, Form::AsStored).unwrap();
    assert_eq!(fs::read(target.path("x.raw.xz")).unwrap(), xz(&image));
    assert_eq!(target.names(), ["x.raw.xz"]);
    target.stream(&server, Form::AsStored).unwrap();
    assert_eq!(asked_for(&server, "/images/x.raw.xz"), 1, "it was fetched again");
    // A file that somebody damaged is replaced.
    fs::write(target.path("x.raw.xz"), "damaged").unwrap();
    target.stream(&server, Form::AsStored).unwrap();
    assert_eq!(fs::read(target.path("x.raw.xz")).unwrap(), xz(&image));
}

#[test]
fn an_image_is_decompressed_on_demand() {
    let image = noise(300_000);
    let server = image_server(&image, Vec::new());
    let target = Target::new();
    target.stream(&server, Form::Decompressed).unwrap();
    assert_eq!(fs::read(target.path("x.raw")).unwrap(), image);
    assert_eq!(target.names(), ["x.raw"]);
}

#[test]
fn an_image_that_is_not_what_the_stream_says_leaves_nothing() {
    let image = noise(300_000);
    let stored = xz(&image);
    let mut damaged = stored.clone();
    damaged[1000] ^= 1;
    let longer = [&stored[..], b"garbage"].concat();
    for served in [damaged, longer, stored[..1000].to_vec()] {
        for form in [Form::AsStored, Form::Decompressed] {
            let server = image_server(&image, served.clone());
            let target = Target::new();
            let error = target.stream(&server, form).unwrap_err();
            assert!(error.contains(&format!("cannot download {}/images/", server.url)), "{error}");
            assert!(error.contains("has the digest"), "{error}");
            assert!(target.names().is_empty(), "{:?} is left", target.names());
        }
    }
}

#[test]
fn the_next_run_goes_on_where_one_broke_off() {
    let image = noise(300_000);
    let stored = xz(&image);
    let metadata = metadata("raw.xz", "/x.raw.xz", &stored, &image);
    let whole = stored.clone();
    let server = Server::start(move |number, request| match request.path.as_str() {
        "/streams/stable.json" => Reply::whole(&metadata),
        "/x.raw.xz" if number < 4 => Reply::ranged(request, &stored, "\"1\"").cut(100_000),
        "/x.raw.xz" => Reply::ranged(request, &stored, "\"1\""),
        _ => Reply::status(404),
    });
    let target = Target::new();
    let error = target.stream(&server, Form::AsStored).unwrap_err();
    assert!(
        error.contains(&format!("breaks off after 100000 of {} bytes", whole.len())),
        "{error}"
    );
    assert!(error.contains("hint: 100000 bytes are kept in "), "{error}");
    assert_eq!(target.names(), ["x.raw.xz.partial"]);
    target.stream(&server, Form::AsStored).unwrap();
    assert_eq!(server.requests().last().unwrap().header("range"), Some("bytes=100000-"));
    assert_eq!(fs::read(target.path("x.raw.xz")).unwrap(), whole);
    assert_eq!(target.names(), ["x.raw.xz"]);
}

#[test]
fn what_another_file_left_is_not_gone_on_with() {
    let image = noise(300_000);
    // Too long, as long, and shorter than the file of the stream.
    for length in [xz(&image).len() + 1, xz(&image).len(), 1000] {
        let server = image_server(&image, Vec::new());
        let target = Target::new();
        fs::write(target.path("x.raw.xz.partial"), vec![7; length]).unwrap();
        target.stream(&server, Form::AsStored).unwrap();
        assert_eq!(fs::read(target.path("x.raw.xz")).unwrap(), xz(&image));
        assert_eq!(target.names(), ["x.raw.xz"]);
    }
}

#[test]
fn a_complete_download_that_was_not_named_yet_is_not_fetched_again() {
    let image = noise(300_000);
    let server = image_server(&image, Vec::new());
    let target = Target::new();
    fs::write(target.path("x.raw.xz.partial"), xz(&image)).unwrap();
    target.stream(&server, Form::AsStored).unwrap();
    assert_eq!(target.names(), ["x.raw.xz"]);
    let ask = server.requests().into_iter().find(|r| r.path == "/images/x.raw.xz").unwrap();
    assert_eq!(ask.header("range"), Some(format!("bytes={}-", xz(&image).len()).as_str()));
}

#[test]
fn without_anything_to_verify_a_download_starts_anew() {
    let server = serve_files(vec![("/x.iso", noise(5000))]);
    let target = Target::new();
    let url = format!("{}/x.iso?token=secret", server.url);
    let url_request = |target: &Target| {
        let what = What::Url(url.split('?').next().unwrap().parse().unwrap());
        target.request(what, Form::AsStored)
    };
    fs::write(target.path("x.iso.partial"), [7; 1000]).unwrap();
    fs::write(target.path("x.iso"), "unknown").unwrap();
    shown(download::run(&url_request(&target))).unwrap();
    assert_eq!(fs::read(target.path("x.iso")).unwrap(), noise(5000));
}

#[test]
fn all_parts_of_a_format_are_saved() {
    let parts = ["initramfs", "kernel", "rootfs"];
    let formats: Vec<String> = parts
        .iter()
        .map(|p| format!(r#""{p}": {{"location": "/{p}.img", "sha256": "{}"}}"#, hex(p.as_bytes())))
        .collect();
    let metadata = format!(
        r#"{{"architectures": {{"x86_64": {{"artifacts": {{"metal": {{"formats": {{"pxe": {{{}}}}}}}}}}}}}}}"#,
        formats.join(",")
    );
    let server = serve_files(vec![
        ("/streams/stable.json", metadata.into_bytes()),
        ("/initramfs.img", b"initramfs".to_vec()),
        ("/kernel.img", b"kernel".to_vec()),
        ("/rootfs.img", b"rootfs".to_vec()),
    ]);
    let target = Target::new();
    let What::Stream { source, arch, platform, .. } = of_stream(&server) else { panic!() };
    let what = What::Stream { source, arch, platform, format: Some("pxe".to_owned()) };
    shown(download::run(&target.request(what, Form::AsStored))).unwrap();
    assert_eq!(target.names(), ["initramfs.img", "kernel.img", "rootfs.img"]);
}

#[test]
fn what_cannot_be_found_is_explained() {
    let image = noise(1000);
    let server = image_server(&image, Vec::new());
    let target = Target::new();
    let error = |name: &str, platform: &str, format: &str| {
        let What::Stream { source, arch, .. } = of_stream(&server) else { panic!() };
        let what = What::Stream {
            source: StreamSource { name: name.parse().unwrap(), ..source },
            arch,
            platform: platform.to_owned(),
            format: Some(format.to_owned()),
        };
        shown(download::run(&target.request(what, Form::AsStored))).unwrap_err()
    };
    let text = error("stabel", "metal", "raw.xz");
    assert!(text.contains("cannot look up stream stabel"), "{text}");
    assert!(text.contains("hint: check the name of the stream"), "{text}");
    let text = error("stable", "mteal", "raw.xz");
    assert!(text.contains("hint: did you mean \"metal\"? there are: metal"), "{text}");
    let text = error("stable", "metal", "raw.gz");
    assert!(text.contains("there is no format \"raw.gz\" of metal for x86_64"), "{text}");
    assert!(target.names().is_empty());
}

#[test]
fn two_downloads_of_one_file_do_not_meet() {
    let image = noise(1000);
    let server = image_server(&image, Vec::new());
    let target = Target::new();
    let held = fs::File::create(target.path("x.raw.xz.partial")).unwrap();
    let lock = nix::fcntl::Flock::lock(held, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let error = target.stream(&server, Form::AsStored).unwrap_err();
    assert!(error.contains("another download writes "), "{error}");
    drop(lock);
    target.stream(&server, Form::AsStored).unwrap();
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let server = image_server(&noise(1000), Vec::new());
    let target = Target::new();
    let request = DownloadRequest {
        directory: Path::new("/nowhere/at/all").to_owned(),
        ..target.request(of_stream(&server), Form::AsStored)
    };
    let error = shown(download::run(&request)).unwrap_err();
    assert!(error.contains("/nowhere/at/all is no directory"), "{error}");
    assert!(server.requests().is_empty());
}

/// A stream whose image `ann` signed, and her key.
struct Signed {
    server: Server,
    image: Vec<u8>,
    keys: PathBuf,
    gpg: Gpg,
}

impl Signed {
    fn new() -> Self {
        Self::with(|signature| signature)
    }

    /// The server has what `change` makes of the signature.
    fn with(change: impl Fn(Vec<u8>) -> Vec<u8>) -> Self {
        let gpg = Gpg::new(&["ann"]);
        let image = noise(300_000);
        let stored = xz(&image);
        let signature = change(gpg.sign("ann", &stored, &[]));
        let server = serve_files(vec![
            ("/streams/stable.json", metadata("raw.xz", "/x.raw.xz", &stored, &image)),
            ("/x.raw.xz", stored),
            ("/x.raw.xz.sig", signature),
        ]);
        let keys = gpg.path("keys.gpg");
        fs::write(&keys, gpg.export(&["ann"])).unwrap();
        Self { server, image, keys, gpg }
    }

    /// Runs `nestos-installer download` with the key.
    fn download(&self, target: &Target, args: &[&str]) -> Run {
        let cmd = installer().args(["download", "--architecture", "x86_64", "--keyring"]);
        let cmd = cmd.arg(&self.keys).arg("-C").arg(target.dir.path());
        let cmd = cmd.args(["--fetch-retries", "0"]).args(args);
        Run::from(cmd.finish().unwrap())
    }

    fn stream(&self, target: &Target, args: &[&str]) -> Run {
        let base = format!("{}/streams/", self.server.url);
        self.download(target, &[&["--stream-base-url", base.as_str()], args].concat())
    }
}

#[test]
fn a_signed_image_is_saved_with_its_signature_once() {
    let signed = Signed::new();
    let target = Target::new();
    signed.stream(&target, &[]).ok();
    assert_eq!(target.names(), ["x.raw.xz", "x.raw.xz.sig"]);
    let read = |name: &str| fs::read(target.path(name)).unwrap();
    let keys = fs::read(&signed.keys).unwrap();
    assert!(signed.gpg.gpgv(&keys, &read("x.raw.xz.sig"), &read("x.raw.xz")));
    let asked = signed.server.requests().len();
    signed.stream(&target, &[]).ok();
    // Only what the stream offers was looked up again.
    assert_eq!(signed.server.requests().len(), asked + 1);
    let url = format!("{}/x.raw.xz", signed.server.url);
    signed.download(&target, &["--image-url", &url]).ok();
    assert_eq!(signed.server.requests().len(), asked + 1);
    // What is there is decompressed without fetching it again.
    signed.stream(&target, &["--decompress"]).ok();
    assert_eq!(read("x.raw"), signed.image);
    assert_eq!(asked_for(&signed.server, "/x.raw.xz"), 1);
}

#[test]
fn a_decompressed_image_was_verified_and_has_no_signature() {
    let signed = Signed::new();
    let target = Target::new();
    signed.stream(&target, &["-d"]).ok();
    assert_eq!(target.names(), ["x.raw"]);
    assert_eq!(fs::read(target.path("x.raw")).unwrap(), signed.image);
}

#[test]
fn an_image_that_nobody_signed_is_only_saved_on_demand() {
    let server = image_server(&noise(1000), Vec::new());
    let signed = Signed { server, ..Signed::new() };
    let target = Target::new();
    signed.stream(&target, &[]).fails_with(1, &["there is no signature", "x.raw.xz.sig"]);
    assert!(target.names().is_empty());
    assert_eq!(asked_for(&signed.server, "/images/x.raw.xz"), 0);
    let stored = hex(&xz(&noise(1000)));
    let other = format!("sha256:{}", "00".repeat(32));
    signed.stream(&target, &["--image-digest", &other]).fails_with(1, &["but the stream has"]);
    assert!(target.names().is_empty());
    let by_digest = Target::new();
    signed.stream(&by_digest, &["--image-digest", &format!("sha256:{stored}")]).ok();
    assert_eq!(by_digest.names(), ["x.raw.xz"]);
    let run = signed.stream(&target, &["--insecure"]).ok();
    assert!(run.stderr.contains("is not signed"), "{}", run.stderr);
    assert_eq!(target.names(), ["x.raw.xz"]);
}

#[test]
fn a_bad_signature_is_never_accepted() {
    let wrong = |_| Gpg::new(&["mallory"]).sign("mallory", &xz(&noise(300_000)), &[]);
    for signed in [Signed::with(|_| b"garbage".to_vec()), Signed::with(wrong)] {
        let target = Target::new();
        for args in [&[][..], &["--insecure"], &["--insecure", "-d"]] {
            signed.stream(&target, args).fails_with(1, &["x.raw.xz.sig does not vouch"]);
            assert!(target.names().is_empty());
        }
        assert_eq!(asked_for(&signed.server, "/x.raw.xz"), 0);
    }
}

#[test]
fn a_stream_is_listed_for_people_and_programs() {
    let signed = Signed::new();
    let base = format!("{}/streams", signed.server.url);
    let list = |args: &[&str]| {
        let cmd = installer().args(["list-stream", "--stream-base-url", &base]).args(args);
        cmd.output().unwrap()
    };
    assert_eq!(list(&[]), "Architecture  Platform  Format\nx86_64        metal     raw.xz\n");
    let listed: serde_json::Value = serde_json::from_str(&list(&["--json"])).unwrap();
    let image = &listed["images"][0];
    assert_eq!(image["location"], format!("{}/x.raw.xz", signed.server.url));
    assert_eq!(image["sha256"], hex(&xz(&signed.image)));
    assert_eq!((&image["artifact"], &image["release"]), (&"disk".into(), &"1.0".into()));
}
