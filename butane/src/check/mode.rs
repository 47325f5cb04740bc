//! File modes that were probably meant in octal.

/// What a mode is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

const READ: i64 = 4;
const WRITE: i64 = 2;
const EXECUTE: i64 = 1;
const SETUID: i64 = 0o4000;
const SETGID: i64 = 0o2000;
const STICKY: i64 = 0o1000;

/// Returns whether a number makes an odd mode, but its decimal digits would make a usual one.
pub(crate) fn looks_decimal(mode: i64, node: Node) -> bool {
    digits_as_octal(mode).is_some_and(|meant| !is_typical(mode, node) && is_typical(meant, node))
}

fn digits_as_octal(mode: i64) -> Option<i64> {
    if !(0..=7777).contains(&mode) {
        return None;
    }
    i64::from_str_radix(&mode.to_string(), 8).ok()
}

/// Returns whether a mode surprises nobody. No permissions at all are usual: root ignores them.
fn is_typical(mode: i64, node: Node) -> bool {
    if mode == 0 {
        return true;
    }
    let (other, group, user) = (mode & 7, mode >> 3 & 7, mode >> 6 & 7);
    let classes = [other, group, user];
    let any = other | group | user;
    // A closer class has at least the bits of a wider one.
    let nested = other & !group == 0 && group & !user == 0;
    let readable = classes.iter().all(|c| c & (WRITE | EXECUTE) == 0 || c & READ != 0);
    // Whoever may execute may also read, and readers of a program may run it.
    let executable = nested_execute(classes);
    if !(nested && readable && executable && any & READ != 0) {
        return false;
    }
    match node {
        Node::Directory => {
            any & EXECUTE != 0
                && mode & SETUID == 0
                && (mode & (SETGID | STICKY) == 0 || any & WRITE != 0)
        }
        Node::File => {
            let special = mode & (SETUID | SETGID) != 0;
            mode & STICKY == 0 && (!special || (any & EXECUTE != 0 && other & WRITE == 0))
        }
    }
}

/// Returns whether no class may execute while a wider one may only read.
fn nested_execute(classes: [i64; 3]) -> bool {
    let mut readable = false;
    let mut executable = false;
    for class in classes {
        if class & EXECUTE != 0 && readable && !executable {
            return false;
        }
        readable |= class & READ != 0;
        executable |= class & EXECUTE != 0;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_octal_modes_written_in_decimal_are_noticed() {
        let files = [400, 444, 500, 555, 600, 640, 644, 664, 666, 700, 750, 755, 777];
        for mode in files.into_iter().chain([2755, 4755, 6755]) {
            assert!(looks_decimal(mode, Node::File), "{mode}");
        }
        for mode in [500, 555, 700, 750, 755, 777, 1777, 2755] {
            assert!(looks_decimal(mode, Node::Directory), "{mode}");
        }
    }

    #[test]
    fn octal_modes_and_nonsense_are_left_alone() {
        for mode in [0, 420, 493, 0o644, 0o755, -1, 8, 88, 99_999] {
            assert!(!looks_decimal(mode, Node::File), "{mode}");
        }
        for mode in [0, 0o755, 0o1777, 400, 644, 4755] {
            assert!(!looks_decimal(mode, Node::Directory), "{mode}");
        }
    }
}
