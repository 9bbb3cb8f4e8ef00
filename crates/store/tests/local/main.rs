//! The directory and the memory store against everything that a machine does to them.

#![expect(clippy::unwrap_used, reason = "panicking is how a test fails")]

mod contract;
mod crash;
mod full;
mod lock;
mod open;
mod pending;
mod place;
mod planted;
mod probe;
mod quarantine;
mod read_only;
mod spool;
mod tail;
