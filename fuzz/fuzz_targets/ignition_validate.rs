//! Ignition configs: what passes is JSON for others as well.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_butane::{Layout, View, ignition, render};

fuzz_target!(|text: &[u8]| {
    let report = ignition::validate(text);
    render(&report, "in.ign", text, View::plain(Layout::Lines));
    // Halves of UTF-16 pairs, bytes that are not UTF-8 and numbers without an end pass in Go.
    let same = std::str::from_utf8(text).is_ok_and(|t| !t.contains("\\u"));
    if !report.is_fatal() && same {
        match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(_) => {}
            Err(e) => assert!(e.to_string().contains("out of range"), "{e}"),
        }
    }
});
