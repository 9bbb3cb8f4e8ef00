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
//! The image is a tree of trees. The root holds ten buckets; the bucket `key` holds every change
//! of every key under its revision, in the order of time, which is why a user's key can only be
//! found by reading:
//!
//! ```text
//! meta --> root leaf --> alarm auth authRoles authUsers cluster key lease members meta ...
//!                                                             |
//!                       branch: 2_0 | 61_0 | 118_0 | ...  <---'
//!                                |      |
//!     leaf: 2_0 2_1 3_0 ... 60_0 '      ' leaf: 61_0 61_0t 62_0 ...
//!           |                                         ^ a deletion
//!           KeyValue{key, create_revision, mod_revision, version, value, lease}
//! ```
//!
//! # Questions and who answers
//!
//! | question | answer |
//! |---|---|
//! | is it what etcd sent, and whole? | [`verify()`] |
//! | what does it hold, in etcdutl's numbers? | [`status()`] |
//! | does it hold what the members hold? | [`mvcc::hash_kv`] |
//! | which keys were there at a revision, with which values? | [`mvcc::live`], [`mvcc::get`] |
//! | where does a key lie, without reading all? | [`index`] |
//! | how is such a file made? | [`bolt::Builder`] |
//! | how does a server go on with it? | [`restore`] |
//!
//! Everything is read through [`ReadAt`]: a file, a buffer, something far away.
//!
//! ```
//! use std::ops::ControlFlow;
//! use rollsnap_snapfile::verify;
//!
//! let cut: &[u8] = b"not a snapshot at all";
//! let report = verify(&cut, &mut |_| ControlFlow::Continue(()))?;
//! assert!(!report.is_whole());
//! assert!(report.findings.iter().any(|finding| finding.what.contains("no valid meta page")));
//! # Ok::<(), rollsnap_snapfile::SnapshotError>(())
//! ```
//!
//! `cargo run --example status -- FILE` and `--example keys -- FILE` show more.
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
pub mod index;
pub mod mvcc;
mod proto;
mod read_at;
pub mod restore;
mod trailer;
mod verify;

pub use digest::{Digest, DigestTextError};
pub use error::SnapshotError;
pub use finding::Finding;
pub use read_at::{ReadAt, Stamp};
pub use trailer::{Proof, Trailer, TrailerError, TrailerHasher};
pub use verify::{
    Heed, Progress, Report, digest_at_end, has_meta, status, verify, verify_and_index,
};
