//! What an etcd snapshot *is*.
//!
//! A snapshot as etcd's maintenance API sends it is the image of a bbolt database followed by
//! the SHA-256 of that image:
//!
//! ```text
//! 0        page size                          pages x page size      + 32
//! +--------+--------+--------+-- ... --+--------+--------+
//! | meta 0 | meta 1 |  leaf, branch, free pages | digest |
//! +--------+--------+--------+-- ... --+--------+--------+
//! ```
//!
//! This crate knows the bytes and nothing else: no runtime, no sockets, no clock. Every length
//! and page number is checked before use, for a snapshot is hostile input: it may come from a
//! broken disk. Sources of the format: etcd `server/etcdserver/api/v3rpc/maintenance.go` and
//! bbolt `internal/common/{page,meta,inode,bucket}.go`.
#![warn(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::panic,
    clippy::expect_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::panic,
        clippy::expect_used
    )
)]

pub mod bolt;
mod digest;
mod error;
mod finding;
pub mod mvcc;
mod read_at;
mod trailer;
mod verify;

pub use digest::{Digest, DigestTextError};
pub use error::SnapshotError;
pub use finding::Finding;
pub use read_at::ReadAt;
pub use trailer::{Proof, Trailer, TrailerError, TrailerHasher};
pub use verify::{Heed, Progress, Report, digest_at_end, status, verify};
