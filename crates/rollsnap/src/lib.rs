//! Rolling, verified snapshots of etcd: what speaks to people.
//!
//! A library only so that tests and the reference pages can see its parts.

pub mod argv;
pub mod assembly;
pub mod board;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod drop_in;
pub mod herald;
pub mod http;
pub mod journal;
pub mod listeners;
pub mod output;
pub mod report;
pub mod rules;
pub mod sight;
pub mod signals;
pub mod supervisor;
pub mod telemetry;
