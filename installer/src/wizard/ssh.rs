//! SSH keys: pasted, from a file, or from a URL after a look at their fingerprints.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use super::ask::{Asker, MENU_BYTES};
use super::lang::{Lang, Told, say, told};
use super::layout::fit;
use crate::fetch::{self, Retries};

/// Types that OpenSSH accepts for a login. DSA is gone from it.
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Most bytes of a file of keys.
const LIMIT: u64 = 1024 * 1024;

/// A public key as `authorized_keys` holds it: type, key, comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshKey {
    kind: &'static str,
    blob: Vec<u8>,
    comment: String,
}

impl SshKey {
    /// Returns the fingerprint as `ssh-keygen -l` shows it.
    pub(super) fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// Returns what tells the key from others, on one line.
    pub(super) fn summary(&self) -> String {
        let kind = self.kind.strip_prefix("ssh-").unwrap_or(self.kind);
        fit(&format!("{kind} {} {}", self.fingerprint(), self.comment), MENU_BYTES)
            .trim_end()
            .to_owned()
    }
}

impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, STANDARD.encode(&self.blob))?;
        if self.comment.is_empty() { Ok(()) } else { write!(f, " {}", self.comment) }
    }
}

impl FromStr for SshKey {
    type Err = Told;

    fn from_str(line: &str) -> Result<Self, Told> {
        if line.contains("PRIVATE KEY") {
            return Err(told!(
                "this is a private key, which stays where it is; use the .pub file",
                "这是私钥,请勿使用;应使用 .pub 文件中的公钥"
            ));
        }
        let mut words = line.split_whitespace();
        let kind = words.next().and_then(|word| TYPES.iter().find(|kind| **kind == word));
        let (Some(&kind), Some(key)) = (kind, words.next()) else {
            return Err(told!(
                "a public key begins with its type, such as ssh-ed25519 AAAA...",
                "公钥应以类型开头,例如 ssh-ed25519 AAAA..."
            ));
        };
        let cut = || told!("the key is cut off or damaged", "公钥不完整或已损坏");
        let blob = STANDARD.decode(key).map_err(|_not_base64| cut())?;
        let fields = fields(&blob).ok_or_else(cut)?;
        if fields.len() < 2 || fields.first().is_none_or(|inner| *inner != kind.as_bytes()) {
            return Err(cut());
        }
        let comment = words.collect::<Vec<_>>().join(" ");
        if comment.contains(char::is_control) {
            return Err(cut());
        }
        Ok(Self { kind, blob, comment })
    }
}

/// Splits a key into its fields, each with its length before it (RFC 4251, 5).
fn fields(mut blob: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = vec![];
    while !blob.is_empty() {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
        fields.push(field);
        blob = rest;
    }
    Some(fields)
}

/// Reads the keys of an `authorized_keys` or `.pub` file.
fn read_keys(from: impl Read, lang: Lang) -> Result<Vec<SshKey>> {
    let mut text = String::new();
    from.take(LIMIT).read_to_string(&mut text)?;
    let mut keys = vec![];
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key: SshKey = line
            .parse()
            .map_err(|e: Told| anyhow::anyhow!("{}", e.say(lang)))
            .with_context(|| say!(lang, "line {}", "第 {} 行", number))?;
        keys.push(key);
    }
    if keys.is_empty() {
        bail!(say!(lang, "there is no key in it", "其中没有公钥"));
    }
    Ok(keys)
}

fn from_file(path: &Path, lang: Lang) -> Result<Vec<SshKey>> {
    read_keys(File::open(path)?, lang)
}

fn from_url(text: &str, lang: Lang) -> Result<Vec<SshKey>> {
    let bytes = fetch::bytes(&fetch::parse_url(text)?, Retries::Finite(0), LIMIT)?;
    read_keys(bytes.as_slice(), lang)
}

/// Adds and removes keys until the user goes back.
pub(super) fn ask(asker: &mut Asker, keys: &mut Vec<SshKey>) -> Result<()> {
    let lang = asker.lang();
    loop {
        asker.title(say!(lang, "SSH keys that may log in:", "允许登录的 SSH 公钥:"));
        if keys.is_empty() {
            asker.note(say!(lang, "  none", "  无"));
        }
        for key in keys.iter() {
            asker.note(format!("  {}", key.summary()));
        }
        let mut items = vec![
            say!(lang, "Paste a key", "粘贴公钥"),
            say!(lang, "Read keys from a file", "从文件读取"),
            say!(lang, "Fetch keys from a URL", "从 URL 获取"),
        ];
        if !keys.is_empty() {
            items.push(say!(lang, "Remove all keys", "移除全部公钥"));
        }
        items.push(say!(lang, "Back", "返回"));
        let last = items.len() - 1;
        let found = match asker.menu(&say!(lang, "SSH keys", "SSH 公钥"), &items, 0)? {
            0 => asker
                .line(&say!(lang, "Key, on one line", "公钥(一行)"), None, str::parse)?
                .map(|key| vec![key]),
            1 => {
                ask_source(asker, &say!(lang, "File", "文件"), |p, l| from_file(Path::new(p), l))?
            }
            2 => ask_source(asker, "URL", from_url)?,
            chosen if chosen == last => return Ok(()),
            _ => {
                keys.clear();
                None
            }
        };
        for key in found.into_iter().flatten() {
            if !keys.iter().any(|known| known.blob == key.blob) {
                keys.push(key);
            }
        }
    }
}

/// Asks where keys are until they can be read, and whether they are the right ones.
fn ask_source(
    asker: &mut Asker,
    question: &str,
    read: impl Fn(&str, Lang) -> Result<Vec<SshKey>>,
) -> Result<Option<Vec<SshKey>>> {
    let lang = asker.lang();
    let Some(keys) = asker.line(question, None, |source| {
        read(source, lang).map_err(|e| {
            let e = format!("{e:#}");
            told!("cannot read keys from {0}: {1}", "无法从 {0} 读取公钥: {1}", source, e)
        })
    })?
    else {
        return Ok(None);
    };
    for key in &keys {
        asker.note(format!("  {}", key.summary()));
    }
    let question = say!(lang, "Are these the right ones? [y/N]", "这些公钥正确吗?[y/N]");
    let sure = asker.line(&question, None, |answer| Ok(is_yes(answer)))?;
    Ok((sure == Some(true)).then_some(keys))
}

/// Returns whether an answer is a clear yes.
pub(super) fn is_yes(answer: &str) -> bool {
    ["y", "yes", "go", "是"].contains(&answer.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 \
        AAAAC3NzaC1lZDI1NTE5AAAAIJbDlXrtvPZ2ZWZeQXoz5VaFhi2rZ/JHzn5pOc1wMTXi me@example.com";

    #[test]
    fn keys_are_taken_whole_and_refused_with_the_reason() {
        assert_eq!(KEY.parse::<SshKey>().unwrap().to_string(), KEY);
        let cut = KEY.replace("MTXi", "");
        for (line, reason) in [
            (cut.as_str(), "cut off"),
            ("ssh-ed25519", "begins with its type"),
            ("ssh-dss AAAA", "begins with its type"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
            (&KEY.replace("ssh-ed25519", "ssh-rsa"), "damaged"),
            ("", "begins with its type"),
        ] {
            let error = line.parse::<SshKey>().unwrap_err().to_string();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn files_have_comments_and_empty_lines() {
        let text = format!("# mine\n\n{KEY}\n");
        assert_eq!(read_keys(text.as_bytes(), Lang::En).unwrap().len(), 1);
        let error = read_keys(&b"# none\nx\n"[..], Lang::En).unwrap_err();
        assert!(format!("{error:#}").starts_with("line 2: a public key"), "{error:#}");
        assert!(read_keys(&b""[..], Lang::En).is_err());
    }
}
