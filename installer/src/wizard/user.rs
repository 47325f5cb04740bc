//! The user of the new system: name, password, and the Ignition config that makes them.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use serde_json::json;
use sha_crypt::{Sha512Params, sha512_simple};
use thiserror::Error;

use super::ask::Answers;
use super::messages::Messages;

/// Rounds of SHA-512: a tenth of a second or so per guess, as against 5000 by default.
const ROUNDS: usize = 100_000;

/// Groups that may administer the machine.
const GROUPS: [&str; 4] = ["adm", "sudo", "systemd-journal", "wheel"];

/// Longest name that utmp and the tools reading it can hold.
const LONGEST: usize = 31;

/// Names of the system's own users.
const TAKEN: [&str; 15] = [
    "root",
    "bin",
    "daemon",
    "adm",
    "sync",
    "mail",
    "nobody",
    "systemd-network",
    "systemd-resolve",
    "systemd-coredump",
    "systemd-timesync",
    "dbus",
    "messagebus",
    "polkitd",
    "sshd",
];

/// A name that useradd(8) takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserName(String);

/// Why a text is no user name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum UserNameError {
    /// Characters or length.
    #[error(
        "{0:?} cannot be a user name: use a lower-case letter, then up to 30 lower-case letters, \
         digits, dashes and underscores"
    )]
    Grammar(String),
    /// A system user.
    #[error("{0:?} is a user of the system itself; choose another name")]
    Taken(String),
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        let first = |c: char| c.is_ascii_lowercase() || c == '_';
        let other = |c: char| first(c) || c.is_ascii_digit() || c == '-';
        if !text.starts_with(first) || !text.chars().all(other) || text.len() > LONGEST {
            return Err(UserNameError::Grammar(text.to_owned()));
        }
        if TAKEN.contains(&text) {
            return Err(UserNameError::Taken(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A password; never printed.
pub(super) struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// Returns the crypt(5) hash with a salt of its own.
    pub(super) fn hash(&self) -> Result<PasswordHash> {
        let failed = |e| anyhow!("cannot hash the password: {e:?}");
        let params = Sha512Params::new(ROUNDS).map_err(failed)?;
        sha512_simple(&self.0, &params).map(PasswordHash).map_err(failed)
    }
}

/// A hash in the format of crypt(5); never printed.
pub(super) struct PasswordHash(String);

/// Asks for a password twice.
pub(super) fn ask_password(answers: &mut Answers, messages: &Messages) -> Result<Password> {
    loop {
        let first = answers.secret(messages.password)?;
        if first.is_empty() {
            answers.again(messages.password_empty)?;
            continue;
        }
        if first == answers.secret(messages.password_again)? {
            return Ok(Password(first));
        }
        answers.again(messages.password_differs)?;
    }
}

/// Returns the Ignition config that makes the user.
pub(super) fn config(user: &UserName, hash: &PasswordHash) -> String {
    json!({
        "ignition": { "version": "3.3.0" },
        "passwd": {
            "users": [{ "name": user.0, "groups": GROUPS, "passwordHash": hash.0 }]
        }
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_checked() {
        for good in ["nest", "_x", "a-b_c9"] {
            assert!(good.parse::<UserName>().is_ok(), "{good}");
        }
        let long = "a".repeat(32);
        for bad in ["", "Nest", "9a", "-a", "a b", "a,b", "a&b", "ü", "root", &long] {
            assert!(bad.parse::<UserName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hash_is_salted_and_checks_out() {
        let password = Password("p ä$\"x".to_owned());
        let (one, two) = (password.hash().unwrap().0, password.hash().unwrap().0);
        assert!(one.starts_with("$6$rounds=100000$") && one != two);
        sha_crypt::sha512_check("p ä$\"x", &one).unwrap();
    }

    #[test]
    fn the_config_is_valid_ignition() {
        let text = config(&"nest".parse().unwrap(), &PasswordHash("$6$x".to_owned()));
        let report = nestos_butane::ignition::validate(text.as_bytes());
        assert_eq!(report, nestos_butane::Report::default());
        assert!(text.contains(r#""groups":["adm","sudo","systemd-journal","wheel"]"#));
    }
}
