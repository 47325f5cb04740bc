//! builds.json, meta.json and platforms.json: what is printed is read back as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::builds::{Builds, Meta};
use nestos_formats::platforms::Platforms;

fuzz_target!(|text: &[u8]| {
    if let Ok(mut builds) = Builds::parse(text) {
        builds.insert("1.20260101.0", "x86_64");
        let printed = builds.to_json().expect("it prints");
        assert_eq!(Builds::parse(printed.as_bytes()).expect("it reads back"), builds);
    }
    if let Ok(meta) = Meta::parse(text) {
        let printed = meta.to_json().expect("it prints");
        assert_eq!(Meta::parse(printed.as_bytes()).expect("it reads back"), meta);
    }
    if let Ok(platforms) = Platforms::from_json(str::from_utf8(text).unwrap_or_default()) {
        let printed = platforms.to_json().expect("it prints");
        assert_eq!(Platforms::from_json(&printed).expect("it reads back"), platforms);
    }
});
