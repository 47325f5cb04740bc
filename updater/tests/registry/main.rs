//! Images are fetched from real servers on 127.0.0.1: one that misbehaves as told, Debian's
//! docker-registry, and skopeo for what is not in a registry.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod manifests;
mod mirrors;
mod real;
mod server;
mod skopeo;
mod transfer;
