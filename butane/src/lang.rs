//! The language that people are addressed in: chosen by name, or by the environment.

use std::fmt;
use std::str::FromStr;

/// A language that messages, documentation and schemas exist in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// English.
    #[default]
    English,
    /// Chinese, in simplified characters.
    Chinese,
}

/// Says that a text names no language that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLang(String);

impl Lang {
    /// Returns the language of a locale, given the values of `LC_ALL`, `LC_MESSAGES` and `LANG`:
    /// the first that is not empty decides, as POSIX has it (XBD 8.2).
    pub fn of_locale(lc_all: Option<&str>, lc_messages: Option<&str>, lang: Option<&str>) -> Self {
        let mut given = [lc_all, lc_messages, lang].into_iter().flatten();
        let locale = given.find(|value| !value.is_empty()).unwrap_or_default();
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }

    /// Returns the text of this language.
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "en" => Ok(Self::English),
            "zh" => Ok(Self::Chinese),
            _ => Err(UnknownLang(name.to_owned())),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("en", "zh"))
    }
}

impl fmt::Display for UnknownLang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown language {:?}: expected en or zh", self.0)
    }
}

impl std::error::Error for UnknownLang {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_with_a_value_decides() {
        let cases = [
            (None, None, Some("zh_CN.UTF-8"), Lang::Chinese),
            (None, None, Some("zh"), Lang::Chinese),
            (Some("C"), None, Some("zh_CN.UTF-8"), Lang::English),
            (Some(""), Some("zh_TW"), Some("en_GB"), Lang::Chinese),
            (None, Some("en_US"), Some("zh_CN"), Lang::English),
            (None, None, Some("zhuang"), Lang::English),
            (None, None, None, Lang::English),
        ];
        for (all, messages, lang, want) in cases {
            assert_eq!(Lang::of_locale(all, messages, lang), want, "{all:?} {messages:?} {lang:?}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_printed() {
        for lang in [Lang::English, Lang::Chinese] {
            assert_eq!(lang.to_string().parse(), Ok(lang));
        }
        let error = "de".parse::<Lang>().unwrap_err();
        assert_eq!(error.to_string(), "unknown language \"de\": expected en or zh");
    }
}
