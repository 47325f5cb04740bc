//! An initramfs of any bytes ends in files or an error, and files that were read are the same when
//! they are packed and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_installer::initrd::{LiveInitrd, Members};

fuzz_target!(|bytes: &[u8]| {
    drop(LiveInitrd::read(bytes));
    let Ok(members) = Members::read(bytes, |_| true) else { return };
    let Ok(packed) = members.pack() else { return };
    let again = Members::read(&packed[..], |_| true);
    assert!(again.is_ok_and(|again| again == members));
});
