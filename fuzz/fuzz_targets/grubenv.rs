//! GRUB's environment block: what is printed is read back as the same, and other keys stay.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::grubenv::Grubenv;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut env) = Grubenv::parse(bytes) else { return };
    let Ok(printed) = env.to_bytes() else { return };
    assert_eq!(Grubenv::parse(&printed).as_ref(), Ok(&env));
    let other = env.get("saved_entry");
    env.set("boot_counter", "a\\b\nc");
    env.unset("boot_success");
    let Ok(printed) = env.to_bytes() else { return };
    let again = Grubenv::parse(&printed).expect("a block stays one");
    assert_eq!(again.get("boot_counter").as_deref(), Some("a\\b\nc"));
    assert_eq!(again.get("boot_success"), None);
    assert_eq!(again.get("saved_entry"), other);
});
