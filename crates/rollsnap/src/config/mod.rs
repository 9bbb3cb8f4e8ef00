//! What is in force: flags over environment over file over defaults, and who said each.
//!
//! ```text
//! flags ─┐
//! env ───┼─ layers ── one pick for each option ── Settings (checked) ── report
//! file ──┘              (all faults kept)
//! ```
//!
//! Nothing here touches a socket, and files only through [`Files`], but for the CA of the bucket,
//! which `rollsnap-store` reads when it judges the bucket. The certificates of etcd are judged in
//! [`assembly`](crate::assembly), for the commands that need them, together with all this.

mod bucket;
mod etcd;
mod fault;
mod http;
mod inputs;
mod keys;
mod layers;
mod log;
mod notices;
pub mod options;
mod origin;
pub mod reference;
mod report;
mod schedule;
mod settings;
mod writing;

pub use bucket::Bucket;
pub use etcd::{Etcd, Login};
pub use fault::{ConfigError, Fault};
pub use http::Http;
pub use inputs::{Disk, Environment, Files, Flags, Inputs};
pub use keys::{Key, Keys, Pair};
pub use log::{Log, LogFormat};
pub use notices::{Kubernetes, Notices, ping_address};
pub use origin::{Origin, Sourced};
pub use report::{Row, as_table};
pub use rollsnap_rke::{Secret, Wrong};
pub use schedule::Schedule;
pub use settings::{Making, Settings};
pub use writing::Writing;

#[cfg(test)]
mod tests;
