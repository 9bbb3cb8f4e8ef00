//! The cluster's state, fetched for a snapshot from a scripted API server over real TLS, and Events
//! posted to one.

#![expect(clippy::unwrap_used, reason = "panicking is how a test fails")]

mod api;
mod asked;
mod placed;
mod posted;
mod told;
