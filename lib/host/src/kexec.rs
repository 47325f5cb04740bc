//! Starts another kernel without the firmware. See kexec_file_load(2).

use std::ffi::CString;
use std::fs::File;

use anyhow::{Context, Result};

use crate::ioctl;
use crate::term::WithHint;

/// Loads a kernel with its initramfs and command line; `systemctl kexec` starts it.
pub fn load(kernel: &File, initrd: &File, command_line: &str) -> Result<()> {
    let line = CString::new(command_line).context("a kernel command line holds no NUL")?;
    ioctl::load_kernel(kernel, initrd, &line)
        .context("the running kernel does not load another one")
        .hint("its lockdown or its configuration may forbid that (CONFIG_KEXEC_FILE)")
}
