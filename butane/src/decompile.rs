//! Turns an Ignition config back into Butane: text that people can read and change, and that
//! compiles to the same Ignition config.
//!
//! Nothing is believed: the text is compiled again and the result compared with the input. Where it
//! differs, the text is written with less sugar, in the end with none. Equal means equal JSON,
//! where compressed contents count unpacked, and Ignition configs inside without their spacing.
//! Keys that Ignition does not know are left out, with its warnings.

use crate::ignition::{self, json_text, json_types};
use crate::path::Path;
use crate::report::{Report, Severity};
use crate::schema::{CONFIG, Dialect, IGNITION};
use crate::value::{Object, Value};
use crate::{Options, Spacing, compile, json};

use compare::{Difference, Terms, differences};
use contents::Inlining;

mod boot_device;
mod compare;
mod contents;
mod json_layout;
mod layout;
mod sugar;
mod target;
mod text;
mod tree;
mod unmerge;

/// What decompiling depends on besides the config.
#[derive(Debug, Clone, Default)]
pub struct DecompileOptions {
    /// The variant to write; without one `nestos`, or `fcos` for specs that `nestos` does not have.
    pub variant: Option<String>,
    /// Whether the config may become one of another spec version.
    pub conversion: Conversion,
    /// Whether contents may come back in another encoding.
    pub encoding: Encoding,
    /// What the config is called in the comment at the start.
    pub name: Option<String>,
}

/// Whether the spec version of a config may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conversion {
    /// The spec version stays.
    #[default]
    Refuse,
    /// The variant may be one for a later spec, if it has none for the config's.
    ToLaterSpec,
}

/// How the contents of files are held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Data URLs come back as they are, and compressed if they are.
    #[default]
    Same,
    /// Data URLs come back with the same bytes, encoded and compressed as Butane does. More of
    /// them become text: those that Butane did not write.
    Any,
}

/// A Butane config made from an Ignition config.
#[derive(Debug, Clone)]
pub struct Decompiled {
    /// The Butane config, with a line end after it.
    pub text: String,
    /// The version of the Ignition spec it compiles to, such as `3.3.0`.
    pub ignition_version: String,
    /// What the user should know about the input or the result; never fatal.
    pub warnings: Report,
}

/// Which sugar is used.
#[derive(Debug, Clone, Copy)]
struct Sugar {
    embedded_configs: bool,
    platform: bool,
    mount_units: bool,
    inline: bool,
}

/// From all sugar to none.
const LADDER: [Sugar; 5] = {
    let all = Sugar { embedded_configs: true, platform: true, mount_units: true, inline: true };
    let no_configs = Sugar { embedded_configs: false, ..all };
    let no_platform = Sugar { platform: false, ..no_configs };
    let no_units = Sugar { mount_units: false, ..no_platform };
    [all, no_configs, no_platform, no_units, Sugar { inline: false, ..no_units }]
};

/// Decompiles an Ignition config in JSON. The report of an `Err` says what is wrong with it, or
/// what about it no Butane config can say.
pub fn decompile(text: &[u8], options: &DecompileOptions) -> Result<Decompiled, Report> {
    let mut warnings = ignition::validate(text);
    if warnings.is_fatal() {
        return Err(warnings);
    }
    let (config, version, plain) = read(text, None)?;
    let dialect = target::choose(&version, options)?;
    // What is no key in the config's own version must not become one.
    let known = json::print(&config, &plain, Spacing::Compact);
    let mut config = read(known.as_bytes(), Some(dialect))?.0;
    let ignition_version = dialect.ignition_version();
    if ignition_version != version {
        let at = Path::default().key("ignition").key("version");
        let message = format!(
            "the config is of spec {version}; what was made from it is of spec {ignition_version}"
        );
        warnings.warning(&at, message);
        if let Some(ignition) = config.object_mut("ignition", &IGNITION, &Path::default()) {
            ignition.set("version", Value::new(&at, ignition_version.as_str()));
        }
    }
    let header = header(options.name.as_deref(), &version);
    let mut refused = None;
    for sugar in LADDER {
        match attempt(&config, dialect, sugar, options.encoding) {
            Ok(butane) => {
                mention_hidden(&butane, dialect, options.encoding, &mut warnings);
                let text = header + &written(&butane, dialect);
                return Ok(Decompiled { text, ignition_version, warnings });
            }
            Err(reason) => refused = Some(reason),
        }
    }
    Err(refused.unwrap_or_default())
}

/// Reads a config that has been validated, as one of its own spec or that of a dialect; returns
/// it with the version it names and how it was read.
fn read(text: &[u8], dialect: Option<&Dialect>) -> Result<(Object, String, Dialect), Report> {
    let invalid = || Report::failed("config is not valid");
    let root = json_text::parse(text).map_err(|_reported| invalid())?;
    let version = root.get("ignition").and_then(|node| node.get("version"));
    let version = version.and_then(|node| node.as_str()).ok_or_else(invalid)?.to_owned();
    let minor = match dialect {
        Some(dialect) => dialect.ignition,
        None => {
            let minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok());
            minor.ok_or_else(invalid)?
        }
    };
    let plain = Dialect::of_ignition(minor);
    let (config, _unused) =
        json_types::decode(&root, &CONFIG, &plain).map_err(|_reported| invalid())?;
    Ok((config, version, plain))
}

fn header(name: Option<&str>, version: &str) -> String {
    match name {
        None => format!("# Made from Ignition {version}\n"),
        Some(name) => {
            let name: String =
                name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            format!("# Made from {name}, Ignition {version}\n")
        }
    }
}

/// Says if there are texts that only the same encoding keeps from being read.
fn mention_hidden(butane: &Object, dialect: &Dialect, encoding: Encoding, report: &mut Report) {
    let hidden = match encoding {
        Encoding::Same => contents::hidden_texts(butane, dialect),
        Encoding::Any => 0,
    };
    if hidden > 0 {
        let message = format!(
            "texts in data URLs that Butane would encode in another way, so they stay as they are: \
             {hidden}"
        );
        report.add(Severity::Info, &Path::default(), message);
    }
}

/// Adds some of the sugar to a config; says why if the result does not stand for the config.
fn attempt(
    config: &Object,
    dialect: &Dialect,
    sugar: Sugar,
    encoding: Encoding,
) -> Result<Object, Report> {
    let mut sugared = config.clone();
    if sugar.platform {
        sugared = sugar::platform(sugared, dialect);
    }
    if sugar.mount_units {
        sugared = sugar::mount_units(sugared, dialect);
    }
    let mut inlining = Inlining {
        keep_configs: !sugar.embedded_configs,
        keep_all: !sugar.inline,
        encoding,
        ..Inlining::default()
    };
    let terms = Terms { dialect, encoding };
    loop {
        let mut butane = sugared.clone();
        contents::inline(&mut butane, dialect, &inlining);
        let found = differences(config, &generated(&butane, dialect)?, &terms);
        let Some(first) = found.first() else { return Ok(butane) };
        let known = inlining.verbatim.len();
        inlining.verbatim.extend(found.iter().filter_map(|difference| difference.source.clone()));
        // Sources that compiling writes in another way must stay as they are.
        if inlining.verbatim.len() == known {
            return Err(refusal(first, dialect));
        }
    }
}

/// Writes a config in the language of a dialect.
fn written(config: &Object, dialect: &Dialect) -> String {
    let body = layout::write(&tree::tree(config, dialect));
    format!("variant: {}\nversion: {}\n{body}", dialect.variant, dialect.version)
}

/// Returns the Ignition config that a Butane config compiles to.
fn generated(config: &Object, dialect: &Dialect) -> Result<Object, Report> {
    let compiled = compile(written(config, dialect).as_bytes(), &Options::default());
    let compiled = compiled.map_err(|report| {
        let errors = report.entries.into_iter().filter(|e| e.severity == Severity::Error);
        // The places are those of a text that nobody sees.
        let entries = errors.map(|entry| crate::Entry { at: None, ..entry }).collect();
        let reason = report.failure.unwrap_or_default();
        let (variant, version) = (dialect.variant, dialect.version);
        let failure = format!("cannot write the config as {variant} {version}: {reason}");
        Report { entries, failure: Some(failure), causes: vec![] }
    })?;
    Ok(read(compiled.json.as_bytes(), Some(dialect))?.0)
}

fn refusal(difference: &Difference, dialect: &Dialect) -> Report {
    let (path, variant, version) = (&difference.path, dialect.variant, dialect.version);
    Report::failed(format!(
        "cannot write the config as {variant} {version}: compiling it again changes {path}"
    ))
}
