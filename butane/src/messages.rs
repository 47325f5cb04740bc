//! What the compiler says, in other languages. Messages are made in English, which is also what
//! the reference says, and translated when they are shown; one that has no translation stays as it
//! is. What varies in a message stands in a blank: `unused key {key}`.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::lang::Lang;

use catalog::Catalog;

mod catalog;
mod chinese;
mod pattern;

static CHINESE: LazyLock<Catalog> = LazyLock::new(|| Catalog::new(&chinese::TABLES));

/// Returns a message in a language; one without a translation stays as it is.
pub fn translate(message: &str, lang: Lang) -> Cow<'_, str> {
    match lang {
        Lang::English => Cow::Borrowed(message),
        Lang::Chinese => CHINESE.translated(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chinese(message: &str) -> Cow<'_, str> {
        translate(message, Lang::Chinese)
    }

    #[test]
    fn messages_stay_english_for_who_reads_english() {
        assert_eq!(translate("unused key a", Lang::English), "unused key a");
    }

    #[test]
    fn what_the_user_wrote_stays_as_it_is() {
        for key in ["EOF", "string", "did you mean x?", "a\nb", "permission denied", ""] {
            let text = format!("unused key {key}");
            assert_eq!(chinese(&text), format!("未知的键 {key}"));
        }
        let text = "failed to open a: open b: c: open a: open b: c: permission denied";
        assert_eq!(chinese(text), "无法打开 b: c: open a: open b: c：权限不够");
    }

    #[test]
    fn a_message_in_a_message_is_translated_too() {
        let text = "Error translating config: a.bu cannot be compiled: source config is invalid";
        assert_eq!(chinese(text), "无法编译配置：a.bu 无法编译：源配置无效");
        assert_eq!(chinese("Error translating config: odd"), "无法编译配置：odd");
    }

    #[test]
    fn a_message_cannot_nest_without_end() {
        let text = "Error translating config: ".repeat(100_000);
        assert!(chinese(&text).starts_with("无法编译配置：无法编译配置："));
    }

    #[test]
    fn many_and_long_messages_take_linear_time() {
        let long = format!("unused key {}", "a: b cannot be compiled ".repeat(100_000));
        assert!(chinese(&long).starts_with("未知的键 a: b"));
        let odd = "x".repeat(1_000_000);
        assert_eq!(chinese(&odd), odd);
        let lines = "\n  line 12: cannot unmarshal !!str `x` into int".repeat(10_000);
        let text = format!("yaml: unmarshal errors:{lines}");
        assert_eq!(chinese(&text).lines().count(), 10_001);
        assert!(chinese(&text).ends_with("\n  第 12 行：应为整数，而不是字符串 `x`"));
    }
}
