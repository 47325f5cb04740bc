//! Types of values in words: Go's names, tags of YAML and kinds of JSON.

use std::borrow::Cow;

/// Texts that have a type of their own in the reference.
const TEXTS: [&str; 8] = [
    "string",
    "Device",
    "FilesystemOption",
    "Group",
    "KernelArgument",
    "LuksOption",
    "RaidOption",
    "SSHAuthorizedKey",
];

/// Lists of mappings that have a type of their own.
const LISTS: [&str; 1] = ["HTTPHeaders"];

/// Says what a Go type is, such as `[]v0_4.File`.
pub(in crate::messages) fn type_name(name: &str) -> Cow<'_, str> {
    let is_text = |name: &str| TEXTS.contains(&name.rsplit('.').next().unwrap_or_default());
    Cow::Borrowed(match name {
        "int" => "整数",
        "bool" => "布尔值",
        "map[string]string" => "映射",
        _ if is_text(name) && !name.starts_with("[]") => "字符串",
        _ if name.strip_prefix("[]").is_some_and(is_text) => "字符串列表",
        _ if name.starts_with("[]") => "映射列表",
        _ => match name.rsplit_once('.') {
            Some((_, name)) if LISTS.contains(&name) => "映射列表",
            Some(_) => "映射",
            None => name,
        },
    })
}

/// Says what was found, by its tag in YAML or its kind in JSON.
pub(in crate::messages) fn found(tag: &str) -> Cow<'_, str> {
    Cow::Borrowed(match tag {
        "!!str" | "string" => "字符串",
        "!!int" => "整数",
        "!!float" => "浮点数",
        "!!bool" | "bool" => "布尔值",
        "!!timestamp" => "时间",
        "!!binary" => "二进制数据",
        "!!null" => "空值",
        "!!map" | "object" => "映射",
        "!!seq" | "array" => "列表",
        "number" => "数字",
        _ => {
            let number = tag.strip_prefix("number ").map(|number| format!("数字 {number}"));
            return number.map_or(Cow::Borrowed(tag), Cow::Owned);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{CONFIG, DIALECTS, Shape, Type};

    #[test]
    fn go_types_are_said_in_words() {
        let cases = [
            ("string", "字符串"),
            ("[]string", "字符串列表"),
            ("[]v0_4.SSHAuthorizedKey", "字符串列表"),
            ("v0_4.SSHAuthorizedKey", "字符串"),
            ("[]Group", "字符串列表"),
            ("v0_4.Passwd", "映射"),
            ("config.commonFields", "映射"),
            ("[]types.File", "映射列表"),
            ("v0_5.HTTPHeaders", "映射列表"),
            ("map[string]string", "映射"),
            ("unheard", "unheard"),
        ];
        for (name, want) in cases {
            assert_eq!(type_name(name), want, "{name}");
        }
        assert_eq!(found("number 1.5"), "数字 1.5");
        assert_eq!(found("!odd"), "!odd");
    }

    fn check(shape: &'static Shape) {
        for field in shape.fields {
            let before = field.formerly.iter().map(|formerly| formerly.kind);
            for kind in before.chain([field.kind]) {
                match kind {
                    Type::Texts(name) => assert!(TEXTS.contains(&name), "{name}"),
                    Type::Objects(below, name) => {
                        assert!(name.is_none_or(|name| LISTS.contains(&name)), "{name:?}");
                        check(below);
                    }
                    Type::Object(below) => check(below),
                    Type::Text | Type::Int | Type::Bool | Type::Labels => {}
                }
            }
        }
    }

    #[test]
    fn the_types_of_the_schema_are_known() {
        check(&CONFIG);
        for dialect in DIALECTS {
            assert_eq!(type_name(&dialect.type_name(&CONFIG)), "映射");
        }
    }
}
