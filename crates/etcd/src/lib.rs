//! From where a snapshot comes: one etcd member, asked over its maintenance API.
//!
//! [`Source`] is the door to a snapshot; [`Member`] is the real thing behind it, and [`Members`]
//! several of them. [`Peers`] is the door to every member of the cluster, also to those that nobody
//! configured. [`Trial`] asks one that was started to be tried out. Nothing above this crate knows gRPC.

mod checkup;
mod chunks;
mod client;
mod counts;
mod defragmentation;
mod diagnosis;
mod endpoint;
mod expiry;
mod hashes;
mod members;
mod peers;
mod preference;
mod probe;
mod roster;
mod source;
mod tls;
mod trial;
mod user;

pub use checkup::{Checkup, Vitals};
pub use client::{Member, MemberConfig};
pub use expiry::Expiry;
pub use members::Members;
pub use peers::{MemberHash, PeerHash, Peers};
pub use source::{Chunk, ErrorKind, MemberStatus, SnapshotStream, Source, SourceError};
pub use tls::TlsFiles;
pub use trial::{Answer, Trial};
pub use user::{Password, Secret, User};
