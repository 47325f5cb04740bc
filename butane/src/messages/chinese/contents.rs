//! Where contents come from, and what is checked about them.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("text is not valid UTF-8", "文本不是有效的 UTF-8"),
    ("only one of the following can be set: {list}", "以下各项只能设置一个：{list}"),
    ("source is required", "必须设置 source"),
    (
        "source must be specified if verification is specified",
        "设置了 verification 时必须设置 source",
    ),
    ("invalid compression method", "无效的压缩方式"),
    ("malformed hash specifier", "摘要的格式不正确"),
    ("unrecognized hash function", "无法识别的摘要函数"),
    ("incorrect size for hash sum", "摘要的长度不正确"),
    ("cannot use HTTP headers with this source scheme", "此类来源不能使用 HTTP 头"),
    ("HTTP header name can't be empty", "HTTP 头的名称不能为空"),
    ("unable to parse HTTP header", "无法解析 HTTP 头"),
    ("proxies must be http(s)", "代理必须使用 http 或 https"),
    (
        "insecure plaintext HTTP proxy specified for HTTPS resources",
        "为 HTTPS 资源指定了不安全的明文 HTTP 代理",
    ),
];
