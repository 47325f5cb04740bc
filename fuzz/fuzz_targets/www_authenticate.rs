//! The header in which a registry says how it wants to be asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_updater::fetch::challenge;

fuzz_target!(|header: &str| {
    for challenge in challenge::parse(header) {
        assert!(!challenge.scheme.is_empty());
        assert_eq!(challenge.scheme, challenge.scheme.to_ascii_lowercase());
        for (name, _) in &challenge.parameters {
            assert!(!name.is_empty() && challenge.get(name).is_some());
        }
    }
});
