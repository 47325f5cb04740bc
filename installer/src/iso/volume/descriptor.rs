//! Volume descriptors: one a sector, from the 17th sector on (ECMA-119, 8).

use std::io::{Read, Seek, SeekFrom};

use anyhow::{Result, bail};

use super::directory::both_u32;
use super::{Extent, SECTOR};

const FIRST: u64 = 16;
/// More are in no image.
const MOST: usize = 32;

/// One volume descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Descriptor {
    /// A boot record.
    Boot {
        /// System that can use it.
        boot_system_id: String,
        /// What it is.
        boot_id: String,
    },
    /// The volume, with plain names.
    Primary(Primary),
    /// The volume with other names.
    Supplementary {
        /// The root directory, if the names are those of Joliet.
        joliet: Option<Extent>,
    },
    /// Anything else.
    Unknown {
        /// Its type.
        type_id: u8,
    },
}

/// The primary volume descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// System that can use the first sectors.
    pub system_id: String,
    /// Name of the volume.
    pub volume_id: String,
    /// Sectors of the volume.
    pub volume_space_size: u32,
    /// The root directory.
    pub root: Extent,
}

/// Reads all descriptors up to the one that ends them.
pub(super) fn read_all<R: Read + Seek>(image: &mut R) -> Result<Vec<Descriptor>> {
    image.seek(SeekFrom::Start(FIRST * SECTOR))?;
    let mut found = Vec::new();
    let mut sector = [0; 2048];
    while found.len() < MOST {
        if let Err(e) = image.read_exact(&mut sector) {
            bail!("it ends before its volume descriptors: {e}");
        }
        if &sector[1..6] != b"CD001" {
            bail!("it has no volume descriptor where one has to be: it is no ISO image");
        }
        found.push(match sector[0] {
            0 => Descriptor::Boot {
                boot_system_id: text(&sector[7..39]),
                boot_id: text(&sector[39..71]),
            },
            1 => Descriptor::Primary(Primary {
                system_id: text(&sector[8..40]),
                volume_id: text(&sector[40..72]),
                volume_space_size: both_u32(&sector[80..84]),
                root: root(&sector),
            }),
            2 => Descriptor::Supplementary { joliet: is_joliet(&sector).then(|| root(&sector)) },
            255 => return Ok(found),
            type_id => Descriptor::Unknown { type_id },
        });
    }
    bail!("its volume descriptors have no end");
}

/// Returns the root directory that a descriptor names.
fn root(sector: &[u8; 2048]) -> Extent {
    let record = &sector[156..190];
    Extent {
        offset: (u64::from(both_u32(&record[2..6])) + u64::from(record[1])) * SECTOR,
        length: u64::from(both_u32(&record[10..14])),
    }
}

/// Joliet is told by its escape sequences, one for each level of UCS-2.
fn is_joliet(sector: &[u8; 2048]) -> bool {
    [b"%/@", b"%/C", b"%/E"].iter().any(|escape| sector[88..120].starts_with(*escape))
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim_end_matches([' ', '\0']).to_owned()
}
