//! The answers of etcd's maintenance API, by hand after its `rpc.proto`, with only the fields that
//! a client of snapshots reads.

use bytes::Bytes;
use prost::Message;

/// `etcdserverpb.ResponseHeader`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseHeader {
    /// The cluster's id.
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    /// The member's id.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    /// The store's revision.
    #[prost(int64, tag = "3")]
    pub revision: i64,
    /// The raft term.
    #[prost(uint64, tag = "4")]
    pub raft_term: u64,
}

/// `etcdserverpb.StatusResponse` of etcd 3.5.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StatusResponse {
    /// Who answers.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The server's version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Size of the database file.
    #[prost(int64, tag = "3")]
    pub db_size: i64,
    /// The leader's id.
    #[prost(uint64, tag = "4")]
    pub leader: u64,
    /// The raft index.
    #[prost(uint64, tag = "5")]
    pub raft_index: u64,
    /// The raft term.
    #[prost(uint64, tag = "6")]
    pub raft_term: u64,
    /// The last raft index applied.
    #[prost(uint64, tag = "7")]
    pub raft_applied_index: u64,
    /// Alarms and the like.
    #[prost(string, repeated, tag = "8")]
    pub errors: Vec<String>,
    /// Whether it has no vote.
    #[prost(bool, tag = "10")]
    pub is_learner: bool,
}

/// `etcdserverpb.SnapshotResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SnapshotResponse {
    /// Database bytes still to come.
    #[prost(uint64, tag = "2")]
    pub remaining_bytes: u64,
    /// A piece of the database, or the digest at the end.
    #[prost(bytes = "bytes", tag = "3")]
    pub blob: Bytes,
}

/// `etcdserverpb.HashKVRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HashKvRequest {
    /// The last revision to hash; 0 for the newest.
    #[prost(int64, tag = "1")]
    pub revision: i64,
}

/// `etcdserverpb.HashKVResponse` of etcd 3.6.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HashKvResponse {
    /// Who answers.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The hash.
    #[prost(uint32, tag = "2")]
    pub hash: u32,
    /// The compacted revision; -1 for none.
    #[prost(int64, tag = "3")]
    pub compact_revision: i64,
    /// The last revision in the hash; 0 before 3.6.
    #[prost(int64, tag = "4")]
    pub hash_revision: i64,
}

/// `etcdserverpb.Member`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListedMember {
    /// Its id.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Its name; empty before its first start.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Where other members reach it.
    #[prost(string, repeated, tag = "3")]
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    #[prost(string, repeated, tag = "4")]
    pub client_urls: Vec<String>,
    /// Whether it has no vote.
    #[prost(bool, tag = "5")]
    pub is_learner: bool,
}

/// `etcdserverpb.MemberListResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MemberListResponse {
    /// Who answers.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// All members.
    #[prost(message, repeated, tag = "2")]
    pub members: Vec<ListedMember>,
}

/// A healthy member of a cluster of one.
pub fn healthy() -> StatusResponse {
    StatusResponse {
        header: Some(ResponseHeader {
            cluster_id: 0xc1,
            member_id: 0xe1,
            revision: 7,
            raft_term: 2,
        }),
        version: "3.5.1".to_owned(),
        db_size: 65_536,
        leader: 0xe1,
        raft_index: 9,
        raft_term: 2,
        raft_applied_index: 9,
        errors: Vec::new(),
        is_learner: false,
    }
}
