//! The health of a fresh boot: checks, verdict, boot counting.
