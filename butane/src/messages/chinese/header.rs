//! Variants, versions, keys, and configs inside of others.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("error parsing variant; must be specified", "无法解析 variant：必须指定变体"),
    (
        "error parsing version; must be a valid semver",
        "无法解析 version：必须是有效的语义化版本号，例如 1.0.0",
    ),
    (
        "rhcos variant has been removed; use openshift variant instead: {url}",
        "变体 rhcos 已被移除，请改用变体 openshift：{url}",
    ),
    (
        "No translator exists for variant {variant} with version {version}",
        "不支持变体 {variant} 的版本 {version}",
    ),
    ("unused key {key}", "未知的键 {key}"),
    ("did you mean {key}?", "是不是 {key}？"),
    ("{key} exists from {variant} {version} on", "{key} 从 {variant} {version} 起才可用"),
    ("{key} does not exist in {variant} {version}", "{variant} {version} 中没有 {key}"),
    (
        "{key} is an extension of variant {variant}; other compilers ignore it",
        "{key} 是变体 {variant} 的扩展，其他编译器会忽略它",
    ),
    (
        "context tree does not match content tree at {place}. Line and column reporting may be \
         inconsistent. Unused keys may not be reported.",
        "{place} 处的文本与解析出的内容不对应：行号和列号可能不准确，未知的键可能未被报告",
    ),
    // Configs that are merged.
    ("the file is empty; Ignition refuses an empty config", "文件为空；Ignition 会拒绝空的配置"),
    (
        "skipping validation for the merge/replace ignition config due to an unkown version",
        "跳过对 merge/replace 中 Ignition 配置的校验：其版本未知",
    ),
    ("it merges itself", "它合并了自身"),
    ("more than {most} configs are merged", "合并的配置超过 {most} 个"),
    ("configs are nested more than {deepest} deep", "配置嵌套超过 {deepest} 层"),
    ("{local} cannot be compiled: {message}", "{local} 无法编译：{message}"),
    ("{local} cannot be compiled", "{local} 无法编译"),
    (
        "{local} needs Ignition spec {version}, newer than that of this config",
        "{local} 需要 Ignition 规范 {version}，比本配置的规范更新",
    ),
    // Ignition configs.
    ("not a config (empty)", "不是配置：内容为空"),
    ("unsupported config version", "不支持的配置版本"),
    ("invalid config version (couldn't parse)", "配置版本无效：无法解析"),
    ("duplicate entry defined", "重复的条目"),
];
