//! What `installnestos` says, in English and Chinese.

use std::env;

use super::cli::Lang;

/// The sentences of one language.
#[derive(Debug)]
pub(super) struct Messages {
    pub(super) welcome: &'static str,
    pub(super) user: &'static str,
    pub(super) password: &'static str,
    pub(super) password_again: &'static str,
    pub(super) password_empty: &'static str,
    pub(super) password_differs: &'static str,
    pub(super) disks: &'static str,
    pub(super) no_partitions: &'static str,
    pub(super) in_use: &'static str,
    pub(super) disk: &'static str,
    pub(super) disk_default: &'static str,
    pub(super) disk_needed: &'static str,
    pub(super) disk_missing: &'static str,
    pub(super) erase: &'static str,
    pub(super) confirm: &'static str,
    pub(super) declined: &'static str,
    pub(super) finished: &'static str,
    pub(super) rebooting: &'static str,
    pub(super) interrupted: &'static str,
    pub(super) no_answer: &'static str,
    pub(super) untouched: &'static str,
}

static ENGLISH: Messages = Messages {
    welcome: "NestOS will be installed on this machine. Ctrl-C leaves at any time.",
    user: "User name:",
    password: "Password (it is not shown):",
    password_again: "The same password again:",
    password_empty: "the password is empty",
    password_differs: "the two passwords differ",
    disks: "Disks of this machine:",
    no_partitions: "no partitions",
    in_use: "in use",
    disk: "Disk to install to:",
    disk_default: "Disk to install to [{}]:",
    disk_needed: "there is no default disk; name one",
    disk_missing: "there is no disk {}",
    erase: "Everything on {} will be lost.",
    confirm: "Install now? [y/N]",
    declined: "Nothing was changed.",
    finished: "NestOS is installed. Reboot to start it.",
    rebooting: "NestOS is installed. Rebooting.",
    interrupted: "Interrupted. The disk was not touched.",
    no_answer: "the input ended before the last answer",
    untouched: "cannot install; no disk was touched",
};

static CHINESE: Messages = Messages {
    welcome: "即将在本机安装 NestOS。按 Ctrl-C 可随时退出。",
    user: "用户名:",
    password: "密码(不显示):",
    password_again: "再次输入相同的密码:",
    password_empty: "密码不能为空",
    password_differs: "两次输入的密码不一致",
    disks: "本机磁盘:",
    no_partitions: "无分区",
    in_use: "使用中",
    disk: "安装到哪块磁盘:",
    disk_default: "安装到哪块磁盘 [{}]:",
    disk_needed: "没有默认磁盘,请输入磁盘名称",
    disk_missing: "没有磁盘 {}",
    erase: "{} 上的所有数据都将丢失。",
    confirm: "现在开始安装吗?[y/N]",
    declined: "未做任何更改。",
    finished: "NestOS 安装完成。请重启进入系统。",
    rebooting: "NestOS 安装完成,正在重启。",
    interrupted: "已中断。磁盘未被改动。",
    no_answer: "输入提前结束",
    untouched: "无法安装;磁盘未被改动",
};

impl Messages {
    /// Takes the language asked for, else that of the locale.
    pub(super) fn choose(asked: Option<Lang>) -> &'static Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
        match asked
            .unwrap_or_else(|| of_locale(locale.as_deref(), env::var("TERM").ok().as_deref()))
        {
            Lang::En => &ENGLISH,
            Lang::Zh => &CHINESE,
        }
    }
}

/// The kernel's own console has no glyphs for Chinese, whatever the locale says.
fn of_locale(locale: Option<&str>, terminal: Option<&str>) -> Lang {
    let chinese = locale.is_some_and(|l| l.starts_with("zh"));
    if chinese && terminal != Some("linux") { Lang::Zh } else { Lang::En }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_except_where_it_cannot_be_shown() {
        assert_eq!(of_locale(Some("zh_CN.UTF-8"), Some("xterm")), Lang::Zh);
        assert_eq!(of_locale(Some("zh_CN.UTF-8"), Some("linux")), Lang::En);
        assert_eq!(of_locale(Some("C.UTF-8"), None), Lang::En);
        assert_eq!(of_locale(None, None), Lang::En);
    }
}
