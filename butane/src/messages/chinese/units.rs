//! systemd units and Quadlets.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("invalid systemd unit extension", "无效的 systemd 单元扩展名"),
    ("invalid systemd drop-in extension", "无效的 systemd 附加配置扩展名：必须是 .conf"),
    ("invalid unit content: {message}", "单元内容无效：{message}"),
    ("unable to find end of section", "节名缺少结尾的 ]"),
    ("found garbage after section name : {rest}", "节名之后有多余的内容：{rest}"),
    ("EOF", "内容意外结束"),
    ("unexpected newline encountered while parsing option name", "选项名中有意外的换行，缺少 ="),
    ("line too long (max {most} bytes)", "行过长（最多 {most} 字节）"),
    (
        "unit {name} is enabled, but has no install section so enable does nothing",
        "单元 {name} 设为启用，但没有 [Install] 节，因此启用不起作用",
    ),
    (
        "template unit \"{template}\" for \"{unit}\" doesn't have Install section",
        "单元 \"{unit}\" 的模板 \"{template}\" 没有 [Install] 节",
    ),
    (
        "template instances cannot have contents or contents_local",
        "模板的实例不能有 contents 或 contents_local",
    ),
    (
        "unsupported file extension for quadlet: must be one of {list}, or {last}",
        "不支持的 Quadlet 扩展名：必须是 {list} 或 {last}",
    ),
];
