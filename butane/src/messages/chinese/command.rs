//! What the command line says, and compiling as a whole.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("Error translating config: {message}", "无法编译配置：{message}"),
    (
        "Config produced warnings and --strict was specified",
        "配置产生了警告，而命令行指定了 --strict",
    ),
    (
        "Flag --input has been deprecated, specify filename directly on command line",
        "选项 --input 已弃用，请直接在命令行中指定文件名",
    ),
    ("failed to open {_}: open {path}: {message}", "无法打开 {path}：{message}"),
    ("failed to read <stdin>: {message}", "无法读取标准输入：{message}"),
    ("failed to read {_}: read {path}: {message}", "无法读取 {path}：{message}"),
    ("Failed to write config to stdout: {message}", "无法将配置写到标准输出：{message}"),
    ("Failed to write config to {path}: {message}", "无法将配置写入 {path}：{message}"),
    ("Failed to write the manual to {path}: {message}", "无法将手册页写入 {path}：{message}"),
    (
        "hint: for the command, write: butane {command}",
        "提示：若要使用该命令，请写：butane {command}",
    ),
    ("reading the config from the terminal; Ctrl-D ends it", "正在从终端读取配置；按 Ctrl-D 结束"),
    ("source config is invalid", "源配置无效"),
    ("config generated was invalid", "生成的配置无效"),
    ("config is not valid", "配置无效"),
    ("field ignored in raw mode", "使用 --raw 时忽略此字段"),
];
