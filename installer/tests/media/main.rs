//! `iso`, `pxe` and `dev` on media that xorriso, genisoimage, cpio and xz made, never only on what
//! our own code wrote.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod customize;
mod docs;
mod embed;
mod kargs;
mod minimal;
mod pxe;
mod scene;
mod wrong;
