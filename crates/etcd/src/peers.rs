//! The door to all members of a cluster, and what each of them says its keys hash to.

use std::fmt;

use async_trait::async_trait;

use crate::SourceError;

/// The members of one cluster, every one of which can be asked.
#[async_trait]
pub trait Peers: Send + Sync + fmt::Debug {
    /// Asks every member what its keys up to `revision` hash to; a member that has not come so
    /// far, up to where it is. In the order of their ids, learners included.
    ///
    /// An error is only that nobody tells who the members are. A member that cannot be asked has
    /// the reason in its place.
    ///
    /// Bounded in time. Dropping the future asks no further member; one that is reckoning goes on
    /// to its end. A member reads its whole database for this and applies no write meanwhile:
    /// `HashByRev` in etcd's `mvcc` holds the read transaction. 3.4.23 and 3.5.1 kept a put waiting
    /// for 0.6 s over 800 MB in memory. So only two are asked at once.
    async fn hash_kv(&self, revision: u64) -> Result<Vec<PeerHash>, SourceError>;
}

/// One member of a cluster and what became of the question.
#[derive(Debug)]
pub struct PeerHash {
    /// The member's id.
    pub id: u64,
    /// The member's name; none before its first start.
    pub name: Option<String>,
    /// Whether it only learns. etcd's learners tell no hash.
    pub is_learner: bool,
    /// What it said, or why it said nothing.
    pub hash: Result<MemberHash, SourceError>,
}

/// What a member's keys hash to (`etcdserverpb.HashKVResponse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberHash {
    /// The cluster's id.
    pub cluster_id: u64,
    /// The member's id.
    pub member_id: u64,
    /// The last revision that is in the hash.
    pub revision: u64,
    /// The revision up to which the member's history was compacted: what that took away is not in
    /// the hash. 0 if it never was.
    pub compact_revision: u64,
    /// CRC-32C of the records.
    pub hash: u32,
}
