//! Ignition configs turned back: what comes out compiles, and to a config that passes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_butane::{Conversion, DecompileOptions, Encoding, Options, compile, decompile, ignition};

fuzz_target!(|text: &[u8]| {
    for (encoding, conversion) in
        [(Encoding::Same, Conversion::Refuse), (Encoding::Any, Conversion::ToLaterSpec)]
    {
        let options = DecompileOptions { encoding, conversion, ..DecompileOptions::default() };
        let Ok(decompiled) = decompile(text, &options) else { continue };
        let compiled = compile(&decompiled.text, &Options::default());
        let compiled = compiled.unwrap_or_else(|e| panic!("{e}\n{}", decompiled.text));
        assert_eq!(compiled.ignition_version, decompiled.ignition_version);
        assert!(!ignition::validate(compiled.json.as_bytes()).is_fatal());
    }
});
