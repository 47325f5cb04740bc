//! What somebody probably meant who wrote a key that does not exist.

/// Returns the known word that `wrong` most likely stands for, if one is near enough: the same in
/// another spelling (`sizeMiB`, `size-mib`), in another number (`file`), with few typos, or the only
/// one that says all the words of `wrong` and more (`ssh_keys`).
pub fn closest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = letters(wrong);
    let known: Vec<&str> = known.into_iter().filter(|word| *word != wrong).collect();
    let ranked = known.iter().filter_map(|word| Some((rank(&plain, &letters(word))?, *word)));
    // Of equals, the first in the order of the schema.
    let near = ranked.min_by_key(|(rank, _)| *rank).map(|(_, word)| word);
    near.or_else(|| {
        let wanted = words(wrong);
        let mut longer = known.iter().filter(|word| says(&words(word), &wanted));
        longer.next().filter(|_| longer.next().is_none()).copied()
    })
}

/// Rates how near two words are, lower being nearer; `None` if they have nothing to do with each
/// other.
fn rank(wrong: &[char], word: &[char]) -> Option<usize> {
    if wrong.is_empty() || word.is_empty() {
        return None;
    }
    if wrong == word {
        return Some(0);
    }
    if singular(wrong) == singular(word) {
        return Some(1);
    }
    let most = match wrong.len().min(word.len()) {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    // Long garbage need not be compared at all, so a text of any length costs little.
    if wrong.len().abs_diff(word.len()) > most {
        return None;
    }
    let distance = distance(wrong, word);
    (distance <= most).then_some(1 + distance)
}

/// Returns how many single letters must be added, dropped, replaced or swapped with their
/// neighbour to get from one word to the other (the "optimal string alignment" distance).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// Returns a word without what spellings differ in: case and the marks between its parts.
fn letters(word: &str) -> Vec<char> {
    let kept = word.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.'));
    kept.flat_map(char::to_lowercase).collect()
}

/// Returns a word without the ending of the English plural.
fn singular(word: &[char]) -> Vec<char> {
    match word {
        [stem @ .., 'i', 'e', 's'] if !stem.is_empty() => [stem, &['y']].concat(),
        [stem @ .., 's'] if !stem.is_empty() => stem.to_vec(),
        _ => word.to_vec(),
    }
}

/// Splits `snake_case`, `kebab-case` and `camelCase` into lower-case words.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut in_capitals = false;
    for c in key.chars() {
        let between = matches!(c, '_' | '-' | ' ' | '.');
        if between || (c.is_uppercase() && !in_capitals) {
            words.push(String::new());
        }
        in_capitals = c.is_uppercase();
        if let Some(word) = words.last_mut().filter(|_| !between) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns whether all of `wanted` occur in `words`, in that order.
fn says(words: &[String], wanted: &[String]) -> bool {
    let mut words = words.iter();
    !wanted.is_empty() && wanted.iter().all(|want| words.any(|word| word == want))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &[
        "device",
        "directories",
        "files",
        "filesystems",
        "home_dir",
        "inline",
        "mode",
        "name",
        "password_hash",
        "path",
        "size_mib",
        "ssh_authorized_keys",
        "start_mib",
        "uid",
        "with_mount_unit",
    ];

    #[test]
    fn near_words_are_found() {
        let cases = [
            ("sizeMiB", "size_mib"),
            ("size-mib", "size_mib"),
            ("SSHAuthorizedKeys", "ssh_authorized_keys"),
            ("directory", "directories"),
            ("file", "files"),
            ("filesytems", "filesystems"),
            ("fielsystems", "filesystems"),
            ("ptah", "path"),
            ("Mode", "mode"),
            ("modes", "mode"),
            ("ssh_autorised_keys", "ssh_authorized_keys"),
            ("ssh_keys", "ssh_authorized_keys"),
            ("password", "password_hash"),
            ("passwordHash", "password_hash"),
            ("mountUnit", "with_mount_unit"),
        ];
        for (wrong, want) in cases {
            assert_eq!(closest(wrong, KEYS.iter().copied()), Some(want), "{wrong}");
        }
    }

    #[test]
    fn far_or_ambiguous_words_are_not() {
        for wrong in ["", "_", "x", "id", "mib", "source", "permissions", "文件", "name"] {
            assert_eq!(closest(wrong, KEYS.iter().copied()), None, "{wrong}");
        }
        assert_eq!(closest(&"files".repeat(100_000), KEYS.iter().copied()), None);
    }

    #[test]
    fn of_two_near_words_the_nearer_wins() {
        assert_eq!(closest("link", ["luks", "links"]), Some("links"));
        assert_eq!(closest("gids", ["uid", "gid"]), Some("gid"));
    }

    #[test]
    fn swapped_neighbours_count_once() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("ab"), &chars("ba")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
    }
}
