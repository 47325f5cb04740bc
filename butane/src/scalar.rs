//! What plain scalars mean: the mix of YAML 1.1 and 1.2 that configs in the field rely on, where
//! `0644` is octal and the type that is asked for decides whether `on` is a boolean.

use base64::Engine;
use nestos_formats::yaml::{Scalar, Style};

const PREFIX: &str = "tag:yaml.org,2002:";

/// A scalar with the type its spelling suggests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Resolved {
    /// A boolean.
    Bool(bool),
    /// An integer; wide enough for what is accepted and what is refused.
    Int(i128),
    /// A number with a fraction or exponent.
    Float(f64),
    /// A date, which no field takes as such.
    Timestamp,
    /// Decoded `!!binary`.
    Binary(Vec<u8>),
    /// Any other text.
    Text,
}

impl Resolved {
    /// Returns the tag that type errors show.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Bool(_) => "!!bool",
            Self::Int(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Binary(_) => "!!binary",
            Self::Text => "!!str",
        }
    }
}

/// Decides what a scalar is; an error if an explicit tag contradicts the text.
pub(crate) fn resolve(scalar: &Scalar) -> Result<Resolved, String> {
    let text = &*scalar.text;
    let Some(tag) = scalar.tag.as_deref().filter(|tag| *tag != "!") else {
        return Ok(match scalar.style {
            Style::Plain => guess(text),
            Style::Quoted | Style::Block => Resolved::Text,
        });
    };
    let short = tag.strip_prefix(PREFIX).map_or(tag.to_owned(), |name| format!("!!{name}"));
    match short.as_str() {
        "!!str" => return Ok(Resolved::Text),
        "!!binary" => {
            let joined: String = text.split(['\r', '\n']).collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(joined);
            return bytes
                .map(Resolved::Binary)
                .map_err(|_invalid| "!!binary value contains invalid base64 data".to_owned());
        }
        _ => {}
    }
    match (short.as_str(), guess(text)) {
        ("!!float", Resolved::Int(n)) => Ok(Resolved::Float(n as f64)),
        (tag, guessed) if tag == guessed.tag() => Ok(guessed),
        (tag, guessed) => Err(format!("cannot decode {} `{text}` as a {tag}", guessed.tag())),
    }
}

/// Returns the number that an integer field takes from a scalar; fractions are cut off.
pub(crate) fn as_int(resolved: &Resolved) -> Option<i64> {
    match resolved {
        Resolved::Int(n) => i64::try_from(*n).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "cutting off is what is asked for")]
        Resolved::Float(n) if *n <= i64::MAX as f64 => Some(*n as i64),
        _ => None,
    }
}

/// Returns the boolean that a boolean field takes from a scalar; YAML 1.1 words count, quoted too.
pub(crate) fn as_bool(resolved: &Resolved, text: &str) -> Option<bool> {
    match resolved {
        Resolved::Bool(b) => Some(*b),
        Resolved::Text => match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Returns whether a text without quotes is read as that text by readers of YAML 1.1 and 1.2 alike.
pub(crate) fn reads_as_text(text: &str) -> bool {
    let nothing = matches!(text, "" | "~" | "null" | "Null" | "NULL" | "<<" | "=");
    let words = ["y", "n", "yes", "no", "on", "off"];
    let word = words.iter().any(|word| text.eq_ignore_ascii_case(word));
    // YAML 1.1 reads 1:30 as a number of base 60.
    let digits = text.trim_start_matches(['+', '-']);
    let base_60 = digits.contains(':')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b":_.".contains(&b));
    !nothing && !word && !base_60 && guess(text) == Resolved::Text
}

fn guess(text: &str) -> Resolved {
    match text {
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.bytes().next() {
        Some(b'.') => text.parse().map_or(Resolved::Text, Resolved::Float),
        Some(b'0'..=b'9' | b'+' | b'-') if is_date(text) => Resolved::Timestamp,
        Some(b'0'..=b'9' | b'+' | b'-') => number(&text.replace('_', "")),
        _ => Resolved::Text,
    }
}

fn number(text: &str) -> Resolved {
    if let Some(n) = integer(text) {
        return Resolved::Int(n);
    }
    let decimal = is_decimal(text).then(|| text.parse().ok()).flatten();
    decimal.map_or(Resolved::Text, Resolved::Float)
}

/// Reads an integer that fits 64 bits, signed or not: decimal, `0x`, `0o`, `0b`, or octal by a
/// leading zero.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(two) if two.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    // `from_str_radix` would take a second sign.
    let value = digits.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(digits)?;
    let value = i128::from_str_radix(value, radix).ok()?;
    let value = if negative { -value } else { value };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// Returns whether a text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_decimal(text: &str) -> bool {
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['+', '-']).unwrap_or(e);
        !digits.is_empty() && all_digits(digits)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    exponent_ok && some && all_digits(whole) && all_digits(fraction)
}

/// Returns whether a text starts with a date such as `2001-12-14`.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let day: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let in_range = |s: &str, most: u8| s.parse().is_ok_and(|n: u8| (1..=most).contains(&n));
    let tail = &rest[day.len()..];
    year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && (in_range(month, 12) && month.len() <= 2)
        && (in_range(&day, 31) && day.len() <= 2)
        && (tail.is_empty() || (tail.starts_with(['T', 't', ' ']) && tail.contains(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_in_many_spellings() {
        let cases: &[(&str, Option<i64>)] = &[
            ("0644", Some(420)),
            ("0o644", Some(420)),
            ("0O644", Some(420)),
            ("0x1a4", Some(420)),
            ("0b110", Some(6)),
            ("1_000", Some(1000)),
            ("+420", Some(420)),
            ("-1", Some(-1)),
            ("0", Some(0)),
            ("0888", Some(888)),
            ("08", Some(8)),
            ("420.7", Some(420)),
            ("4.2e2", Some(420)),
            (".5", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            (".inf", None),
            (".nan", None),
            ("6:44", None),
            ("--1", None),
            ("0x", None),
            ("abc", None),
            ("2001-12-14", None),
        ];
        for (text, want) in cases {
            assert_eq!(as_int(&guess(text)), *want, "{text}");
        }
    }

    #[test]
    fn booleans_come_in_three_cases_and_quoted_words() {
        for (text, want) in [("true", true), ("FALSE", false), ("Yes", true), ("off", false)] {
            assert_eq!(as_bool(&guess(text), text), Some(want));
        }
        assert_eq!(as_bool(&Resolved::Text, "y"), Some(true));
        for text in ["tRue", "1", "maybe"] {
            assert_eq!(as_bool(&guess(text), text), None, "{text}");
        }
        assert_eq!(as_bool(&Resolved::Text, "true"), None, "quoted");
    }

    #[test]
    fn tags_decide_or_contradict() {
        let tagged = |tag: &str, text: &str| {
            let (text, tag) = (text.into(), Some(format!("{PREFIX}{tag}").into()));
            resolve(&Scalar { text, style: Style::Quoted, tag })
        };
        assert_eq!(tagged("int", "0644"), Ok(Resolved::Int(420)));
        assert_eq!(tagged("float", "1"), Ok(Resolved::Float(1.0)));
        assert_eq!(tagged("binary", "/w=="), Ok(Resolved::Binary(vec![255])));
        assert_eq!(tagged("bool", "x").unwrap_err(), "cannot decode !!str `x` as a !!bool");
        assert!(tagged("binary", "?").is_err());
    }
}
