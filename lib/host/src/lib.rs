//! Everything in the NestOS tools that touches a machine: programs, terminals, clocks, files
//! that others read, block devices. Tools decide with values and come here to act.

pub mod atomic;
pub mod clock;
pub mod cmd;
pub mod exit;
pub mod term;
