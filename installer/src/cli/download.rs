//! Options of `download` and `list-stream`.

use std::path::PathBuf;

use clap::Args;
use nestos_formats::stream_metadata::StreamName;
use reqwest::Url;

use crate::digest::Digest;
use crate::download::{DownloadRequest, Form, Vouching, What};
use crate::fetch;
use crate::source::{StreamSource, this_architecture};
use crate::trust::KeySources;

/// Which stream, and where its metadata is.
#[derive(Debug, Args)]
pub struct StreamFrom {
    /// Stream of images
    #[arg(short = 's', long, value_name = "NAME", default_value = "stable")]
    pub stream: StreamName,

    /// Where the metadata of streams is: NAME.json is added
    #[arg(long, value_name = "URL", value_parser = fetch::parse_url,
          default_value = crate::source::BASE_URL, hide_default_value = true)]
    pub stream_base_url: Url,
}

/// Options of `download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// Stream of images
    #[command(flatten)]
    pub from: StreamFrom,

    /// CPU architecture [default: this machine's]
    #[arg(short = 'a', long, value_name = "NAME")]
    pub architecture: Option<String>,

    /// Platform
    #[arg(short = 'p', long, value_name = "NAME", default_value = "metal")]
    pub platform: String,

    /// Format [default: raw.xz, or the platform's own]
    #[arg(short = 'f', long, value_name = "NAME")]
    pub format: Option<String>,

    /// Image at this address; nothing of a stream is looked up
    #[arg(short = 'u', long, value_name = "URL", value_parser = fetch::parse_url)]
    pub image_url: Option<Url>,

    /// Where to put it
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,

    /// Decompress it; the signature is checked and not kept
    #[arg(short = 'd', long)]
    pub decompress: bool,

    /// Digest of the image as stored: sha256:HEX; for one file
    #[arg(long, value_name = "DIGEST")]
    pub image_digest: Option<Digest>,

    /// Accept an image that nobody signed
    ///
    /// A signature that is there and bad is never accepted.
    #[arg(long)]
    pub insecure: bool,

    /// Keys that may sign images, instead of the system's; may be repeated
    #[arg(long, value_name = "PATH")]
    pub keyring: Vec<PathBuf>,

    /// How often a failed download starts again: a number or "infinite"
    #[arg(long, value_name = "N", default_value = "3")]
    pub fetch_retries: fetch::Retries,
}

/// Options of `list-stream`.
#[derive(Debug, Args)]
pub struct ListStreamArgs {
    /// Stream of images
    #[command(flatten)]
    pub from: StreamFrom,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// How often a failed download starts again: a number or "infinite"
    #[arg(long, value_name = "N", default_value = "3")]
    pub fetch_retries: fetch::Retries,
}

impl StreamFrom {
    /// Returns the stream.
    pub fn source(&self) -> StreamSource {
        StreamSource { name: self.stream.clone(), base: self.stream_base_url.clone() }
    }
}

impl From<DownloadArgs> for DownloadRequest {
    fn from(args: DownloadArgs) -> Self {
        let what = match args.image_url {
            Some(url) => What::Url(url),
            None => What::Stream {
                source: args.from.source(),
                arch: args.architecture.unwrap_or_else(|| this_architecture().to_owned()),
                platform: args.platform,
                format: args.format,
            },
        };
        Self {
            what,
            directory: args.directory,
            form: if args.decompress { Form::Decompressed } else { Form::AsStored },
            vouching: Vouching {
                digest: args.image_digest,
                unsigned: args.insecure.into(),
                keys: KeySources::choose(args.keyring),
            },
            retries: args.fetch_retries,
        }
    }
}
