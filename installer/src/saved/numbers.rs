//! The numbers that kept partitions get in the table of an image.

use anyhow::{Result, bail};
use nestos_host::gpt_disk::{Entry, Table};

/// Returns the kept entries with their new numbers, in the order given: an entry keeps its number
/// if that is larger than the last of the image, and takes the next free one otherwise.
pub(super) fn assign(image: &Table, kept: &[Entry]) -> Result<Vec<Entry>> {
    let last = image.partitions().iter().map(|p| p.number).max().unwrap_or(0);
    let room = last + 1..=image.capacity();
    let stays = |n: usize| room.contains(&n);
    let taken: Vec<usize> = kept.iter().map(Entry::number).filter(|n| stays(*n)).collect();
    let mut free = room.clone().filter(|n| !taken.contains(n));
    let mut numbered = Vec::with_capacity(kept.len());
    for entry in kept {
        let number = if stays(entry.number()) { Some(entry.number()) } else { free.next() };
        let Some(number) = number else {
            bail!(
                "the partition table of the image has room for {} partitions: {} of its own and \
                 not all of the {} that are to be saved",
                image.capacity(),
                image.partitions().len(),
                kept.len()
            );
        };
        numbered.push(entry.renumbered(number));
    }
    Ok(numbered)
}
