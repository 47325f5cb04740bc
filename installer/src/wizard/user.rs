//! The user of the new system: name and password.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use sha_crypt::{Sha512Params, sha512_simple};
use zeroize::Zeroizing;

use super::ask::Asker;
use super::lang::{Told, say, told};
use super::taken::Taken;

/// Rounds of SHA-512: a tenth of a second or so per guess, as against 5000 by default.
const ROUNDS: usize = 100_000;

/// Longest name that utmp and the tools reading it can hold.
const LONGEST: usize = 31;

/// Passwords with fewer characters are warned about.
const SHORT: usize = 8;

/// Methods of crypt(5) that the new system knows: what their hashes begin with, and how long the
/// last field is.
const METHODS: [(&str, usize); 9] = [
    ("$y$", 43),
    ("$gy$", 43),
    ("$7$", 43),
    ("$2a$", 53),
    ("$2b$", 53),
    ("$2y$", 53),
    ("$6$", 86),
    ("$5$", 43),
    ("$sha1$", 28),
];

/// A name that useradd(8) takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserName(String);

impl UserName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserName {
    /// Takes a name that nobody has.
    pub(super) fn new(text: &str, taken: &Taken) -> Result<Self, Told> {
        let first = |c: char| c.is_ascii_lowercase() || c == '_';
        let other = |c: char| first(c) || c.is_ascii_digit() || c == '-';
        if !text.starts_with(first) || !text.chars().all(other) || text.len() > LONGEST {
            return Err(told!(
                "{:?} cannot be a user name: use a lower-case letter, then up to 30 lower-case \
                 letters, digits, dashes and underscores",
                "{:?} 不能用作用户名:应以小写字母开头,其后最多 30 个小写字母、数字、短横线或下划线",
                text
            ));
        }
        if taken.has(text) {
            return Err(told!(
                "{:?} is a user or group of the system itself; choose another name",
                "{:?} 是系统自带的用户或组,请换一个名称",
                text
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for UserName {
    type Err = Told;

    /// Takes a name that no system has.
    fn from_str(text: &str) -> Result<Self, Told> {
        Self::new(text, &Taken::default())
    }
}

/// A hash in the format of crypt(5); never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PasswordHash(Zeroizing<String>);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl PasswordHash {
    /// Hashes a password with a salt of its own.
    pub(super) fn of(password: &str) -> Result<Self> {
        let failed = |e| anyhow!("cannot hash the password: {e:?}");
        let params = Sha512Params::new(ROUNDS).map_err(failed)?;
        Ok(Self(Zeroizing::new(sha512_simple(password, &params).map_err(failed)?)))
    }

    /// Takes a hash that was made elsewhere.
    pub(super) fn parse(text: &str) -> Result<Self, Told> {
        // Part of a hash, as of an incomplete paste, would lock everybody out.
        let fields: Vec<&str> = text.split('$').collect();
        let last = fields.last().copied().unwrap_or_default();
        let whole = fields.len() >= 4
            && METHODS.iter().any(|(m, length)| text.starts_with(m) && last.len() == *length);
        let plain = |c: char| c.is_ascii_graphic() && !":;*!\\\"".contains(c);
        if whole && text.chars().all(plain) {
            return Ok(Self(Zeroizing::new(text.to_owned())));
        }
        Err(told!(
            "this is no complete password hash; make one with: mkpasswd --method=yescrypt",
            "这不是完整的密码哈希,可用以下命令生成: mkpasswd --method=yescrypt"
        ))
    }

    /// Returns the hash, for the config of the new system only.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// Asks for a password twice; `known` is the one to keep when nothing is typed. `None` goes back.
pub(super) fn ask_password(
    asker: &mut Asker,
    user: &UserName,
    known: Option<&PasswordHash>,
) -> Result<Option<PasswordHash>> {
    let lang = asker.lang();
    let question = match known {
        None => say!(lang, "Password (it is not shown)", "密码(不显示)"),
        Some(_) => say!(lang, "Password (Enter keeps it)", "密码(回车保持不变)"),
    };
    loop {
        let Some(first) = asker.secret(&question)? else { return Ok(None) };
        match known {
            Some(known) if first.is_empty() => return Ok(Some(known.clone())),
            _ if first.is_empty() => {
                asker.again(&say!(lang, "the password is empty", "密码不能为空"))?;
                continue;
            }
            _ => {}
        }
        let Some(second) =
            asker.secret(&say!(lang, "The same password again", "再次输入相同的密码"))?
        else {
            continue;
        };
        if first == second {
            if let Some(weakness) = weakness(&first, user) {
                asker.note(format!("  {}", weakness.say(lang)));
            }
            return PasswordHash::of(&first).map(Some);
        }
        asker.again(&say!(lang, "the two passwords differ", "两次输入的密码不一致"))?;
    }
}

/// Says why a password is easy to guess, which is no reason to refuse it.
pub(super) fn weakness(password: &str, user: &UserName) -> Option<Told> {
    if password.eq_ignore_ascii_case(user.as_str()) {
        return Some(told!("Note: the password is the user name.", "注意:密码与用户名相同。"));
    }
    if password.chars().count() < SHORT {
        return Some(told!(
            "Note: the password is short; {} characters or more are safer.",
            "注意:密码较短,建议至少 {} 个字符。",
            SHORT
        ));
    }
    let first = password.chars().next();
    let one_kind =
        password.chars().all(|c| c.is_ascii_digit()) || password.chars().all(|c| Some(c) == first);
    one_kind.then(|| told!("Note: the password is easy to guess.", "注意:密码容易被猜到。"))
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
        for bad in
            ["", "Nest", "9a", "-a", "a b", "a,b", "a&b", "ü", "root", "docker", "wheel", &long]
        {
            assert!(bad.parse::<UserName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hash_is_salted_and_checks_out() {
        let hash = || PasswordHash::of("p ä$\"x").unwrap();
        let (one, two) = (hash(), hash());
        assert!(one.expose().starts_with("$6$rounds=100000$") && one != two);
        sha_crypt::sha512_check("p ä$\"x", one.expose()).unwrap();
        assert_eq!(PasswordHash::parse(one.expose()).unwrap(), one);
        assert_eq!(format!("{one:?}"), "PasswordHash");
    }

    #[test]
    fn what_is_no_hash_is_refused_without_being_shown() {
        for text in
            ["secret", "", "*", "!!", "$1$abc$abcdefghijklmnopqrstuv", "$6$a b$ccccccccccccccccc"]
        {
            let error = PasswordHash::parse(text).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
        }
        // As made by mkpasswd(1) and openssl-passwd(1).
        for text in [
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
            "$2b$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
            "$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGsh5LU5",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI\
             68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ] {
            assert!(PasswordHash::parse(text).is_ok(), "{text}");
            let cut = &text[..text.len() - 1];
            assert!(PasswordHash::parse(cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn weak_passwords_are_named() {
        let user: UserName = "nestuser".parse().unwrap();
        for (password, text) in [
            ("NestUser", "is the user name"),
            ("short", "is short"),
            ("1234567890", "easy to guess"),
            ("aaaaaaaaaa", "easy to guess"),
        ] {
            let told = weakness(password, &user).unwrap().to_string();
            assert!(told.contains(text), "{told}");
        }
        assert_eq!(weakness("correct horse", &user), None);
    }
}
