//! Keys and signatures as people make them: with GnuPG, in a home of its own.

use std::fs;
use std::path::PathBuf;

use nestos_host::cmd::Cmd;
use tempfile::TempDir;

/// Keys that end in the past are made then; see `--faked-system-time`.
pub(crate) const LONG_AGO: &str = "20200101T000000";

/// A home of GnuPG with secret keys, all without passphrase.
pub(crate) struct Gpg {
    dir: TempDir,
}

impl Gpg {
    /// Makes a home with an Ed25519 key for each name.
    pub(crate) fn new(names: &[&str]) -> Self {
        let gpg = Self { dir: tempfile::tempdir().unwrap() };
        for name in names {
            gpg.key(name, &["ed25519", "sign", "never"]);
        }
        gpg
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self, program: &str) -> Cmd {
        let home = self.dir.path();
        Cmd::new(program).env("GNUPGHOME", home).env("LC_ALL", "C").env("TZ", "UTC")
    }

    /// Runs gpg and returns what it prints.
    pub(crate) fn run(&self, args: &[&str]) -> Vec<u8> {
        let batch = ["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase="];
        let cmd = self.command("gpg").args(batch).args(args);
        cmd.when_missing("install gnupg").output_bytes().unwrap()
    }

    /// Makes a key: algorithm, use and expiry, then options.
    pub(crate) fn key(&self, name: &str, how: &[&str]) {
        let (how, options) = how.split_at(3);
        let user = user(name);
        self.run(&[options, &["--quick-generate-key", &user], how].concat());
    }

    pub(crate) fn fingerprint(&self, name: &str) -> String {
        self.fingerprints(name).swap_remove(0)
    }

    /// Returns the fingerprints of a key and its subkeys.
    pub(crate) fn fingerprints(&self, name: &str) -> Vec<String> {
        let list = String::from_utf8(self.run(&["--with-colons", "--list-keys", &mail(name)]));
        let list = list.unwrap();
        let lines = list.lines().filter_map(|line| line.strip_prefix("fpr:"));
        lines.map(|line| line.trim_matches(':').to_owned()).collect()
    }

    /// Signs like `gpg --detach-sign`, with more options.
    pub(crate) fn sign(&self, name: &str, image: &[u8], options: &[&str]) -> Vec<u8> {
        let path = self.path("image");
        fs::write(&path, image).unwrap();
        let user = if name.ends_with('!') { name.to_owned() } else { mail(name) };
        let path = path.to_str().unwrap();
        self.run(&[options, &["-u", &user, "--output", "-", "--detach-sign", path]].concat())
    }

    pub(crate) fn export(&self, names: &[&str]) -> Vec<u8> {
        let users: Vec<String> = names.iter().map(|name| mail(name)).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        self.run(&[&["--export"], &users[..]].concat())
    }

    /// Imports the revocation that gpg made together with the key.
    pub(crate) fn revoke(&self, name: &str) {
        let file = format!("openpgp-revocs.d/{}.rev", self.fingerprint(name));
        let text = fs::read_to_string(self.path(&file)).unwrap();
        fs::write(self.path("rev"), text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
        self.run(&["--import", self.path("rev").to_str().unwrap()]);
    }

    /// Returns the digest of bytes, as the installer wants it.
    pub(crate) fn sha256(&self, bytes: &[u8]) -> String {
        let out = Cmd::new("sha256sum").input(bytes).output().unwrap();
        format!("sha256:{}", &out[..64])
    }

    /// Asks gpgv, with these keys only, whether a signature is good.
    pub(crate) fn gpgv(&self, keys: &[u8], signature: &[u8], image: &[u8]) -> bool {
        for (name, bytes) in [("v.gpg", keys), ("v.sig", signature), ("v.img", image)] {
            fs::write(self.path(name), bytes).unwrap();
        }
        let cmd = self.command("gpgv").arg("--keyring").arg(self.path("v.gpg"));
        let done = cmd.arg(self.path("v.sig")).arg(self.path("v.img")).finish().unwrap();
        done.status.success()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent would stay otherwise.
        let killed = self.command("gpgconf").args(["--kill", "gpg-agent"]).run();
        assert!(std::thread::panicking() || killed.is_ok(), "{killed:?}");
    }
}

fn user(name: &str) -> String {
    format!("{name} <{}>", mail(name))
}

fn mail(name: &str) -> String {
    format!("{name}@example.org")
}
