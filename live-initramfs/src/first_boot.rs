//! What only the first boot of an installed disk does, beside Ignition.

pub(crate) mod boot_label;
pub(crate) mod config;
pub(crate) mod kargs;
