//! Members against real etcd servers of two versions, scripted peers and strangers.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod auth;
mod broken;
mod busy;
mod checkup;
mod hashes;
mod kit;
mod members;
mod offline;
mod peers;
mod saves;
mod strangers;
mod tls;
