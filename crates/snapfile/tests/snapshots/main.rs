//! Whole snapshots: real ones, built ones, broken ones.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed, wherever it is"
)]

mod anatomy;
mod chance;
mod etcdutl;
mod goldens;
mod pairs;
mod restore;
mod scatter;
mod store;

mod builder;
mod damage;
mod difference;
mod differential;
mod golden;
mod index;
mod server;
mod usage;
