//! What the boot device section must not say.

use serde_json::{Value, json};

use super::conditions::{
    all, any, filled, inside, is_one_of, is_true, listed, not, refuse, set, with,
};
use crate::lang::Lang;
use crate::schema::{Dialect, Feature};

/// Returns the rules of the section.
pub(super) fn rules(dialect: &Dialect, lang: Lang) -> Vec<Value> {
    let mut rules = vec![single_mirror(lang)];
    if dialect.does(Feature::LayoutRequired) {
        let message = ("a mirror needs a layout", "镜像需要 layout");
        rules.push(refuse(all([mirrors(), not(set("layout"))]), message, lang));
    }
    if dialect.does(Feature::S390xLayouts) {
        rules.extend(s390x(lang));
        rules.extend(crypto_express(lang));
    }
    if dialect.does(Feature::LuksMethodRequired) {
        let method = any(vec![is_true("tpm2"), listed("tang"), uses_card()]);
        let so = inside("luks", all([filled("device"), not(method)]));
        let message = ("luks.device needs tpm2, tang or cex", "luks.device 需要 tpm2、tang 或 cex");
        rules.push(refuse(so, message, lang));
    }
    rules
}

fn mirrors() -> Value {
    inside("mirror", listed("devices"))
}

fn single_mirror(lang: Lang) -> Value {
    let one = json!({
        "type": "array",
        "minItems": 1,
        "maxItems": 1,
        "items": { "not": { "type": "null" } },
    });
    let message = ("a mirror needs at least two devices", "镜像至少需要两个设备");
    refuse(inside("mirror", with("devices", one)), message, lang)
}

fn s390x(lang: Lang) -> Vec<Value> {
    let mirrored =
        all([is_one_of("layout", &["s390x-eckd", "s390x-virt", "s390x-zfcp"]), mirrors()]);
    let message = ("s390x layouts cannot be mirrored", "s390x 布局不支持镜像");
    let mut rules = vec![refuse(mirrored, message, lang)];
    for (layout, prefix) in [("s390x-eckd", "/dev/dasd"), ("s390x-zfcp", "/dev/sd")] {
        let disk = json!({ "type": "string", "pattern": format!("{prefix}[a-z]$") });
        let fits = inside("luks", with("device", disk));
        let message = (
            "this layout needs luks.device, a whole disk: /dev/dasdX or /dev/sdX",
            "此布局需要 luks.device，且为整个磁盘：/dev/dasdX 或 /dev/sdX",
        );
        rules.push(refuse(all([is_one_of("layout", &[layout]), not(fits)]), message, lang));
    }
    rules
}

fn uses_card() -> Value {
    inside("cex", is_true("enabled"))
}

fn crypto_express(lang: Lang) -> Vec<Value> {
    let elsewhere = not(with("layout", json!({ "pattern": "^s390x" })));
    let other_means = any(vec![is_true("tpm2"), listed("tang")]);
    vec![
        refuse(
            all([inside("luks", uses_card()), elsewhere]),
            ("cex needs an s390x layout", "cex 需要 s390x 布局"),
            lang,
        ),
        refuse(
            inside("luks", all([uses_card(), other_means])),
            ("cannot use cex with clevis", "cex 不能与 clevis 同时使用"),
            lang,
        ),
    ]
}
