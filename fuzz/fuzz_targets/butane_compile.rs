//! Butane configs: what compiles is JSON that our own check of Ignition configs accepts, and every
//! finding lies in the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_butane::{
    Color, DecompileOptions, Hints, Lang, Layout, Options, Report, View, compile, decompile,
    ignition, render,
};

fuzz_target!(|text: &[u8]| {
    match compile(text, &Options::default()) {
        Ok(compiled) => {
            compiled.value().expect("the output is JSON");
            let report = ignition::validate(compiled.json.as_bytes());
            assert!(!report.is_fatal(), "{report}\n{}", compiled.json);
            show(&compiled.warnings, text);
            // Whether it can be turned back is for the tests to say; here it must only end.
            drop(decompile(compiled.json.as_bytes(), &DecompileOptions::default()));
        }
        Err(report) => {
            let failure = report.failure.as_deref().expect("a failure has a reason");
            assert!(!failure.is_empty() && !failure.contains("gave up"), "{failure}");
            show(&report, text);
        }
    }
});

fn show(report: &Report, text: &[u8]) {
    let lines = text.split(|b| *b == b'\n').count();
    for entry in report.entries.iter().chain(&report.causes) {
        assert!(entry.at.is_none_or(|at| at.line >= 1 && at.column >= 1), "{entry}");
        // NEL, LS, PS and a lone CR end lines in YAML, too.
        let breaks = String::from_utf8_lossy(text);
        let more = breaks.matches(['\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
        assert!(entry.at.is_none_or(|at| at.line <= lines + more + 1), "{entry}");
    }
    for lang in [Lang::English, Lang::Chinese] {
        let layout = Layout::Excerpts(Color::Never);
        render(report, "in.bu", text, View { layout, lang, hints: Hints::Show });
    }
}
