//! Rolling, verified snapshots of etcd: what speaks to people.
//!
//! A library only so that tests and the reference pages can see its parts.

pub mod argv;
pub mod assembly;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod journal;
pub mod output;
pub mod report;
pub mod signals;
pub mod supervisor;
pub mod telemetry;
