//! What entries must not lack, unless another section of the config fills them in: sugar is merged
//! below what the user wrote, so that an entry may change one key of what is generated.

use serde_json::{Value, json};

use super::conditions::{all, any, any_key, filled, inside, is_true, listed, not, refuse, set};
use super::rules::has_origin;
use crate::lang::Lang;
use crate::schema::Layer::Base;
use crate::schema::{Dialect, Since};

/// Returns the rules of a config as a whole.
pub(super) fn rules(dialect: &Dialect, lang: Lang) -> Vec<Value> {
    let generated = any_key(set, &["boot_device", "grub"]);
    let trees = inside("storage", set("trees"));
    let volumes = inside("storage", set("luks"));
    let mut rules = vec![
        unless(any(vec![set("grub"), trees]), at("storage", nodes(dialect, lang))),
        unless(generated, at("storage", devices(dialect, lang))),
        unless(volumes, at("boot_device", at("luks", tang(lang)))),
    ];
    if dialect.reaches(Since(Base, 2)) {
        let origin = any(vec![filled("source"), set("inline"), set("local")]);
        let message = ("source, inline or local is required", "需要 source、inline 或 local");
        let entry = refuse(not(origin), message, lang);
        let config = at("config", each("merge", entry.clone()));
        let tls = at("security", at("tls", each("certificate_authorities", entry)));
        rules.push(at("ignition", json!({ "allOf": [config, tls] })));
    }
    rules
}

fn unless(condition: Value, rule: Value) -> Value {
    json!({ "if": condition, "else": rule })
}

fn at(key: &str, rule: Value) -> Value {
    json!({ "properties": { key: rule } })
}

fn each(key: &str, rule: Value) -> Value {
    at(key, json!({ "items": rule }))
}

fn nodes(dialect: &Dialect, lang: Lang) -> Value {
    let target = refuse(not(filled("target")), ("target is required", "需要 target"), lang);
    let contents = inside("contents", has_origin());
    let overwritten = refuse(
        all([is_true("overwrite"), not(contents)]),
        ("overwrite needs contents", "overwrite 需要 contents"),
        lang,
    );
    let file = json!({
        "allOf": [overwritten, at("contents", verified(lang)), each("append", verified(lang))],
    });
    let mut rules = vec![each("files", file)];
    // Specs before Ignition 3.3.0 let it pass.
    if dialect.reaches(Since(Base, 4)) {
        rules.push(each("links", target));
    }
    json!({ "allOf": rules })
}

/// Contents that are verified must come from somewhere.
fn verified(lang: Lang) -> Value {
    let so = all([inside("verification", set("hash")), not(has_origin())]);
    refuse(
        so,
        ("verification needs source, inline or local", "verification 需要 source、inline 或 local"),
        lang,
    )
}

fn devices(dialect: &Dialect, lang: Lang) -> Value {
    let level = refuse(not(filled("level")), ("level is required", "需要 level"), lang);
    let members = refuse(not(listed("devices")), ("devices are required", "需要 devices"), lang);
    let mut lists = vec!["options"];
    if dialect.reaches(Since(Base, 2)) {
        lists.push("mount_options");
    }
    let details = any(vec![
        any_key(filled, &["path", "label", "uuid"]),
        is_true("wipe_filesystem"),
        any_key(listed, &lists),
    ]);
    let format =
        refuse(all([details, not(filled("format"))]), ("format is required", "需要 format"), lang);
    let device = refuse(not(filled("device")), ("device is required", "需要 device"), lang);
    let luks = json!({
        "allOf": [device, at("key_file", verified(lang)), at("clevis", tang(lang))],
    });
    json!({
        "allOf": [
            each("raid", json!({ "allOf": [level, members] })),
            each("filesystems", format),
            each("luks", luks),
        ],
    })
}

fn tang(lang: Lang) -> Value {
    let message = ("thumbprint is required", "需要 thumbprint");
    each("tang", refuse(not(filled("thumbprint")), message, lang))
}
