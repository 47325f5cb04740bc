//! Errors of syntax and type in JSON.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("unexpected end of JSON input", "JSON 意外结束"),
    ("exceeded max depth", "嵌套层数过多"),
    ("invalid character {c} after top-level value", "JSON 的值结束后还有字符 {c}"),
    ("invalid character {c} looking for beginning of value", "此处应为 JSON 的值，而不是字符 {c}"),
    (
        "invalid character {c} looking for beginning of object key string",
        "此处应为对象的键（带引号的字符串），而不是字符 {c}",
    ),
    ("invalid character {c} after object key:value pair", "对象的键值对之后有无效字符 {c}"),
    ("invalid character {c} after object key", "对象的键之后有无效字符 {c}"),
    ("invalid character {c} after array element", "数组元素之后有无效字符 {c}"),
    ("invalid character {c} in string literal", "字符串中有无效字符 {c}"),
    ("invalid character {c} in string escape code", "字符串的转义序列中有无效字符 {c}"),
    (
        "invalid character {c} in \\u hexadecimal character escape",
        "\\u 十六进制转义中有无效字符 {c}",
    ),
    (
        "invalid character {c} after decimal point in numeric literal",
        "数字的小数点之后有无效字符 {c}",
    ),
    ("invalid character {c} in exponent of numeric literal", "数字的指数中有无效字符 {c}"),
    ("invalid character {c} in numeric literal", "数字中有无效字符 {c}"),
    (
        "invalid character {c} in literal {word} (expecting {expected})",
        "{word} 中有无效字符 {c}（应为 {expected}）",
    ),
    (
        "json: cannot unmarshal {found} into Go value of type {type}",
        "JSON 的值应为{type}，而不是{found}",
    ),
    (
        "json: cannot unmarshal {found} into Go struct field {field} of type {type}",
        "JSON 字段 {field} 应为{type}，而不是{found}",
    ),
];
