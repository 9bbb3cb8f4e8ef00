//! The whole program, as it is run: real etcd, a real bucket, real signals.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed, wherever it is"
)]

mod program;
mod running;
mod world;

mod bad_bucket;
mod bad_config;
mod bad_directory;
mod bad_etcd;
mod bad_line;
mod bad_names;
mod board;
mod broken;
mod bucket_down;
mod by_hand;
mod check;
mod compared;
mod copies;
mod drill;
mod etcd_troubles;
mod hashkv;
mod json;
mod keys;
mod killed;
mod kube_events;
mod log_lines;
mod look;
mod newcomer;
mod page;
mod pinged;
mod prometheus;
mod proven;
mod read_back;
mod reload;
mod restore;
mod restore_beside;
mod restored;
mod rights;
mod rke_pki;
mod rotation;
mod schedule;
mod secrets;
mod shared_bucket;
mod signals;
mod standings;
mod systemd;
mod terminal;
mod times;
mod web;
