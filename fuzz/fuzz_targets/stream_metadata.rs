//! Stream and release metadata: what can be printed is read back as the same, and looking anything
//! up in it ends well.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::stream_metadata::{Release, Stream, StreamName};

fuzz_target!(|text: &[u8]| {
    if let Ok(stream) = Stream::parse(text) {
        for (arch, content) in &stream.architectures {
            for (platform, images) in &content.artifacts {
                for format in images.formats.keys() {
                    stream.format(arch, platform, format).expect("what is listed is found");
                }
            }
        }
        stream.format("x86_64", "metal", "raw.xz").map_or_else(|e| drop(e.to_string()), drop);
        if let Ok(printed) = stream.to_json() {
            let again = Stream::parse(printed.as_bytes()).expect("it reads back");
            assert_eq!(again, stream);
        }
    }
    if let Ok(release) = Release::parse(text)
        && let Ok(printed) = release.to_json()
    {
        assert_eq!(Release::parse(printed.as_bytes()).expect("it reads back"), release);
    }
    if let Ok(name) = str::from_utf8(text).unwrap_or_default().parse::<StreamName>() {
        assert!(!name.to_string().contains(['/', '\\', '%', '?', '#']));
    }
});
