//! An unattended installation that must be refused.

/// A kernel argument that no disk of a virtual machine fits.
pub const ARGUMENT: &str = "nestos.inst.install_dev=serial=NOT-THERE";

/// What the console says of it, in this order.
pub const SAYS: [&str; 3] = [
    "no disk matches serial=NOT-THERE",
    "does not match: serial=NOT-THERE",
    "Nothing was written to any disk.",
];
