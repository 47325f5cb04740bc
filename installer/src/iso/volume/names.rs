//! Which entry of a directory a name means.

use super::directory::Entry;

/// What may stand for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// The name itself; case may differ.
    Whole,
    /// What interchange level 1 leaves of it: `OPENEULE` for `openEuler`.
    Cut,
}

/// Returns the entry that a name means; an exact name goes before one in another case.
pub(super) fn choose<'a>(entries: &'a [Entry], name: &str, rank: Rank) -> Option<&'a Entry> {
    let by = |fits: &dyn Fn(&Entry) -> bool| entries.iter().find(|entry| fits(entry));
    match rank {
        Rank::Whole => by(&|entry| entry.best_name() == name)
            .or_else(|| by(&|entry| entry.best_name().eq_ignore_ascii_case(name)))
            .or_else(|| by(&|entry| entry.plain.eq_ignore_ascii_case(name))),
        Rank::Cut => {
            let cut = level_one(name);
            // An entry whose whole name is known is another file.
            by(&|entry| entry.rock_ridge.is_none() && entry.plain.eq_ignore_ascii_case(&cut))
        }
    }
}

/// Returns a name as interchange level 1 stores it: eight characters, a dot, three characters.
fn level_one(name: &str) -> String {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let cut = |text: &str, most: usize| -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        text.chars().take(most).map(kept).collect()
    };
    match cut(extension, 3) {
        extension if extension.is_empty() => cut(base, 8),
        extension => format!("{}.{extension}", cut(base, 8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_one_cuts_names_to_eight_and_three() {
        for (name, cut) in [
            ("openEuler", "OPENEULE"),
            ("igninfo.json", "IGNINFO.JSO"),
            ("grub.cfg", "GRUB.CFG"),
            ("a-b.c.img", "A_B_C.IMG"),
        ] {
            assert_eq!(level_one(name), cut);
        }
    }
}
