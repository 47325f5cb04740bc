//! Which language a config is written in, by the Ignition spec it is for.

use super::{Conversion, DecompileOptions};
use crate::report::Report;
use crate::schema::{DIALECTS, Dialect};

/// What is written where it has the spec, and what elsewhere.
const VARIANTS: [&str; 2] = ["nestos", "fcos"];

/// Returns the dialect for a config of a spec version.
pub(super) fn choose(
    version: &str,
    options: &DecompileOptions,
) -> Result<&'static Dialect, Report> {
    let of = |variant: &str| {
        // Of two versions for one spec, the later one has more.
        DIALECTS.iter().rfind(|d| d.variant == variant && d.ignition_version() == version)
    };
    let Some(variant) = options.variant.as_deref() else {
        let found = VARIANTS.iter().find_map(|variant| of(variant));
        return found
            .ok_or_else(|| Report::failed(format!("no variant is for Ignition {version}")));
    };
    if variant == "openshift" {
        return Err(Report::failed(
            "cannot write variant openshift: it compiles to machine configs, not to Ignition \
             configs",
        ));
    }
    let mut known = DIALECTS.iter().filter(|d| d.variant == variant).peekable();
    if known.peek().is_none() {
        return Err(Report::failed(format!("cannot write variant {variant}: no such variant")));
    }
    if let Some(found) = of(variant) {
        return Ok(found);
    }
    let later = known
        .filter(|d| is_later(&d.ignition_version(), version))
        .min_by_key(|dialect| dialect.ignition);
    match (later, options.conversion) {
        (Some(found), Conversion::ToLaterSpec) => Ok(found),
        (later, _) => Err(refusal(variant, version, later)),
    }
}

fn refusal(variant: &str, version: &str, later: Option<&Dialect>) -> Report {
    let mut message =
        format!("cannot write variant {variant}: it has no version for Ignition {version}");
    if let Some(later) = later {
        let (name, spec) = (later.version, later.ignition_version());
        message.push_str(&format!(
            "\nhint: convert it to Ignition {spec}, which {variant} {name} is for, or choose \
             variant fcos"
        ));
    }
    Report::failed(message)
}

/// Compares versions of released specs.
fn is_later(one: &str, other: &str) -> bool {
    let minor = |version: &str| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(3)), Some(Ok(minor)), Some(Ok(0)), None) => Some(minor),
            _ => None,
        }
    };
    minor(one).zip(minor(other)).is_some_and(|(one, other)| one > other)
}
