//! URLs of all kinds.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("unable to parse url", "无法解析 URL"),
    ("invalid url scheme", "无效的 URL 协议"),
    ("invalid S3 object VersionId", "无效的 S3 对象 VersionId"),
    ("invalid S3 ARN format", "无效的 S3 ARN 格式"),
    // Data URLs.
    ("missing data prefix", "缺少 data 前缀"),
    ("missing comma before data", "数据之前缺少逗号"),
    ("expected semicolon or comma", "此处应为分号或逗号"),
    ("invalid character after data prefix", "data 前缀之后有无效字符"),
    ("missing media type slash", "媒体类型缺少斜杠"),
    ("invalid character for media type", "媒体类型中有无效字符"),
    ("invalid character for media subtype", "媒体子类型中有无效字符"),
    ("invalid media type", "无效的媒体类型"),
    ("incomplete media type", "媒体类型不完整"),
    ("unterminated parameter sequence", "参数不完整"),
    ("expected base64, got {name}", "此处应为 base64，而不是 {name}"),
    ("invalid character for parameter attribute", "参数名中有无效字符"),
    ("invalid character for parameter value", "参数值中有无效字符"),
    ("unclosed quoted string", "引号没有闭合"),
    ("invalid data character", "数据中有无效字符"),
    (
        "rfc2396: invalid char 0x25 in unescape sequence",
        "百分号转义无效：% 之后必须是两位十六进制数字",
    ),
    ("rfc2396: unexpected end of unescape sequence", "百分号转义不完整"),
    ("illegal base64 data at input byte {at}", "base64 数据的第 {at} 字节（从 0 起）无效"),
];
