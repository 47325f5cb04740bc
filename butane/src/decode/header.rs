//! The two keys that say which language a config is written in.

use nestos_formats::yaml::Node;

use super::{Decoder, Undecodable};
use crate::schema::{DIALECTS, Dialect, REMOVED, Type};
use crate::value::Kind;

/// Reads `variant` and `version` and finds the dialect they name.
pub(crate) fn dialect(root: &Node) -> Result<&'static Dialect, Undecodable> {
    let (variant, version) = names(root).map_err(|e| Undecodable {
        message: format!("Error unmarshaling yaml: {}", e.message),
        ..e
    })?;
    if variant.is_empty() {
        return Err("error parsing variant; must be specified".to_owned().into());
    }
    let Some(version) = semver(&version) else {
        return Err("error parsing version; must be a valid semver".to_owned().into());
    };
    let mut removed = REMOVED.iter();
    if let Some(removed) = removed.find(|r| r.variant == variant && r.version == version) {
        return Err(removed.advice.to_owned().into());
    }
    Dialect::find(&variant, &version).ok_or_else(|| {
        format!("No translator exists for variant {variant} with version {version}").into()
    })
}

fn names(root: &Node) -> Result<(String, String), Undecodable> {
    // Which dialect is not known yet; only plain strings are decoded.
    let mut decoder = Decoder::new(&DIALECTS[0]);
    let mut names = [("variant", String::new()), ("version", String::new())];
    if root.is_null() {
        return Ok(names.map(|(_, text)| text).into());
    }
    let Some(entries) = root.entries() else {
        decoder.mismatch(root, "config.commonFields")?;
        decoder.finish()?;
        return Ok(names.map(|(_, text)| text).into());
    };
    if !decoder.report_duplicates(entries) {
        let mut take = |decoder: &mut Decoder<'_>, key: &str, value: &Node| {
            let Some((_, wanted)) = names.iter_mut().find(|(name, _)| *name == key) else {
                return Ok(());
            };
            if let Some(Kind::Text(text)) = decoder.scalar(value, Type::Text, "string")? {
                *wanted = text.as_ref().to_owned();
            }
            Ok(())
        };
        decoder.entries(entries, &mut take)?;
    }
    decoder.finish()?;
    Ok(names.map(|(_, text)| text).into())
}

/// Checks a semantic version and returns its normal form.
fn semver(text: &str) -> Option<String> {
    let identifiers = |s: &str| {
        s.split('.')
            .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    let (rest, build) = split_suffix(text, '+');
    let (core, pre) = split_suffix(rest, '-');
    // A sign with nothing after it counts for nothing.
    let [build, pre] = [build, pre].map(|suffix| suffix.filter(|suffix| !suffix.is_empty()));
    if [build, pre].into_iter().flatten().any(|suffix| !identifiers(suffix)) {
        return None;
    }
    let numbers: Vec<i64> = core.split('.').map(|n| n.parse().ok()).collect::<Option<Vec<_>>>()?;
    let [major, minor, patch] = numbers.try_into().ok()?;
    let pre = pre.map(|p| format!("-{p}")).unwrap_or_default();
    let build = build.map(|b| format!("+{b}")).unwrap_or_default();
    Some(format!("{major}.{minor}.{patch}{pre}{build}"))
}

fn split_suffix(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(head, tail)| (head, Some(tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_must_be_semantic_versions() {
        assert_eq!(semver("1.04.0").as_deref(), Some("1.4.0"));
        assert_eq!(semver("1.0.0-rc.1+b").as_deref(), Some("1.0.0-rc.1+b"));
        assert_eq!(semver("1.4.0-").as_deref(), Some("1.4.0"));
        assert_eq!(semver("1.4.0+").as_deref(), Some("1.4.0"));
        for bad in ["", "1", "1.4", "v1.4.0", "1.4.0.0", "1.4.x", "1.0.0-a..b", "1.0.0-_"] {
            assert_eq!(semver(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_header_may_come_from_a_merge_key() {
        let of = |text: &str| {
            let root = nestos_formats::yaml::parse_lenient(text.as_bytes()).unwrap();
            dialect(&root).map(|d| d.version).map_err(|e| e.message)
        };
        assert_eq!(of("<<: {variant: fcos, version: 1.4.0}"), Ok("1.4.0"));
        assert_eq!(of("<<: [{version: 1.3.0}, {version: 1.4.0}]\nvariant: fcos"), Ok("1.3.0"));
        assert_eq!(of("<<: {version: 1.4.0}\nvariant: fcos\nversion: 1.5.0"), Ok("1.5.0"));
        let no_map = "Error unmarshaling yaml: yaml: map merge requires map or sequence of maps as \
                      the value";
        assert_eq!(of("variant: fcos\nversion: 1.4.0\n<<: 5"), Err(no_map.to_owned()));
    }

    #[test]
    fn an_unknown_dialect_is_named() {
        let of = |text: &str| {
            dialect(&nestos_formats::yaml::parse_lenient(text.as_bytes()).unwrap())
                .unwrap_err()
                .message
        };
        assert_eq!(
            of("variant: nestos\nversion: 2.0.0"),
            "No translator exists for variant nestos with version 2.0.0"
        );
        assert_eq!(of("version: 1.0.0"), "error parsing variant; must be specified");
        assert_eq!(of("variant: nestos"), "error parsing version; must be a valid semver");
        assert_eq!(
            of("[a]"),
            "Error unmarshaling yaml: yaml: unmarshal errors:\n  \
             line 1: cannot unmarshal !!seq into config.commonFields"
        );
    }
}
