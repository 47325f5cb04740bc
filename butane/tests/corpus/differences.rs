//! Where the compiler means to differ from the reference, and why.

use super::runs::Aspect;
use super::runs::Aspect::{Lines, Output, Pretty, Report, Status, Strict};

/// A difference that is meant.
#[derive(Debug)]
pub(crate) struct Difference {
    /// A pattern of the names of the cases that have it.
    pub(crate) cases: &'static str,
    /// What differs.
    pub(crate) aspects: &'static [Aspect],
    /// The heading that explains it in `docs/butane-differences.md`.
    pub(crate) reason: &'static str,
}

/// Every difference. Bytes of gzip are not in it: they are compared unpacked.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        cases: "^(0377|1987-nestos)-local-symlink-out$",
        aspects: &[Status, Output, Pretty, Report, Lines, Strict],
        reason: "Links out of the files directory",
    },
    Difference {
        cases: "^1225-doc-upgrading-fcos-47$",
        aspects: &[Report, Lines, Strict],
        reason: "Local configs to merge",
    },
    Difference {
        cases: "^(0232|1842-nestos)-colpos-unicode$|^(0424|2034-nestos)-disk-part-label-utf8$",
        aspects: &[Report],
        reason: "Marks under wide characters",
    },
    Difference {
        cases: "^2394-nestos-kola-butane-grub-users$|^2454-nestos-fcosdoc14-grub-password-22$",
        aspects: &[Output, Pretty, Report, Lines],
        reason: "The grub section",
    },
    Difference {
        cases: "^(1273-fcosdoc|1274-fcosdoc14|2442-nestos-fcosdoc14)-authentication-10$",
        aspects: &[Output, Pretty],
        reason: "Which contents are compressed",
    },
];
