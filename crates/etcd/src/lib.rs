//! From where a snapshot comes: one etcd member, asked over its maintenance API.
//!
//! [`Source`] is the door to a snapshot; [`Member`] is the real thing behind it, and [`Members`]
//! several of them. [`Peers`] is the door to every member of the cluster, also to those that nobody
//! configured. Nothing above this crate knows gRPC.

mod checkup;
mod chunks;
mod client;
mod diagnosis;
mod endpoint;
mod expiry;
mod hashes;
mod members;
mod peers;
mod probe;
mod roster;
mod source;
mod tls;
mod user;

pub use checkup::{Checkup, Vitals};
pub use client::{Member, MemberConfig};
pub use expiry::Expiry;
pub use members::Members;
pub use peers::{MemberHash, PeerHash, Peers};
pub use source::{Chunk, ErrorKind, MemberStatus, SnapshotStream, Source, SourceError};
pub use tls::TlsFiles;
pub use user::{Password, Secret, User};
