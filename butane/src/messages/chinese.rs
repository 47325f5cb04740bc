//! The messages in Chinese.

/// Each message in English and in Chinese. What begins like another comes before it.
pub(super) static MESSAGES: &[(&str, &str)] =
    &[("did you mean {}?", "是不是 {}？"), ("unused key {}", "未知的键 {}")];
