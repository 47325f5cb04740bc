//! Debian's docker-registry, with and without TLS, and an image that skopeo pushed.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use nestos_host::cmd::Cmd;
use oci_spec::image::ImageManifest;

use super::server::{Node, content, drain, have, lines};
use super::skopeo::{layout, push};

/// docker-registry, which ends with the test.
struct Registry {
    host: String,
    child: Child,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Registry {
    /// Starts it on a free port; `tls` is what its configuration says about TLS.
    fn start(dir: &Path, tls: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let store = dir.join("store").display().to_string();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\n\
             storage: {{filesystem: {{rootdirectory: {store}}}}}\n\
             http:\n  addr: {address}\n{tls}"
        );
        std::fs::write(dir.join("registry.yml"), config).unwrap();
        let child = Cmd::new("docker-registry")
            .arg("serve")
            .arg(dir.join("registry.yml"))
            .spawn(Stdio::null(), Stdio::null(), Stdio::null())
            .unwrap();
        let registry = Self { host: address.to_string(), child };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return registry;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("docker-registry does not listen on {address}");
    }
}

fn can_run() -> bool {
    ["docker-registry", "skopeo"].iter().all(|program| have(program))
}

#[test]
fn an_image_that_skopeo_pushed_comes_back() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(dir.path(), "");
    let pushed = layout(&dir.path().join("image"));
    push(&dir.path().join("image"), &format!("docker://{}/nestos:v1", registry.host));
    let conf = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", registry.host);
    let node = Node::new(&conf);
    let source = node.open(&format!("registry:{}/nestos:v1", registry.host));
    let found = source.manifest().unwrap();
    assert_eq!(found, pushed);
    assert_eq!(source.digest().unwrap(), pushed.digest);
    let manifest: ImageManifest = serde_json::from_slice(&found.bytes).unwrap();
    for (descriptor, length) in manifest.layers().iter().zip([200_000, 300]) {
        assert_eq!(drain(&*source, descriptor).unwrap(), content(length));
    }
    let said = lines(node.open(&format!("registry:{}/nestos:v2", registry.host)).manifest());
    assert_eq!(said, [format!("error: no such tag nestos:v2 on {}", registry.host)]);
}

#[test]
fn a_private_authority_is_trusted_once_its_certificate_is_there() {
    if !can_run() || !have("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let tls = format!("  tls: {{certificate: {}, key: {}}}\n", path("h.crt"), path("h.key"));
    let registry = Registry::start(dir.path(), &tls);
    layout(&dir.path().join("image"));
    push(&dir.path().join("image"), &format!("docker://{}/nestos:v1", registry.host));

    let node = Node::new("");
    let image = format!("registry:{}/nestos:v1", registry.host);
    assert_eq!(
        lines(node.open(&image).manifest()),
        [
            format!("error: cannot reach {}", registry.host),
            "  because: invalid peer certificate: UnknownIssuer".to_owned(),
            format!(
                "hint: put the certificate of its authority into \
                 /etc/containers/certs.d/{}/ca.crt",
                registry.host
            )
        ]
    );
    let authority = std::fs::read(dir.path().join("ca.crt")).unwrap();
    node.write(&format!("etc/containers/certs.d/{}/ca.crt", registry.host), authority);
    node.open(&image).manifest().unwrap();

    let conf = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", registry.host);
    Node::new(&conf).open(&image).manifest().unwrap();
}

/// Makes an authority `ca` and a certificate `h` for 127.0.0.1.
fn certificate(dir: &Path) {
    let openssl = |args: &str| {
        Cmd::new("openssl").args(args.split(' ')).cwd(dir).run().unwrap();
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority"));
    openssl(&format!("req {key} -keyout h.key -out h.csr -subj /CN=h"));
    std::fs::write(dir.join("h.ext"), "subjectAltName=IP:127.0.0.1").unwrap();
    openssl(
        "x509 -req -in h.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out h.crt -days 2 \
         -extfile h.ext",
    );
}
