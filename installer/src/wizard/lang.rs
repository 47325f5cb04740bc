//! The language of the conversation. Every sentence stands in both languages at the place where
//! it is said, so that neither can be forgotten.

use std::env;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;

/// Language of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// Whether Chinese is spoken by now: what is said at the end depends on what was asked first.
static CHINESE: AtomicBool = AtomicBool::new(false);

impl Lang {
    /// Makes this the language of what is said from now on.
    pub(super) fn speak(self) {
        CHINESE.store(self == Self::Zh, Ordering::SeqCst);
    }

    /// Returns the language that is spoken.
    pub(super) fn spoken() -> Self {
        if CHINESE.load(Ordering::SeqCst) { Self::Zh } else { Self::En }
    }
}

/// Formats the English or the Chinese sentence.
macro_rules! say {
    ($lang:expr, $en:literal, $zh:literal $(, $arg:expr)* $(,)?) => {
        match $lang {
            $crate::wizard::lang::Lang::En => format!($en $(, $arg)*),
            $crate::wizard::lang::Lang::Zh => format!($zh $(, $arg)*),
        }
    };
}

/// Formats a sentence in both languages, for a place that does not know which is spoken.
macro_rules! told {
    ($en:literal, $zh:literal $(, $arg:expr)* $(,)?) => {
        $crate::wizard::lang::Told::new(format!($en $(, $arg)*), format!($zh $(, $arg)*))
    };
}

pub(super) use {say, told};

/// A sentence in both languages, such as what is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    en: String,
    zh: String,
}

impl Told {
    pub(super) fn new(en: String, zh: String) -> Self {
        Self { en, zh }
    }

    /// Returns the sentence in one language.
    pub(super) fn say(self, lang: Lang) -> String {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// What the environment and the terminal say about languages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// Value of `LC_ALL`, `LC_MESSAGES` or `LANG`, the first that is set.
    pub(super) locale: Option<&'a str>,
    /// Value of `TERM`.
    pub(super) terminal: Option<&'a str>,
    /// Whether the terminal's driver takes what is typed for UTF-8.
    pub(super) utf8: bool,
}

/// How the language is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is this one.
    Settled(Lang),
    /// The user is asked.
    Ask,
}

/// Returns the locale of messages, if one is set.
pub(super) fn locale() -> Option<String> {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
    names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

impl Setting<'_> {
    /// Takes the language of the locale where the terminal can show it. A locale that names
    /// neither (`C.UTF-8`, none) leaves the choice to the user, where the terminal can show both.
    pub(super) fn choose(self) -> Choice {
        let locale = self.locale.unwrap_or_default();
        let shows_both = !matches!(self.terminal, None | Some("" | "linux" | "dumb"))
            && match locale.split_once('.') {
                Some((_, charset)) => {
                    let charset = charset.to_ascii_lowercase();
                    charset.starts_with("utf-8") || charset.starts_with("utf8")
                }
                None => self.utf8 && matches!(locale, "" | "C" | "POSIX"),
            };
        match locale.get(..2) {
            Some("zh") if shows_both || self.terminal.is_none() => Choice::Settled(Lang::Zh),
            Some("zh" | "en") => Choice::Settled(Lang::En),
            _ if shows_both => Choice::Ask,
            _ => Choice::Settled(Lang::En),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_and_who_has_none_is_asked_where_both_can_be_shown() {
        let (en, zh) = (Choice::Settled(Lang::En), Choice::Settled(Lang::Zh));
        for (locale, terminal, utf8, choice) in [
            (Some("zh_CN.UTF-8"), Some("xterm"), true, zh),
            (Some("zh_CN.UTF-8"), Some("linux"), true, en),
            (Some("zh_CN.UTF-8"), Some("dumb"), true, en),
            (Some("zh_CN.UTF-8"), None, false, zh),
            (Some("zh_CN.GBK"), Some("xterm"), false, en),
            (Some("en_US.UTF-8"), Some("xterm"), true, en),
            (Some("C.UTF-8"), Some("vt220"), false, Choice::Ask),
            (Some("C.utf8"), Some("linux"), true, en),
            (Some("C"), Some("xterm"), true, Choice::Ask),
            (None, Some("xterm"), true, Choice::Ask),
            (None, Some("xterm"), false, en),
            (None, None, true, en),
        ] {
            let setting = Setting { locale, terminal, utf8 };
            assert_eq!(setting.choose(), choice, "{setting:?}");
        }
    }
}
