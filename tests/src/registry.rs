//! A real registry on the loopback; a guest reaches it as 10.0.2.2.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nestos_host::cmd::Cmd;

/// docker-registry, until it goes out of scope.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    child: Child,
    log: PathBuf,
}

impl Registry {
    /// Starts a registry that keeps its images and its log in `dir`.
    pub fn start(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let store = dir.join("store");
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n",
            store.display()
        );
        fs::write(dir.join("registry.yml"), config)?;
        let log = dir.join("registry.log");
        let out = File::create(&log)?;
        let child = Cmd::new("docker-registry")
            .arg("serve")
            .arg(dir.join("registry.yml"))
            .when_missing("install docker-registry")
            .spawn(Stdio::null(), out.try_clone()?.into(), out.into())?;
        let registry = Self { port: address.port(), child, log };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Ok(registry);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("docker-registry does not listen: {}", registry.log()?)
    }

    /// Returns the name of a repository as a guest on a user network sees it.
    pub fn guest_name(&self, repository: &str) -> String {
        format!("10.0.2.2:{}/{repository}", self.port)
    }

    /// Returns the name of a repository on this host.
    pub fn name(&self, repository: &str) -> String {
        format!("127.0.0.1:{}/{repository}", self.port)
    }

    /// Returns what allows a guest to ask it over plain HTTP (registries.conf.d).
    pub fn guest_conf(&self) -> String {
        format!("[[registry]]\nlocation = \"10.0.2.2:{}\"\ninsecure = true\n", self.port)
    }

    /// Pushes an image, named as skopeo names it, to `repository:tag`.
    pub fn push(&self, image: &str, repository: &str) -> Result<()> {
        let to = format!("docker://{}", self.name(repository));
        Cmd::new("skopeo")
            .args(["copy", "-q", "--dest-tls-verify=false", image, &to])
            .when_missing("install skopeo")
            .run()
            .with_context(|| format!("pushing {image}"))
    }

    /// Returns the log of all requests.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).context("reading the registry's log")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
