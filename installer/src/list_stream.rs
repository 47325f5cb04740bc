//! `list-stream`: what a stream offers, as a table or as JSON.

use anyhow::Result;
use nestos_formats::stream_metadata::Stream;
use nestos_host::term;
use serde_json::{Value, json};

use crate::fetch::Retries;
use crate::source::{Offer, StreamSource};

/// How the list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A table for people.
    Table,
    /// JSON for programs.
    Json,
}

impl From<bool> for Layout {
    fn from(json: bool) -> Self {
        if json { Self::Json } else { Self::Table }
    }
}

/// Prints what a stream offers.
pub fn run(source: &StreamSource, layout: Layout, retries: Retries) -> Result<()> {
    let offer = source.load(retries)?;
    match layout {
        Layout::Table => table(offer.stream()).iter().for_each(term::result),
        Layout::Json => term::result(format!("{:#}", listing(source, &offer)?)),
    }
    Ok(())
}

/// Lists architecture, platform and format, in order.
fn rows(stream: &Stream) -> Vec<[&str; 3]> {
    let mut rows = Vec::new();
    for (arch, content) in &stream.architectures {
        for (platform, images) in &content.artifacts {
            rows.extend(images.formats.keys().map(|f| [arch.as_str(), platform.as_str(), f]));
        }
    }
    rows
}

fn table(stream: &Stream) -> Vec<String> {
    let mut rows = rows(stream);
    rows.insert(0, ["Architecture", "Platform", "Format"]);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter().map(|[a, p, f]| format!("{a:first$}  {p:second$}  {f}")).collect()
}

/// Returns the same with all that is known about each file; locations are absolute.
fn listing(source: &StreamSource, offer: &Offer) -> Result<Value> {
    let mut images = Vec::new();
    for [arch, platform, format] in rows(offer.stream()) {
        for file in offer.files(arch, platform, Some(format))? {
            images.push(json!({
                "architecture": arch,
                "platform": platform,
                "format": format,
                "artifact": file.part,
                "release": file.release,
                "location": file.location.as_str(),
                "signature": file.signature.map(String::from),
                "sha256": file.sha256.map(|digest| digest.hex()),
                "uncompressed-sha256": file.uncompressed_sha256.map(|digest| digest.hex()),
            }));
        }
    }
    Ok(json!({
        "stream": source.name.to_string(),
        "last-modified": offer.stream().metadata.last_modified,
        "images": images,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_padded() {
        let text = r#"{"architectures": {
            "x86_64": {"artifacts": {"qemu": {"formats": {"qcow2.xz": {}}},
                                     "openstack": {"formats": {"qcow2.xz": {}, "qcow2.gz": {}}}}},
            "aarch64": {"artifacts": {"metal": {"formats": {"raw.xz": {}}}}}}}"#;
        assert_eq!(
            table(&Stream::parse(text.as_bytes()).unwrap()),
            [
                "Architecture  Platform   Format",
                "aarch64       metal      raw.xz",
                "x86_64        openstack  qcow2.gz",
                "x86_64        openstack  qcow2.xz",
                "x86_64        qemu       qcow2.xz",
            ]
        );
    }
}
