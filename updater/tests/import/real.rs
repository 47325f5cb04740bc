//! The same image from Debian's docker-registry, and through skopeo.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use nestos_host::cmd::Cmd;

use crate::derived::base;
use crate::image::{Image, Layer, Zip};
use crate::machine::Machine;
use crate::server::have;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn image() -> Image {
    base().with(Layer::new().file("etc/motd", "hello\n").zip(Zip::Zstd))
}

fn skopeo_copy(from: &str, to: &str) {
    Cmd::new("skopeo")
        .args(["copy", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"])
        .args([from, to])
        .run()
        .unwrap();
}

#[test]
fn every_transport_gives_the_same_system() {
    if !have("skopeo") || !have("docker-registry") {
        return;
    }
    let Some(machine) = Machine::new() else { return };
    let layout = machine.disk().join("image");
    image().write_layout(&layout);
    let layout = format!("oci:{}", layout.display());
    let mut names = vec![layout.clone()];
    for transport in ["oci-archive", "dir"] {
        let name = format!("{transport}:{}", machine.disk().join(transport).display());
        skopeo_copy(&layout, &name);
        names.push(name);
    }
    let (_running, host) = docker_registry(&machine);
    machine.trust(&host);
    skopeo_copy(&layout, &format!("docker://{host}/nestos:v1"));
    names.push(format!("registry:{host}/nestos:v1"));

    let mut commits = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let ran = machine.pull(&format!("ostree-unverified-image:{name}"));
        commits.push(ran.ok().to_owned());
        let expected = if n == 0 { "3 layers fetched, 0" } else { "0 layers fetched, 3" };
        assert_eq!(ran.stderr, format!("{expected} already present\n"), "{name}");
    }
    commits.dedup();
    assert_eq!(commits.len(), 1, "{commits:?}");
    assert_eq!(machine.cat(&commits[0], "/usr/etc/motd"), "hello\n");
    machine.fsck("repo");
}

fn docker_registry(machine: &Machine) -> (Running, String) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = machine.disk().join("registry.yml");
    let store = machine.disk().join("store").display().to_string();
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\n\
         storage: {{filesystem: {{rootdirectory: {store}}}}}\nhttp:\n  addr: {address}\n"
    );
    std::fs::write(&config, text).unwrap();
    let child = Cmd::new("docker-registry").arg("serve").arg(&config);
    let child = child.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
    let running = Running(child);
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return (running, address.to_string());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("docker-registry does not listen on {address}");
}
