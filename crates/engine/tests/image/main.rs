//! Snapshots opened for reading, whatever they are kept as and wherever they are.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed, wherever it is"
)]

mod kit;
mod states;
mod zips;

mod bombs;
mod bucket;
mod damage;
mod download;
mod forms;
