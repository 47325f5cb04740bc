//! YAML: the strict reader accepts no more than the lenient one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::yaml;

fuzz_target!(|text: &[u8]| {
    let (strict, lenient) = (yaml::parse(text), yaml::parse_lenient(text));
    assert!(strict.is_err() || lenient.is_ok());
});
