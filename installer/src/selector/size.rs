//! Sizes of disks as people write them.

/// What a unit multiplies by; those of 1000 are what makers print on disks.
const UNITS: [(&str, u64); 18] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("p", 1 << 50),
    ("pib", 1 << 50),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("pb", 1_000_000_000_000_000),
    ("bytes", 1),
];

/// Of `size=`: disks of a nominal size differ by less than one part of this.
const TOLERANCE: u64 = 100;

/// A size, as exact as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    exact: bool,
}

impl Size {
    /// Returns whether a disk of `bytes` is one of this size. Makers round: a disk of 500GB has
    /// 500107862016 bytes.
    pub(super) fn is_about(self, bytes: u64) -> bool {
        let most = if self.exact { 0 } else { self.bytes / TOLERANCE };
        bytes.abs_diff(self.bytes) <= most
    }
}

pub(super) fn parse(text: &str) -> Result<Size, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = text[end..].trim().to_ascii_lowercase();
    let wrong = || format!("`{text}` is no size; write bytes, or 500G (1024), or 500GB (1000)");
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, fraction) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
    if whole.is_empty() || fraction.contains('.') || (*factor == 1 && !fraction.is_empty()) {
        return Err(wrong());
    }
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_too_many| wrong())?;
    let places = u32::try_from(fraction.len()).ok().and_then(|n| 10_u128.checked_pow(n));
    let bytes = digits.checked_mul(u128::from(*factor)).zip(places).map(|(n, tens)| n / tens);
    let bytes = bytes.and_then(|n| u64::try_from(n).ok()).ok_or_else(wrong)?;
    Ok(Size { bytes, exact: *factor == 1 })
}

/// Spells a size as `size=` takes it.
pub(super) fn shown(bytes: u64) -> String {
    let (unit, factor) = [("T", 1_u64 << 40), ("G", 1 << 30), ("M", 1 << 20)]
        .into_iter()
        .find(|(_, factor)| bytes >= *factor)
        .unwrap_or(("K", 1 << 10));
    let tenths = u128::from(bytes) * 10 / u128::from(factor);
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        tenth => format!("{}.{tenth}{unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_kinds_of_units() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("10G", 10 << 30),
            ("10 gib", 10 << 30),
            ("1.5T", (1 << 40) + (1 << 39)),
            ("500GB", 500_000_000_000),
            ("1.92tb", 1_920_000_000_000),
        ] {
            assert_eq!(parse(text).map(|s| s.bytes), Ok(bytes), "{text}");
        }
        for text in ["", "G", "10X", "-1", "1.2.3G", "1.5", "99999999999999T", ".5G"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_nominal_size_takes_the_disks_sold_under_it() {
        let size = |text: &str| parse(text).unwrap();
        assert!(size("500GB").is_about(500_107_862_016));
        assert!(!size("480GB").is_about(500_107_862_016));
        assert!(!size("500107862015").is_about(500_107_862_016));
        assert!(size(&shown(500_107_862_016)).is_about(500_107_862_016));
        assert_eq!(shown(10 << 30), "10G");
    }
}
