//! A snapshot from node to node over real TLS: our two ends with each other, and each with a
//! stand-in of the old program's other end that speaks through another TLS library (Python's).

#![expect(clippy::unwrap_used, reason = "panicking is how a test fails")]

mod bench;
mod callers;
mod fetched;
mod originals;
