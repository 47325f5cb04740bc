//! registries.conf: what is read says for every image where it is, or why not; and nothing is
//! fetched without TLS that no rule declares insecure.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_updater::fetch::registries_conf::{RegistriesConf, Role, Trust};

fuzz_target!(|text: &str| {
    let Ok(conf) = RegistriesConf::parse(text) else { return };
    for image in ["h.example.com:5000/a/b:t", "h.example.com/x", "localhost/x:1"] {
        let Ok(places) = conf.places(&image.parse().expect("a good name")) else { continue };
        let (last, mirrors) = places.split_last().expect("there is a place");
        assert_eq!(last.role, Role::Location);
        assert!(mirrors.iter().all(|m| m.role == Role::Mirror));
        if places.iter().any(|p| p.trust == Trust::Insecure) {
            assert!(text.contains("insecure") || text.contains('\\'), "{text}");
        }
    }
});
