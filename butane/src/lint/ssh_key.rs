//! Lines of `authorized_keys` (sshd(8)): options, a type, the key in base64, a comment.

use base64::Engine;

/// The types that OpenSSH takes; certificates are those with a suffix.
const TYPES: [&str; 8] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// Checks a line; the error says why sshd passes over it.
pub(super) fn check(line: &str) -> Result<(), String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Err("it is a comment".to_owned());
    }
    if line.starts_with("-----BEGIN") {
        return Err("it is a private key or certificate; use the line in the .pub file".to_owned());
    }
    let words = words(line);
    let Some(at) = words.iter().take(2).position(|word| is_type(word)) else {
        return Err("it names no known type, such as ssh-ed25519".to_owned());
    };
    let Some(key) = words.get(at + 1) else {
        return Err(format!("nothing follows {}", words[at]));
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(key)
        .map_err(|_invalid| "the key is cut off or not base64".to_owned())?;
    // RFC 4253, 6.6: the first field of the key is its type, with the length before it.
    let inner = field(&bytes).ok_or("the key is cut off")?;
    if inner != words[at].as_bytes() {
        let inner = String::from_utf8_lossy(inner);
        return Err(format!("it says {}, but holds a key of type {inner}", words[at]));
    }
    let mut rest = &bytes[4 + inner.len()..];
    let mut fields = 0;
    while !rest.is_empty() {
        let field = field(rest).ok_or("the key is cut off")?;
        rest = &rest[4 + field.len()..];
        fields += 1;
    }
    if fields == 0 { Err("the key is cut off".to_owned()) } else { Ok(()) }
}

fn is_type(word: &str) -> bool {
    let stem = word.strip_suffix(CERTIFICATE).unwrap_or(word);
    TYPES.iter().any(|known| {
        // Certificates of security keys have the suffix inside.
        *known == word || *known == stem || known.strip_suffix("@openssh.com") == Some(stem)
    })
}

/// Splits a line at blanks that are not inside double quotes; only options have quotes.
fn words(line: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(|c: char| {
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        !quoted && matches!(c, ' ' | '\t')
    })
    .filter(|word| !word.is_empty())
    .collect()
}

fn field(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIBvDKzU1uJcxoXYbN0Ax8J1uUXUb0WQ0P7kJ0Dy3vQ0a";

    #[test]
    fn keys_are_taken_with_options_and_comments() {
        for line in [
            format!("ssh-ed25519 {KEY}"),
            format!("ssh-ed25519 {KEY} me@host with words"),
            format!("  no-pty,command=\"echo \\\"a b\\\" c\"\tssh-ed25519   {KEY}"),
        ] {
            assert_eq!(check(&line), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_sshd_passes_over_is_explained() {
        let cut = &KEY[..40];
        for (line, reason) in [
            ("# ssh-ed25519 AAAA".to_owned(), "it is a comment"),
            ("AAAA".to_owned(), "it names no known type, such as ssh-ed25519"),
            ("ssh-ed25519".to_owned(), "nothing follows ssh-ed25519"),
            ("ssh-ed25519 AAA".to_owned(), "the key is cut off or not base64"),
            (format!("ssh-ed25519 {cut}"), "the key is cut off"),
            (format!("ssh-rsa {KEY}"), "it says ssh-rsa, but holds a key of type ssh-ed25519"),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
                "it is a private key or certificate; use the line in the .pub file",
            ),
        ] {
            assert_eq!(check(&line).unwrap_err(), reason, "{line}");
        }
    }
}
