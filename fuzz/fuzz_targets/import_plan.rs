//! Manifest and config of an image, one after the other with a NUL between: understood or refused,
//! and never with another number of layers than the manifest has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_updater::import::trial::plan;

fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.iter().position(|b| *b == 0) else { return };
    let (manifest, config) = (&bytes[..at], &bytes[at + 1..]);
    let Ok(layers) = plan(manifest, config) else { return };
    let manifest: serde_json::Value = serde_json::from_slice(manifest).expect("it was read");
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(layers));
});
