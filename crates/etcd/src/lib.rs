//! From where a snapshot comes: one etcd member, asked over its maintenance API.
//!
//! [`Source`] is the door; [`Member`] is the real thing behind it, and [`Members`] several of
//! them. Nothing above this crate knows gRPC.

mod chunks;
mod client;
mod diagnosis;
mod endpoint;
mod members;
mod probe;
mod source;
mod tls;
mod user;

pub use client::{Member, MemberConfig};
pub use members::Members;
pub use source::{Chunk, ErrorKind, MemberStatus, SnapshotStream, Source, SourceError};
pub use tls::TlsFiles;
pub use user::{Password, Secret, User};
