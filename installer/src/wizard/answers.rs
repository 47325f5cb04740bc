//! Files of answers: read so that an installation needs nobody, written without secrets.
//! The keys are described in docs/installnestos.md.

mod reader;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nestos_formats::yaml;
use nestos_host::atomic;
use nestos_host::term::WithHint;
use nix::unistd::{AccessFlags, access, geteuid};
use zeroize::Zeroizing;

use reader::Reader;

use super::butane::quoted;
use super::disk::Target;
use super::lang::Lang;
use super::net::Method;
use super::plan::{Extras, Plan};
use super::update::{Strategy, Updates, Window};
use super::user::{PasswordHash, UserName};

/// Most bytes of a file of answers or a password.
const LIMIT: u64 = 1024 * 1024;

const PASSWORD_KEYS: [&str; 3] = ["password_hash", "password_file", "password"];

/// Answers as a file has them.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) user: UserName,
    pub(super) password: PasswordHash,
    /// As written; it is looked up like a typed answer.
    pub(super) disk: String,
    pub(super) extras: Extras,
}

/// Reads a file of answers. Everything that is wrong with it is in the error.
pub(super) fn read(path: &Path, lang: Lang) -> Result<Answers> {
    let text = read_limited(path)?;
    let root =
        yaml::parse(text.as_bytes()).with_context(|| format!("{} is no YAML", path.display()))?;
    if let Some(key) =
        PASSWORD_KEYS.iter().filter(|k| **k != "password_file").find(|k| root.get(k).is_some())
    {
        check_private(path).with_context(|| format!("{} has the key {key}", path.display()))?;
    }
    let mut reader = Reader { file: path, lang, findings: vec![] };
    let answers = reader.answers(&root);
    let findings = reader.findings;
    match answers {
        Some(answers) if findings.is_empty() => Ok(answers),
        _ => Err(anyhow!("{}", findings.join("\n    ")))
            .hint("the keys are described in docs/installnestos.md")
            .with_context(|| format!("cannot use the answers in {}", path.display())),
    }
}

fn read_limited(path: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|f| f.take(LIMIT).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

/// Refuses a file with a secret that somebody else can read or could have written.
fn check_private(path: &Path) -> Result<()> {
    let meta = path.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if meta.mode() & 0o077 != 0 {
        return Err(anyhow!(
            "{} holds a secret, but its mode is {:04o}",
            path.display(),
            meta.mode() & 0o7777
        ))
        .hint(format!("make it private: chmod 600 {}", path.display()));
    }
    if meta.uid() != 0 && meta.uid() != geteuid().as_raw() {
        return Err(anyhow!(
            "{} holds a secret, but belongs to user {}",
            path.display(),
            meta.uid()
        ))
        .hint(format!("make it yours: chown {} {}", geteuid(), path.display()));
    }
    Ok(())
}

/// Finds out whether answers can be saved, before there are any.
pub(super) fn check_writable(path: &Path) -> Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let checked = if path.is_dir() {
        Err(anyhow!("it is a directory"))
    } else {
        access(dir, AccessFlags::W_OK | AccessFlags::X_OK).map_err(Into::into)
    };
    checked
        .with_context(|| format!("cannot write {}", path.display()))
        .context("cannot save the answers")
}

/// Writes answers without their secrets: who replays them adds a password.
pub(super) fn save(path: &Path, plan: &Plan) -> Result<()> {
    atomic::write(path, text(plan).as_bytes(), 0o600).context("cannot save the answers")
}

fn text(plan: &Plan) -> String {
    let mut text = format!(
        "# Answers for installnestos --answers. Add one of these:\n#   password_hash: a hash as of \
         mkpasswd\n#   password_file: a file with the password, beside this one, mode 0600\n\
         user: {}\ndisk: {}\n",
        quoted(plan.user.as_str()),
        quoted(&plan.target.answer)
    );
    extras(&mut text, &plan.extras);
    text
}

fn extras(text: &mut String, extras: &Extras) {
    list(text, "ssh_keys", &extras.ssh_keys);
    if let Some(name) = &extras.hostname {
        *text += &format!("hostname: {}\n", quoted(&name.to_string()));
    }
    if !extras.network.is_empty() {
        *text += "network:\n";
    }
    for connection in &extras.network {
        *text += &format!("  - interface: {}\n", quoted(&connection.interface.to_string()));
        match &connection.method {
            Method::Dhcp => *text += "    method: dhcp\n",
            Method::Static(given) => {
                *text += "    method: static\n";
                list(text, "    addresses", &given.addresses);
                list(text, "    gateways", &given.gateways);
                list(text, "    dns", &given.dns);
            }
        }
    }
    if let Some(zone) = &extras.time_zone {
        *text += &format!("time_zone: {}\n", quoted(&zone.to_string()));
    }
    list(text, "kernel_arguments", &extras.kargs.iter().cloned().collect::<Vec<_>>());
    if extras.updates != Updates::default() {
        *text += "updates:\n";
    }
    if let Some(source) = &extras.updates.source {
        *text += &format!("  source: {}\n", quoted(&source.to_string()));
    }
    match &extras.updates.strategy {
        None => {}
        Some(Strategy::Immediate) => *text += "  strategy: immediate\n",
        Some(Strategy::Off) => *text += "  strategy: \"off\"\n",
        Some(Strategy::Periodic(Window { days, start, minutes })) => {
            let days = days.names().join(", ");
            *text += &format!("  strategy: periodic\n  days: [{days}]\n  start: \"{start}\"\n");
            *text += &format!("  minutes: {minutes}\n")
        }
    }
}

fn list<T: ToString>(text: &mut String, key: &str, items: &[T]) {
    if items.is_empty() {
        return;
    }
    *text += &format!("{key}:\n");
    let indent = " ".repeat(key.len() - key.trim_start().len() + 2);
    for item in items {
        *text += &format!("{indent}- {}\n", quoted(&item.to_string()));
    }
}

impl Answers {
    /// Puts the answers together with the disk that was found.
    pub(super) fn plan(self, target: Target) -> Plan {
        let Self { user, password, extras, .. } = self;
        Plan { user, password, target, extras }
    }
}

#[cfg(test)]
mod tests;
