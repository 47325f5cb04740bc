//! What keys of one mapping must not say together, whatever else is in the config.

use serde_json::{Value, json};

use super::conditions::{
    all, any, any_key, filled, inside, is_false, is_one_of, is_true, listed, nonzero, not, refuse,
    set, with,
};
use crate::lang::Lang;
use crate::schema::Layer::Base;
use crate::schema::{
    BOOT_DEVICE, CLEVIS, CLEVIS_CUSTOM, CONTENTS, DISK, DROPIN, Dialect, FILESYSTEM, Feature, LUKS,
    METADATA, NODE_GROUP, NODE_USER, PARTITION, QUADLET, RAID, Shape, Since, UNIT,
};

/// The most bytes of the labels of filesystems.
const LONGEST_LABELS: [(&str, u32); 5] =
    [("ext4", 16), ("btrfs", 256), ("xfs", 12), ("swap", 15), ("vfat", 11)];

/// Where contents come from.
pub(super) const ORIGINS: [&str; 3] = ["source", "inline", "local"];

const ROLE: &str = "machineconfiguration.openshift.io/role";

/// Returns the rules of a mapping.
pub(super) fn of(shape: &'static Shape, dialect: &Dialect, lang: Lang) -> Vec<Value> {
    let is = |other| std::ptr::eq(shape, other);
    if is(&CONTENTS) {
        contents(dialect, lang)
    } else if is(&NODE_USER) || is(&NODE_GROUP) {
        let both = all([set("id"), filled("name")]);
        vec![refuse(both, ("cannot set both id and name", "不能同时设置 id 和 name"), lang)]
    } else if is(&PARTITION) {
        partition(lang)
    } else if is(&DISK) {
        vec![deleted_and_unnumbered(lang)]
    } else if is(&RAID) {
        let level = is_one_of("level", &["linear", "raid0", "0", "stripe"]);
        let zero = with("level", json!({ "enum": [0] }));
        let so = all([any(vec![level, zero]), nonzero("spares")]);
        vec![refuse(
            so,
            ("linear and raid0 arrays have no spares", "linear 和 raid0 阵列没有热备"),
            lang,
        )]
    } else if is(&FILESYSTEM) {
        filesystem(dialect, lang)
    } else if is(&LUKS) && dialect.reaches(Since(Base, 6)) {
        luks(lang)
    } else if is(&CLEVIS) {
        vec![custom_with_others(lang)]
    } else if is(&CLEVIS_CUSTOM) {
        custom(lang)
    } else if is(&UNIT) || is(&DROPIN) {
        one_text(dialect, lang)
    } else if is(&QUADLET) {
        quadlet(dialect, lang)
    } else if is(&BOOT_DEVICE) {
        super::boot_device::rules(dialect, lang)
    } else if is(&METADATA) {
        let so = not(inside("labels", filled(ROLE)));
        vec![refuse(so, ("labels need a role", "labels 需要角色标签"), lang)]
    } else {
        vec![]
    }
}

/// Returns whether drop-ins of one kind of unit may have names that others may not.
pub(super) fn loosens_dropins(above: &'static Shape, shape: &'static Shape) -> bool {
    std::ptr::eq(above, &QUADLET) && std::ptr::eq(shape, &DROPIN)
}

/// A mapping says where contents come from.
pub(super) fn has_origin() -> Value {
    any_key(set, &ORIGINS)
}

fn contents(dialect: &Dialect, lang: Lang) -> Vec<Value> {
    let [source, inline, local] = ORIGINS;
    let pairs = [(source, inline), (source, local), (inline, local)];
    let both = any(pairs.iter().map(|(a, b)| all([set(a), set(b)])).collect());
    let message =
        ("only one of source, inline and local can be set", "source、inline 和 local 只能设置一个");
    let mut rules = vec![refuse(both, message, lang)];
    if dialect.reaches(Since(Base, 2)) {
        let web = with(source, json!({ "pattern": "^[hH][tT][tT][pP][sS]?:" }));
        let so = all([listed("http_headers"), not(web)]);
        let message = ("HTTP headers need an http(s) source", "HTTP 头需要 http(s) 来源");
        rules.push(refuse(so, message, lang));
    }
    rules
}

fn partition(lang: Lang) -> Vec<Value> {
    let unnamed = not(any(vec![nonzero("number"), set("label")]));
    let others = [
        any_key(set, &["label", "start_mib", "size_mib"]),
        any_key(filled, &["guid", "type_guid"]),
    ];
    let deleted = all([is_false("should_exist"), any(others.to_vec())]);
    vec![
        refuse(
            unnamed,
            ("a partition needs a number or a label", "分区必须有 number 或 label"),
            lang,
        ),
        refuse(
            deleted,
            (
                "a partition that is deleted has a number and nothing else",
                "要删除的分区只能有 number",
            ),
            lang,
        ),
    ]
}

fn deleted_and_unnumbered(lang: Lang) -> Value {
    let mapping = || json!({ "type": "object" });
    let holds = |entry: Value| with("partitions", json!({ "type": "array", "contains": entry }));
    let deleted = holds(all([mapping(), is_false("should_exist")]));
    let unnumbered = holds(all([mapping(), not(nonzero("number"))]));
    let message = (
        "where a partition is deleted, all partitions need numbers",
        "删除分区时，所有分区都必须有 number",
    );
    refuse(all([deleted, unnumbered]), message, lang)
}

fn filesystem(dialect: &Dialect, lang: Lang) -> Vec<Value> {
    let mut rules: Vec<Value> = LONGEST_LABELS
        .iter()
        .map(|(format, most)| {
            let label = json!({ "maxLength": most });
            json!({ "if": is_one_of("format", &[format]), "then": { "properties": { "label": label } } })
        })
        .collect();
    if !dialect.reaches(Since(Base, 2)) {
        return rules;
    }
    let unit = || is_true("with_mount_unit");
    let message = ("with_mount_unit needs format", "with_mount_unit 需要 format");
    rules.push(refuse(all([unit(), not(filled("format"))]), message, lang));
    let message = (
        "with_mount_unit needs path unless format is swap",
        "除非 format 为 swap，with_mount_unit 需要 path",
    );
    let swap = is_one_of("format", &["swap"]);
    rules.push(refuse(all([unit(), not(filled("path")), not(swap)]), message, lang));
    if dialect.does(Feature::MountPointRules) {
        let elsewhere = json!({ "type": "string", "not": { "pattern": "^/(etc|var)(/|$)" } });
        let message = (
            "with_mount_unit mounts under /etc or /var only",
            "with_mount_unit 只能挂载在 /etc 或 /var 之下",
        );
        rules.push(refuse(all([unit(), with("path", elsewhere)]), message, lang));
    }
    rules
}

fn luks(lang: Lang) -> Vec<Value> {
    let card = || inside("cex", set("enabled"));
    let clevis = inside("clevis", any_key(set, &["custom", "tang", "threshold", "tpm2"]));
    let origin = any(vec![filled("source"), set("inline"), set("local")]);
    let key = inside("key_file", origin);
    vec![
        refuse(
            all([card(), clevis]),
            ("cannot use cex with clevis", "cex 不能与 clevis 同时使用"),
            lang,
        ),
        refuse(
            all([card(), key]),
            ("cannot use key file with cex", "cex 不能与 key_file 同时使用"),
            lang,
        ),
    ]
}

fn says_custom() -> Value {
    any(vec![filled("pin"), filled("config"), is_true("needs_network")])
}

fn custom_with_others(lang: Lang) -> Value {
    let others = any(vec![listed("tang"), is_true("tpm2"), nonzero("threshold")]);
    let message = (
        "cannot use custom with tpm2, tang or threshold",
        "custom 不能与 tpm2、tang 或 threshold 同时使用",
    );
    refuse(all([inside("custom", says_custom()), others]), message, lang)
}

fn custom(lang: Lang) -> Vec<Value> {
    let lacks = |key| all([says_custom(), not(filled(key))]);
    vec![
        refuse(lacks("pin"), ("pin is required", "需要 pin"), lang),
        refuse(lacks("config"), ("config is required", "需要 config"), lang),
    ]
}

fn one_text(dialect: &Dialect, lang: Lang) -> Vec<Value> {
    if !dialect.reaches(Since(Base, 5)) {
        return vec![];
    }
    let both = all([set("contents"), set("contents_local")]);
    let message = (
        "only one of contents and contents_local can be set",
        "contents 和 contents_local 只能设置一个",
    );
    vec![refuse(both, message, lang)]
}

fn quadlet(dialect: &Dialect, lang: Lang) -> Vec<Value> {
    let mut rules = one_text(dialect, lang);
    let instance = with("name", json!({ "pattern": r"^(?![^@.]*@\.)[^@]*@" }));
    let message = ("instances of templates have no contents", "模板的实例不能有内容");
    let so = all([instance, any_key(set, &["contents", "contents_local"])]);
    rules.push(refuse(so, message, lang));
    rules
}
