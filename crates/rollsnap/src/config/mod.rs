//! What is in force: flags over environment over file over defaults, and who said each.
//!
//! ```text
//! flags ─┐
//! env ───┼─ layers ── one pick for each option ── Settings (checked) ── report
//! file ──┘              (all faults kept)
//! ```
//!
//! Nothing here touches a socket, and files only through [`Files`]. What needs more than the text
//! to be judged (certificates, addresses) is judged by whoever opens it; [`Bucket::fault`] gives
//! such a complaint its place here.

mod bucket;
mod etcd;
mod fault;
mod inputs;
mod layers;
mod log;
pub mod options;
mod origin;
pub mod reference;
mod report;
mod schedule;
mod settings;

pub use bucket::Bucket;
pub use etcd::{Etcd, Login};
pub use fault::{ConfigError, Fault};
pub use inputs::{Disk, Environment, Files, Flags, Inputs};
pub use log::{Log, LogFormat};
pub use origin::{Origin, Sourced};
pub use report::{Row, as_table};
pub use rollsnap_rke::{Secret, Wrong};
pub use schedule::Schedule;
pub use settings::{Making, Settings};

#[cfg(test)]
mod tests;
