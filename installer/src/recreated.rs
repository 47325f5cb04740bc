//! Configs inside configs, and what of the system they make anew on the first boot
//! ([`nestos_formats::recreated`]).

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
pub use nestos_formats::recreated::found_in;
use serde_json::Value;

/// Most bytes of a compressed config.
const UNPACKED: u64 = 64 * 1024 * 1024;

/// How deep configs that hold configs are followed.
const DEPTH: usize = 10;

/// Returns the configs in `config` whose content is in it, at any depth, `config` included. What
/// cannot be read is left out.
pub fn with_children(config: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![config.to_vec()];
    let mut begin = 0;
    for _ in 0..DEPTH {
        let end = all.len();
        for at in begin..end {
            let found = children(&all[at]);
            all.extend(found);
        }
        begin = end;
    }
    all
}

fn children(config: &[u8]) -> Vec<Vec<u8>> {
    let Ok(root) = serde_json::from_slice::<Value>(config) else { return vec![] };
    let named = &root["ignition"]["config"];
    let merged = named["merge"].as_array().map(Vec::as_slice).unwrap_or_default();
    merged.iter().chain([&named["replace"]]).filter_map(inline).collect()
}

/// Returns the content of a resource that carries it in its URL (RFC 2397).
pub(crate) fn inline(resource: &Value) -> Option<Vec<u8>> {
    let (kind, text) = resource["source"].as_str()?.strip_prefix("data:")?.split_once(',')?;
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    let bytes = if kind.ends_with(";base64") { BASE64.decode(bytes).ok()? } else { bytes };
    if resource["compression"].as_str() != Some("gzip") {
        return Some(bytes);
    }
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(&bytes[..]).take(UNPACKED).read_to_end(&mut unpacked);
    read.ok().map(|_length| unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_in_configs_are_read() {
        let inner = r#"{"ignition":{"version":"3.0.0"}}"#;
        let outer = format!(
            r#"{{"ignition":{{"config":{{"merge":[{{"source":"data:;base64,{}"}}],"replace":{{"source":"data:,%7B%7D"}}}}}}}}"#,
            BASE64.encode(inner)
        );
        let all = with_children(outer.as_bytes());
        assert_eq!(all, [outer.as_bytes(), inner.as_bytes(), b"{}"]);
    }
}
