//! Contents that a config carries in itself: compressed data URLs (RFC 2397), the same bytes for
//! the same content.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

/// Returns the resource with a content.
pub(super) fn inline(content: &[u8]) -> Value {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    match encoder.write_all(content).and_then(|()| encoder.finish()) {
        Ok(packed) => json!({
            "source": format!("data:;base64,{}", BASE64.encode(packed)),
            "compression": "gzip",
        }),
        // Memory does not fail; plain content would be as good.
        Err(_) => json!({"source": format!("data:;base64,{}", BASE64.encode(content))}),
    }
}
