//! Digests such as `sha512-…`.

/// Checks a digest; `sha256` only came with spec 3.1.0. The digits are not looked at.
pub(super) fn check(text: &str, sha256: bool) -> Result<(), String> {
    let Some((function, digest)) = text.split_once('-') else {
        return Err("malformed hash specifier".to_owned());
    };
    let length = match function {
        "sha512" => 128,
        "sha256" if sha256 => 64,
        _ => return Err("unrecognized hash function".to_owned()),
    };
    if digest.len() == length { Ok(()) } else { Err("incorrect size for hash sum".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_need_a_known_function_and_its_length() {
        assert_eq!(check(&format!("sha512-{}", "0".repeat(128)), true), Ok(()));
        assert_eq!(check(&format!("sha256-{}", "z".repeat(64)), true), Ok(()));
        let cases =
            [("abc", "malformed"), ("md5-0", "unrecognized"), ("sha256-0", "incorrect size")];
        for (text, message) in cases {
            assert!(check(text, true).unwrap_err().contains(message), "{text}");
        }
        assert!(check(&format!("sha256-{}", "0".repeat(64)), false).is_err());
    }
}
