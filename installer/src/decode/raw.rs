//! Images that are stored as they are on the disk: what is read is passed on without copying.

use super::outlet::{Outlet, Slot, Stop};
use crate::stored::StoredReader;

pub(crate) fn decode(stored: &mut StoredReader, outlet: &Outlet) -> Result<(), Stop> {
    while let Some(chunk) = stored.next_chunk()? {
        outlet.send(Slot::Ready(chunk))?;
    }
    Ok(())
}
