//! The little of GVariant's serialized form that ostree objects need: arrays and tuples whose
//! members have no fixed size carry the ends of their members behind them, little endian, as wide
//! as the whole needs. See <https://docs.gtk.org/glib/gvariant-format.html>.

use super::ObjectError;

/// Returns how wide the ends of members are in a container of `total` bytes.
fn width_for(total: usize) -> usize {
    match total {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// Appends the ends of members to `bytes`.
pub(super) fn push_ends(bytes: &mut Vec<u8>, ends: &[usize]) {
    let body = bytes.len();
    let fits = |width: &usize| width_for(body + ends.len() * width) <= *width;
    let width = [1, 2, 4].into_iter().find(fits).unwrap_or(8);
    for end in ends {
        bytes.extend_from_slice(end.to_le_bytes().get(..width).unwrap_or_default());
    }
}

/// Serializes an array of members without a fixed size and with alignment 1.
pub(super) fn array<T>(items: &[T], mut write: impl FnMut(&T, &mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(items.len());
    for item in items {
        write(item, &mut bytes);
        ends.push(bytes.len());
    }
    push_ends(&mut bytes, &ends);
    bytes
}

fn wrong(what: &'static str) -> ObjectError {
    ObjectError::Malformed(what)
}

fn read_end(bytes: &[u8], at: usize, width: usize) -> Result<usize, ObjectError> {
    let raw = at.checked_add(width).and_then(|to| bytes.get(at..to));
    let mut wide = [0; 8];
    for (to, from) in wide.iter_mut().zip(raw.ok_or_else(|| wrong("an offset is missing"))?) {
        *to = *from;
    }
    usize::try_from(u64::from_le_bytes(wide)).map_err(|_large| wrong("an offset is too large"))
}

fn align(at: usize, alignment: usize) -> usize {
    at.div_ceil(alignment) * alignment
}

/// Splits an array whose members have no fixed size.
pub(super) fn split_array(bytes: &[u8], alignment: usize) -> Result<Vec<&[u8]>, ObjectError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let width = width_for(bytes.len());
    let last_at = bytes.len().checked_sub(width).ok_or_else(|| wrong("an array is too short"))?;
    let body = read_end(bytes, last_at, width)?;
    let table = bytes.len().checked_sub(body).ok_or_else(|| wrong("an array is cut"))?;
    if table % width != 0 {
        return Err(wrong("an array's offsets do not fit"));
    }
    let mut items = Vec::with_capacity(table / width);
    let mut start = 0;
    for at in (body..bytes.len()).step_by(width) {
        let end = read_end(bytes, at, width)?;
        let item = bytes.get(align(start, alignment)..end).filter(|_| end <= body);
        items.push(item.ok_or_else(|| wrong("an array's offsets are out of order"))?);
        start = end;
    }
    Ok(items)
}

/// Reads the members of a tuple one after the other.
#[derive(Debug)]
pub(super) struct Tuple<'a> {
    bytes: &'a [u8],
    width: usize,
    at: usize,
    table_end: usize,
    body: usize,
}

impl<'a> Tuple<'a> {
    /// Starts to read a tuple in which `ends` members, not counting the last, have no fixed size.
    pub(super) fn new(bytes: &'a [u8], ends: usize) -> Result<Self, ObjectError> {
        let width = width_for(bytes.len());
        let body = bytes.len().checked_sub(width * ends);
        let body = body.ok_or_else(|| wrong("a tuple is too short"))?;
        Ok(Self { bytes, width, at: 0, table_end: bytes.len(), body })
    }

    /// Reads a member of `size` bytes, aligned to its size.
    pub(super) fn fixed(&mut self, size: usize) -> Result<&'a [u8], ObjectError> {
        let start = align(self.at, size);
        self.take(start, start + size)
    }

    /// Reads a 32-bit number in network byte order, as ostree stores them.
    pub(super) fn big_endian_u32(&mut self) -> Result<u32, ObjectError> {
        let bytes = self.fixed(4)?.try_into();
        bytes.map(u32::from_be_bytes).map_err(|_size| wrong("a number is cut"))
    }

    /// Reads a member whose end is in the table.
    pub(super) fn sized(&mut self, alignment: usize) -> Result<&'a [u8], ObjectError> {
        let at = self.table_end.checked_sub(self.width);
        let at = at.filter(|at| *at >= self.body).ok_or_else(|| wrong("an offset is missing"))?;
        self.table_end = at;
        let end = read_end(self.bytes, at, self.width)?;
        self.take(align(self.at, alignment), end)
    }

    /// Reads a text, which ends with a NUL.
    pub(super) fn text(&mut self) -> Result<&'a str, ObjectError> {
        text(self.sized(1)?)
    }

    /// Reads the last member, which fills the rest.
    pub(super) fn last(self, alignment: usize) -> Result<&'a [u8], ObjectError> {
        let start = align(self.at, alignment).min(self.body.max(self.at));
        self.bytes.get(start..self.body).ok_or_else(|| wrong("a tuple is cut"))
    }

    fn take(&mut self, start: usize, end: usize) -> Result<&'a [u8], ObjectError> {
        let member = self.bytes.get(start..end).filter(|_| end <= self.body);
        self.at = end;
        member.ok_or_else(|| wrong("a tuple's member is cut"))
    }
}

/// Reads a text with its NUL.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ObjectError> {
    let plain = bytes.strip_suffix(&[0]).filter(|b| !b.contains(&0));
    let plain = plain.ok_or_else(|| wrong("a text does not end where it should"))?;
    std::str::from_utf8(plain).map_err(|_utf8| wrong("a text is not UTF-8"))
}
