//! RKE's words: what people have written in `cluster.yml` about etcd snapshots, read with the
//! place of every value, so that a fault can be shown where it stands; and what RKE itself gives to
//! the program in its containers.
//!
//! This crate alone knows YAML. It decides nothing: which value is in force when a flag or the
//! environment says otherwise is for the program to say.

pub mod argv;
pub mod bounds;
pub mod bundle;
pub mod cluster_yml;
pub mod duration;
mod environment;
mod fault;
mod https;
pub mod kube_events;
mod kubeconfig;
mod line_error;
mod nearest;
pub mod peer;
mod pem;
pub mod rate;
mod secret;
pub mod state_file;
mod text;
pub mod wording;
mod yaml;

pub use environment::key_in_environment;
pub use fault::{Fault, Faults, Wrong};
pub use line_error::LineError;
pub use nearest::nearest;
pub use secret::Secret;
