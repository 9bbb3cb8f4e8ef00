//! Whole snapshots: real ones, built ones, broken ones.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed, wherever it is"
)]

mod anatomy;
mod etcdutl;
mod goldens;
mod pairs;

mod builder;
mod damage;
mod golden;
mod usage;
