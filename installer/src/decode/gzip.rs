//! gzip: its members do not tell their size, so that one processor decodes them in turn.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::outlet::{Filling, Outlet, Stop};
use crate::stored::StoredReader;
use crate::stream::PIECE;

pub(crate) fn decode(stored: &mut StoredReader, outlet: &Outlet) -> Result<(), Stop> {
    let mut decoder = MultiGzDecoder::new(stored);
    let mut filling = Filling::new(outlet, PIECE);
    while filling.step(|free| decoder.read(free).map(|n| (n, n)))? > 0 {}
    filling.flush()
}
