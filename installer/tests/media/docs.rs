//! The examples of `docs/media.md`, in both languages, run as they are printed.
