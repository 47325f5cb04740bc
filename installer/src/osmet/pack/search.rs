//! Copies of objects elsewhere in an image: boot partitions hold kernels, initramfs and boot
//! loaders that are objects, too. They are found by their bytes, whatever file system they are in:
//! a file begins where a sector does.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::Result;

use super::mapping::Mapped;
use super::source::Source;

/// What is looked for at once: any sector of a disk image begins at a multiple of it.
const SECTOR: usize = 512;
/// Places in objects that are known: one sector of each block.
const STEP: usize = 4096;
/// Shorter copies cost more than they save.
const SHORTEST: u64 = 8192;
/// Bytes that are read at once.
const BLOCK: usize = 1024 * 1024;
/// Places with the same sector that are tried.
const TRIES: usize = 8;

static ZEROS: [u8; SECTOR] = [0; SECTOR];

/// Finds bytes of objects in what is not mapped yet; `mapped` is canonical.
pub(super) fn search(source: &Source, mapped: &[Mapped]) -> Result<Vec<Mapped>> {
    let index = Index::of(source, mapped)?;
    let mut found = Vec::new();
    for gap in gaps(mapped, source.size) {
        index.search(source, gap, &mut found)?;
    }
    Ok(found)
}

fn gaps(mapped: &[Mapped], size: u64) -> impl Iterator<Item = Range<u64>> + '_ {
    let starts = std::iter::once(0).chain(mapped.iter().map(Mapped::end));
    let ends = mapped.iter().map(|m| m.at).chain([size]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|gap| gap.end - gap.start >= SHORTEST)
}

/// Places of sectors in objects.
struct Index<'a> {
    mapped: &'a [Mapped],
    /// Hash of a sector, which mapping it is in, and which step of it; sorted.
    places: Vec<(u64, u32, u32)>,
}

impl<'a> Index<'a> {
    fn of(source: &Source, mapped: &'a [Mapped]) -> Result<Self> {
        let mut places = Vec::new();
        let mut buffer = vec![0; BLOCK];
        for (which, mapping) in (0..).zip(mapped).filter(|(_, m)| m.length >= SHORTEST) {
            let mut step = 0;
            for at in (mapping.at..mapping.end()).step_by(BLOCK) {
                let bytes = read(source, at..mapping.end(), &mut buffer)?;
                for block in bytes.chunks(STEP) {
                    if let Some(sector) = block.get(..SECTOR).filter(|sector| *sector != ZEROS) {
                        places.push((hash(sector), which, step));
                    }
                    step += 1;
                }
            }
        }
        places.sort_unstable();
        Ok(Self { mapped, places })
    }

    fn search(&self, source: &Source, gap: Range<u64>, found: &mut Vec<Mapped>) -> Result<()> {
        let mut buffer = vec![0; BLOCK];
        let mut at = gap.start.next_multiple_of(SECTOR as u64);
        while at < gap.end {
            let bytes = read(source, at..gap.end, &mut buffer)?;
            let mut next = at + bytes.len() as u64;
            for (sector, place) in bytes.chunks_exact(SECTOR).zip((at..).step_by(SECTOR)) {
                if sector == ZEROS {
                    continue;
                }
                if let Some(copy) = self.longest(source, sector, place..gap.end)? {
                    next = copy.end().next_multiple_of(SECTOR as u64);
                    found.push(copy);
                    break;
                }
            }
            // Less than a sector is left over at the end of a gap.
            at = next;
        }
        Ok(())
    }

    /// Returns the longest copy that begins with a sector.
    fn longest(&self, source: &Source, sector: &[u8], place: Range<u64>) -> Result<Option<Mapped>> {
        let hash = hash(sector);
        let first = self.places.partition_point(|(h, ..)| *h < hash);
        let same = self.places[first..].iter().take_while(|(h, ..)| *h == hash);
        let mut best: Option<Mapped> = None;
        for (_, which, step) in same.take(TRIES) {
            let Some(mapping) = usize::try_from(*which).ok().and_then(|w| self.mapped.get(w))
            else {
                continue;
            };
            let offset = u64::from(*step) * STEP as u64;
            let most = (mapping.length - offset).min(place.end - place.start);
            let length = common(source, mapping.at + offset, place.start, most)?;
            if length >= SHORTEST && best.is_none_or(|best| best.length < length) {
                let (at, logical) = (place.start, mapping.logical + offset);
                best = Some(Mapped { at, logical, length, object: mapping.object });
            }
        }
        Ok(best)
    }
}

/// Returns how many bytes at two places of the image are the same.
fn common(source: &Source, one: u64, other: u64, most: u64) -> Result<u64> {
    let mut buffers = (vec![0; 16 * STEP], vec![0; 16 * STEP]);
    let mut same = 0;
    while same < most {
        let ours = read(source, one + same..one + most, &mut buffers.0)?;
        let theirs = read(source, other + same..other + most, &mut buffers.1)?;
        if ours != theirs {
            return Ok(same + ours.iter().zip(theirs).take_while(|(a, b)| a == b).count() as u64);
        }
        same += ours.len() as u64;
    }
    Ok(same)
}

fn read<'a>(source: &Source, range: Range<u64>, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(buffer.len());
    source.file.read_exact_at(&mut buffer[..length], range.start)?;
    Ok(&buffer[..length])
}

fn hash(sector: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(sector);
    hasher.finish()
}
