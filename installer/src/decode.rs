//! Compressed images, known by their content and never by their name: gzip (RFC 1952), xz,
//! zstd (RFC 8878) or none. Several members, streams or frames in a row are one image; anything
//! after them is an error, and so is a missing end.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;

/// How an image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is on the disk.
    Raw,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
}

impl Compression {
    /// Recognizes the first bytes of an image.
    pub fn sniff(start: &[u8]) -> Self {
        // A zstd file may begin with a skippable frame (0x184D2A50 to 0x184D2A5F).
        let skippable =
            start.len() >= 4 && start[0] & 0xF0 == 0x50 && start[1..4] == *b"\x2A\x4D\x18";
        if start.starts_with(b"\x1F\x8B\x08") {
            Self::Gzip
        } else if start.starts_with(b"\xFD7zXZ\0") {
            Self::Xz
        } else if start.starts_with(b"\x28\xB5\x2F\xFD") || skippable {
            Self::Zstd
        } else {
            Self::Raw
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// Reads the bytes of the disk from a stored image.
pub enum Decoder<R: BufRead> {
    /// Stored as it is.
    Raw(R),
    /// gzip.
    Gzip(Box<MultiGzDecoder<R>>),
    /// xz.
    Xz(Box<XzDecoder<R>>),
    /// zstd.
    Zstd(Box<zstd::stream::read::Decoder<'static, R>>),
}

impl<R: BufRead> Decoder<R> {
    /// Looks at the first bytes of `stored` and picks the decoder.
    pub fn new(mut stored: R) -> io::Result<Self> {
        let compression = Compression::sniff(stored.fill_buf()?);
        Ok(match compression {
            Compression::Raw => Self::Raw(stored),
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(stored))),
            Compression::Xz => Self::Xz(Box::new(XzDecoder::new_multi_decoder(stored))),
            Compression::Zstd => {
                Self::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(stored)?))
            }
        })
    }

    /// Returns how the image is stored.
    pub fn compression(&self) -> Compression {
        match self {
            Self::Raw(_) => Compression::Raw,
            Self::Gzip(_) => Compression::Gzip,
            Self::Xz(_) => Compression::Xz,
            Self::Zstd(_) => Compression::Zstd,
        }
    }

    /// Returns what the image is read from.
    pub fn into_stored(self) -> R {
        match self {
            Self::Raw(r) => r,
            Self::Gzip(d) => d.into_inner(),
            Self::Xz(d) => d.into_inner(),
            Self::Zstd(d) => d.finish(),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Raw(r) => r.read(buf),
            Self::Gzip(d) => d.read(buf),
            Self::Xz(d) => d.read(buf),
            Self::Zstd(d) => d.read(buf),
        }
    }
}

impl<R: BufRead> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({})", self.compression())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &[u8] = b"some bytes of a disk, some bytes of a disk";

    fn stored(compression: Compression) -> Vec<u8> {
        match compression {
            Compression::Raw => TEXT.to_vec(),
            Compression::Gzip => {
                let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                e.write_all(TEXT).unwrap();
                e.finish().unwrap()
            }
            Compression::Xz => {
                let mut e = liblzma::write::XzEncoder::new(Vec::new(), 1);
                e.write_all(TEXT).unwrap();
                e.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(TEXT, 1).unwrap(),
        }
    }

    fn decoded(stored: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decoder::new(stored)?.read_to_end(&mut out)?;
        Ok(out)
    }

    const PACKED: [Compression; 3] = [Compression::Gzip, Compression::Xz, Compression::Zstd];

    #[test]
    fn several_streams_in_a_row_are_one_image() {
        for compression in PACKED {
            let twice = [stored(compression), stored(compression)].concat();
            assert_eq!(Compression::sniff(&twice), compression);
            assert_eq!(decoded(&twice).unwrap(), [TEXT, TEXT].concat(), "{compression}");
        }
        assert_eq!(decoded(TEXT).unwrap(), TEXT);
    }

    #[test]
    fn a_missing_end_and_anything_after_it_are_errors() {
        for compression in PACKED {
            let whole = stored(compression);
            assert!(decoded(&whole[..whole.len() - 1]).is_err(), "{compression} cut");
            let longer = [&whole[..], b"garbage"].concat();
            assert!(decoded(&longer).is_err(), "{compression} with garbage");
        }
    }
}
