//! Turning Ignition configs into Butane configs.

use super::Table;

pub(super) const MESSAGES: Table = &[
    ("cannot decompile {name}: {message}", "无法反编译 {name}：{message}"),
    ("no Butane config says the same", "没有等价的 Butane 配置"),
    ("no variant is for Ignition {version}", "没有对应 Ignition {version} 的变体"),
    (
        "cannot write variant openshift: it compiles to machine configs, not to Ignition configs",
        "无法生成变体 openshift 的配置：它编译为 MachineConfig，而不是 Ignition 配置",
    ),
    (
        "cannot write variant {variant}: it has no version for Ignition {version}\nhint: convert it \
         to Ignition {spec}, which {dialect} is for, or choose variant fcos",
        "无法生成变体 {variant} 的配置：它没有对应 Ignition {version} 的版本\n提示：可转换为 \
         Ignition {spec}（对应 {dialect}），或选择变体 fcos",
    ),
    (
        "cannot write variant {variant}: it has no version for Ignition {version}",
        "无法生成变体 {variant} 的配置：它没有对应 Ignition {version} 的版本",
    ),
    (
        "cannot write variant {variant}: no such variant",
        "无法生成变体 {variant} 的配置：没有这个变体",
    ),
    (
        "cannot write the config as {variant} {version}: compiling it again changes {place}",
        "无法将配置写为 {variant} {version}：重新编译会改变 {place}",
    ),
    (
        "cannot write the config as {variant} {version}: {message}",
        "无法将配置写为 {variant} {version}：{message}",
    ),
    (
        "the config is of spec {version}; what was made from it is of spec {later}",
        "原配置的规范版本为 {version}，生成的配置的规范版本为 {later}",
    ),
    (
        "texts in data URLs that Butane would encode in another way, so they stay as they are: \
         {count}",
        "有 {count} 处 data URL 中的文本因 Butane 的编码方式不同而保持原样",
    ),
];
