//! RKE's words: what people have written in `cluster.yml` about etcd snapshots, read with the
//! place of every value, so that a fault can be shown where it stands.
//!
//! This crate alone knows YAML. It decides nothing: which value is in force when a flag or the
//! environment says otherwise is for the program to say.

pub mod bounds;
pub mod cluster_yml;
pub mod duration;
mod environment;
mod fault;
mod nearest;
pub mod rate;
mod secret;
mod text;
mod yaml;

pub use environment::key_in_environment;
pub use fault::{Fault, Faults, Wrong};
pub use nearest::nearest;
pub use secret::Secret;
