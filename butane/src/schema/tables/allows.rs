//! Which values fields take, as far as one value by itself can be wrong. What refuses them is in
//! [`crate::check`] and [`crate::ignition`]; this is what people and editors are told beforehand.

use crate::lang::Lang;
use crate::schema::{Dialect, Layer, Since};
use crate::translate::quadlet;

/// Which values a text or number may have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Allows {
    /// Any of its type.
    Anything,
    /// Any text but the empty one, which is what absence counts as.
    Filled,
    /// Any text but the empty one; absence is something else.
    NotEmpty,
    /// Some words; the empty one means unset.
    OneOf(&'static [Word]),
    /// Names with one of these endings after a dot.
    Suffix(&'static [&'static str]),
    /// Texts of some length in UTF-8.
    MaxBytes(usize),
    /// Texts without slashes.
    NoSlash,
    /// Labels that fit the partition table.
    PartitionLabel,
    /// Absolute paths in their simplest form.
    Path,
    /// The same, or empty for unset.
    PathOrEmpty,
    /// Permission bits.
    Mode,
    /// GUIDs, or empty for unset.
    Guid,
    /// Digests with their function.
    Digest,
    /// Clevis pins: some, and from a version on any.
    Pin,
    /// URLs of these schemes; empty only where a source may be unset.
    Url(&'static [Word], Emptiness),
}

/// Whether an empty text counts as unset, rather than being wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emptiness {
    /// It does.
    Unset,
    /// It is wrong.
    Refused,
}

/// A word that a field takes from some version on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// The word.
    pub text: &'static str,
    since: Since,
}

/// The word that Clevis pins are free to be from this version on.
const ANY_PIN: Since = Since(Layer::Base, 7);
const SHA256: Since = Since(Layer::Base, 2);

const WEB: &[Word] = &[always("http"), always("https")];
pub(super) const PROXY_URL: Allows = Allows::Url(WEB, Emptiness::Refused);
pub(super) const TANG_URL: Allows = Allows::Url(WEB, Emptiness::Refused);
pub(super) const SOURCE_URL: Allows = Allows::Url(FETCHED, Emptiness::Unset);
pub(super) const CERTIFICATE_URL: Allows = Allows::Url(FETCHED, Emptiness::Refused);
const FETCHED: &[Word] = &[
    always("http"),
    always("https"),
    always("tftp"),
    always("s3"),
    since("gs", Layer::Base, 3),
    since("arn", Layer::Base, 5),
    always("data"),
];

pub(super) const FORMATS: &[Word] = &[
    always("ext4"),
    always("btrfs"),
    always("xfs"),
    always("vfat"),
    always("swap"),
    since("none", Layer::Base, 4),
    always(""),
];

pub(super) const RAID_LEVELS: &[Word] = &[
    always("linear"),
    always("raid0"),
    always("0"),
    always("stripe"),
    always("raid1"),
    always("1"),
    always("mirror"),
    always("raid4"),
    always("4"),
    always("raid5"),
    always("5"),
    always("raid6"),
    always("6"),
    always("raid10"),
    always("10"),
];

pub(super) const LAYOUTS: &[Word] = &[
    always("x86_64"),
    always("aarch64"),
    always("ppc64le"),
    since("s390x-eckd", Layer::Fcos, 6),
    since("s390x-virt", Layer::Fcos, 6),
    since("s390x-zfcp", Layer::Fcos, 6),
];

/// What systemd has units for, by the end of their names.
pub(crate) const UNIT_SUFFIXES: &[&str] = &[
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "snapshot",
    "slice",
    "scope",
];

pub(super) const QUADLET_SUFFIXES: &[&str] = &quadlet::EXTENSIONS;

pub(super) const fn always(text: &'static str) -> Word {
    since(text, Layer::Base, 1)
}

const fn since(text: &'static str, layer: Layer, minor: u8) -> Word {
    Word { text, since: Since(layer, minor) }
}

/// Returns the words that a version has, the empty one included.
pub(crate) fn words_in(words: &'static [Word], dialect: &Dialect) -> Vec<&'static str> {
    words.iter().filter(|word| dialect.reaches(word.since)).map(|word| word.text).collect()
}

/// Returns the Clevis pins of a version; none if it takes any.
pub(crate) fn pins_in(dialect: &Dialect) -> Option<[&'static str; 3]> {
    (!dialect.reaches(ANY_PIN)).then_some(["tpm2", "tang", "sss"])
}

/// Returns the functions of digests of a version, with the number of digits of each.
pub(crate) fn digests_in(dialect: &Dialect) -> &'static [(&'static str, usize)] {
    const ALL: &[(&str, usize)] = &[("sha512", 128), ("sha256", 64)];
    if dialect.reaches(SHA256) { ALL } else { &ALL[..1] }
}

impl Allows {
    /// Says which values a version allows; `None` if any will do.
    pub(crate) fn in_words(&self, dialect: &Dialect, lang: Lang) -> Option<String> {
        let listed = |words: &[&str]| {
            let words: Vec<&str> = words.iter().filter(|w| !w.is_empty()).copied().collect();
            words.join(lang.pick(", ", "、"))
        };
        let say = |english: &str, chinese: &str| Some(lang.pick(english, chinese).to_owned());
        match self {
            Self::Anything => None,
            Self::Filled | Self::NotEmpty => say("any text that is not empty", "任意非空文本"),
            Self::OneOf(words) => Some(listed(&words_in(words, dialect))),
            Self::Suffix(endings) => {
                let endings: Vec<String> = endings.iter().map(|e| format!(".{e}")).collect();
                let endings = listed(&endings.iter().map(String::as_str).collect::<Vec<_>>());
                Some(match lang {
                    Lang::English => format!("names that end in {endings}"),
                    Lang::Chinese => format!("以 {endings} 结尾的名称"),
                })
            }
            Self::MaxBytes(most) => Some(match lang {
                Lang::English => format!("at most {most} bytes"),
                Lang::Chinese => format!("最长 {most} 字节"),
            }),
            Self::NoSlash => say("text without slashes", "不含斜杠的文本"),
            Self::PartitionLabel => {
                say("at most 36 bytes, without colon", "最长 36 字节，不含冒号")
            }
            Self::Path | Self::PathOrEmpty => say(
                "absolute paths without //, /./, /../ and without slash at the end",
                "绝对路径，不含 //、/./、/../，末尾不带斜杠",
            ),
            Self::Mode => say("0 to 07777 (octal)", "0 至 07777（八进制）"),
            Self::Guid => {
                say("01234567-89AB-CDEF-EDCB-A98765432101", "01234567-89AB-CDEF-EDCB-A98765432101")
            }
            Self::Digest => {
                let forms = digests_in(dialect).iter().map(|(function, digits)| match lang {
                    Lang::English => format!("{function}- and {digits} hexadecimal digits"),
                    Lang::Chinese => format!("{function}- 加 {digits} 位十六进制数字"),
                });
                Some(forms.collect::<Vec<_>>().join(lang.pick(", ", "、")))
            }
            Self::Pin => pins_in(dialect).map(|pins| listed(&pins)),
            Self::Url(schemes, _) => {
                let schemes = listed(&words_in(schemes, dialect));
                Some(match lang {
                    Lang::English => format!("URLs: {schemes}"),
                    Lang::Chinese => format!("URL：{schemes}"),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::DIALECTS;
    use crate::translate::boot_device;

    #[test]
    fn layouts_are_those_that_are_accepted() {
        for dialect in DIALECTS {
            let mut told = words_in(LAYOUTS, dialect);
            let mut accepted: Vec<_> =
                boot_device::Layout::all(dialect).map(|layout| layout.name).collect();
            told.sort_unstable();
            accepted.sort_unstable();
            assert_eq!(told, accepted, "{} {}", dialect.variant, dialect.version);
        }
    }

    #[test]
    fn words_appear_in_the_version_that_has_them() {
        let said = |version| {
            let dialect = Dialect::find("fcos", version).unwrap();
            SOURCE_URL.in_words(dialect, Lang::English).unwrap()
        };
        assert_eq!(said("1.0.0"), "URLs: http, https, tftp, s3, data");
        assert_eq!(said("1.4.0"), "URLs: http, https, tftp, s3, gs, data");
        assert_eq!(said("1.5.0"), "URLs: http, https, tftp, s3, gs, arn, data");
    }
}
