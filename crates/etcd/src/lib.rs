//! From where a snapshot comes: one etcd member, asked over its maintenance API.
//!
//! [`Source`] is the door; `client::Member` is the real thing behind it. Nothing above this crate knows
//! gRPC.

pub mod client;
mod source;

pub use source::{Chunk, ErrorKind, MemberStatus, SnapshotStream, Source, SourceError};
