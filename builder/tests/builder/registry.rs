//! A registry on this host that lets one user in.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nestos_host::cmd::Cmd;

/// `nosa:secret`, as htpasswd -B writes it.
const USERS: &str = "nosa:$2b$04$iR0Wn7YO7s0d6yeGMF5W2eV6QQlH.A3SjR3FFGVu2AYCMexhyFxwK\n";

/// A running docker-registry; it ends with the value.
#[derive(Debug)]
pub(crate) struct Registry {
    server: Child,
    dir: PathBuf,
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
}

impl Registry {
    /// Starts one that keeps its files in `dir`.
    pub(crate) fn start(dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("users"), USERS).unwrap();
        let settings = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {0}/blobs}}\n\
             http: {{addr: '{host}'}}\nauth:\n  htpasswd: {{realm: nosa, path: {0}/users}}\n",
            dir.display()
        );
        fs::write(dir.join("settings.yml"), settings).unwrap();
        let null = Stdio::null;
        let server = Cmd::new("docker-registry").arg("serve").arg(dir.join("settings.yml"));
        let mut server = server.spawn(null(), null(), null()).unwrap();
        while TcpStream::connect(&host).is_err() {
            assert!(server.try_wait().unwrap().is_none(), "docker-registry ended");
            sleep(Duration::from_millis(20));
        }
        Self { server, dir: dir.to_owned(), host }
    }

    /// Writes a file with credentials, in base64.
    pub(crate) fn credentials(&self, auth: &str) -> String {
        let path = self.dir.join("auth.json");
        let text = format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, self.host);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}
