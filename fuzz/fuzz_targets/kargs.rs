//! Kernel arguments: what is printed is read back as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::kargs::KernelArgs;

fuzz_target!(|line: &str| {
    let Ok(args) = line.parse::<KernelArgs>() else { return };
    let printed = args.to_string();
    assert_eq!(printed.parse::<KernelArgs>().as_ref(), Ok(&args), "{printed}");
    assert_eq!(printed, printed.parse::<KernelArgs>().expect("read above").to_string());
});
