//! No kernel argument that we write may break or be interpreted by GRUB: what `Karg` prints, GRUB's
//! own parser must take as words, in the entry and in the command line that the menu builds of it.

use nestos_formats::kargs::{Karg, KernelArgs};
use nestos_host::cmd::Cmd;
use proptest::prelude::{ProptestConfig, prop_assert, proptest};

/// Returns whether GRUB's parser accepts a script.
fn grub_parses(script: &str) -> bool {
    let check = Cmd::new("grub-script-check")
        .when_missing("install the package grub-common")
        .input(script)
        .finish()
        .expect("grub-script-check runs");
    check.status.success() && check.stderr.is_empty()
}

/// The line of a boot entry, and the line that entries.cfg evaluates for it.
fn scripts(args: &KernelArgs) -> String {
    let words: Vec<String> = args.iter().map(|a| format!("'{}'", a.as_str())).collect();
    format!("options {args}\nlinux /vmlinuz {}\n", words.join(" "))
}

#[test]
fn text_that_grub_rejects_is_recognised() {
    assert!(!grub_parses("options x=(a;}\n"));
    assert!(!grub_parses("options x=\"a\n"));
}

#[test]
fn arguments_that_would_be_script_are_quoted() {
    for text in ["x=a;reboot", "x={", "x=}", "x=a|b", "x=<a>", "#x", "x=*", "a&b", "x=\"a;b c\""] {
        let args: KernelArgs = text.parse().unwrap();
        assert!(grub_parses(&scripts(&args)), "{args}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_accepted_is_plain_words_for_grub(line in "[ -~]{1,40}", word in "[a-z.]{1,8}=[ -~]{0,20}") {
        for text in [line, format!("\"{word}\""), word] {
            if let Ok(args) = text.parse::<KernelArgs>() {
                let script = scripts(&args);
                prop_assert!(grub_parses(&script), "{}", script);
                let expands = args.iter().map(Karg::as_str).any(|a| a.contains(['$', '\'', '\\', '`', '"']));
                prop_assert!(!expands, "{}", args);
            }
        }
    }
}
