//! The kernel command line, split the way the kernel does (`next_arg` in lib/cmdline.c): spaces
//! separate arguments, double quotes protect spaces and are dropped.
//!
//! Arguments of our own carry one of three prefixes: `nestos.`, the `coreos.` of the ancestors, and
//! the `nestosos.` that the user guide prints. They mean the same; the last one given wins.

/// Prefixes that an argument of ours may have.
const PREFIXES: [&str; 3] = ["nestos.", "coreos.", "nestosos."];

/// A command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    args: Vec<String>,
}

impl CommandLine {
    /// Splits a command line; every text is one.
    pub fn parse(text: &str) -> Self {
        let mut args = Vec::new();
        let mut arg = String::new();
        let mut quoted = false;
        for c in text.chars() {
            match c {
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => {
                    args.extend(Some(std::mem::take(&mut arg)).filter(|a| !a.is_empty()));
                }
                c => arg.push(c),
            }
        }
        args.extend(Some(arg).filter(|a| !a.is_empty()));
        Self { args }
    }

    /// Returns the arguments in order, without quotes.
    pub fn args(&self) -> impl Iterator<Item = &str> {
        self.args.iter().map(String::as_str)
    }

    /// Returns the value of every argument `name=value`, in order; without `=` it is empty.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.args().filter_map(move |arg| value_of(arg, name))
    }

    /// Returns whether an argument has this name, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Returns the values of our own arguments called `name`, which is given without a prefix
    /// (`inst.install_dev`), in order.
    pub fn own_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.args().filter_map(move |arg| {
            PREFIXES.iter().find_map(|prefix| value_of(arg.strip_prefix(prefix)?, name))
        })
    }

    /// Returns the last value of our own argument `name` that is not empty.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own_values(name).filter(|value| !value.is_empty()).last()
    }

    /// Returns whether our own argument `name` switches something on: given without `=`, or with a
    /// value that is none of `0`, `no`, `off` and `false`. An empty value, which a template leaves
    /// whose variable is not set, switches nothing on. The last one counts.
    pub fn own_flag(&self, name: &str) -> bool {
        // What follows the name: nothing, or `=` and a value.
        let behind =
            |arg| PREFIXES.iter().find_map(|p| str::strip_prefix(arg, p)?.strip_prefix(name));
        let given = self.args().filter_map(behind);
        let last = given.filter(|rest| rest.is_empty() || rest.starts_with('=')).last();
        last.is_some_and(|rest| !["=", "=0", "=no", "=off", "=false"].contains(&rest))
    }
}

/// Returns what follows `name=` in `arg`; empty when `arg` is `name` itself.
fn value_of<'a>(arg: &'a str, name: &str) -> Option<&'a str> {
    match arg.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix('='),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_as_the_kernel_does() {
        let line = CommandLine::parse("quiet  x=\"a b\" \"y=c d\"\tempty= \"\" z=1\n");
        let args: Vec<_> = line.args().collect();
        assert_eq!(args, ["quiet", "x=a b", "y=c d", "empty=", "z=1"]);
        assert_eq!(CommandLine::parse("open=\"a b").args().collect::<Vec<_>>(), ["open=a b"]);
    }

    #[test]
    fn every_spelling_of_our_arguments_counts_and_the_last_one_wins() {
        let line = CommandLine::parse(
            "coreos.inst.install_dev=/dev/sda nestosos.inst.install_dev=/dev/vda \
             nestos.inst.install_device=/dev/x inst.install_dev=/dev/y",
        );
        assert_eq!(line.own("inst.install_dev"), Some("/dev/vda"));
        let all: Vec<_> = line.own_values("inst.install_dev").collect();
        assert_eq!(all, ["/dev/sda", "/dev/vda"]);
        assert!(line.has("inst.install_dev"));
        assert!(!line.has("install_dev"));
    }

    #[test]
    fn flags_are_on_without_a_value_and_off_with_a_word_that_says_so() {
        for (text, on) in [
            ("nestos.inst.insecure", true),
            ("coreos.inst.insecure=1", true),
            ("nestos.inst.insecure=yes", true),
            ("nestos.inst.insecure=", false),
            ("nestos.inst.insecure nestos.inst.insecure=", false),
            ("nestos.inst.insecure=0", false),
            ("nestos.inst.insecure=off", false),
            ("nestos.inst.insecure nestos.inst.insecure=no", false),
            ("insecure", false),
            ("", false),
        ] {
            assert_eq!(CommandLine::parse(text).own_flag("inst.insecure"), on, "{text:?}");
        }
    }
}
