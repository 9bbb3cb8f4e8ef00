//! The door to an etcd member, and what can go wrong behind it.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// The pieces of one snapshot in order. An error ends it; after a clean end the caller still has
/// to compare the digest that the last 32 bytes hold.
pub type SnapshotStream = BoxStream<'static, Result<Chunk, SourceError>>;

/// One etcd member.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// The endpoint, for messages. Prints no secret.
    fn endpoint(&self) -> &str;

    /// Asks the member who and how it is. Bounded in time.
    async fn status(&self) -> Result<MemberStatus, SourceError>;

    /// Opens a snapshot stream on this very member. While it is open the member can reuse no
    /// page, so read it at full speed. Dropping the stream cancels it.
    async fn snapshot(&self) -> Result<SnapshotStream, SourceError>;

    /// Asks the member from which a snapshot comes how it is meanwhile, and nobody in its stead.
    /// Its name is not asked for. Bounded in time.
    async fn look(&self) -> Result<MemberStatus, SourceError>;

    /// The members behind the endpoints that are configured, as far as they have told their ids:
    /// a snapshot may come from another one of them each time.
    fn fellows(&self) -> Vec<u64>;
}

/// What a member says of itself (`etcdserverpb.StatusResponse`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// The cluster's id.
    pub cluster_id: u64,
    /// The member's id.
    pub member_id: u64,
    /// The member's name, where the cluster could be asked for it.
    pub member_name: Option<String>,
    /// The server's version, such as `3.5.1`.
    pub version: String,
    /// The store's revision at this moment.
    pub revision: u64,
    /// The raft term.
    pub raft_term: u64,
    /// The last raft index applied.
    pub raft_applied_index: u64,
    /// The member that it takes for the leader; 0 if it knows none.
    pub leader_id: u64,
    /// Size of the database file in bytes.
    pub db_size: u64,
    /// What of it holds data; the rest is free pages.
    pub db_in_use: u64,
    /// Whether this member only learns and has no vote.
    pub is_learner: bool,
    /// Alarms and other complaints of the member, in its own words.
    pub errors: Vec<String>,
}

impl MemberStatus {
    /// Whether any member of the cluster has run out of its quota, so that all refuse writes. Each
    /// member tells the alarms of all (etcd `v3rpc/maintenance.go`), with or without a quorum,
    /// which a list of alarms would need.
    pub fn has_no_space(&self) -> bool {
        self.errors
            .iter()
            .any(|error| error.contains("alarm:NOSPACE"))
    }
}

/// One piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes, never empty.
    pub bytes: Bytes,
    /// Database bytes still to come after these; the 32 bytes of the digest are not counted.
    pub remaining: u64,
}

/// What an error means, whatever etcd called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nobody answers, the connection broke, or no bytes came in time. Worth another try.
    Unavailable,
    /// The member is there, and answers once the defragmentation of its database is over.
    Busy,
    /// Certificates, user or password are refused, or the member wants some.
    Denied,
    /// What was configured cannot be right: no endpoint, unreadable key, http against https.
    Config,
    /// This answers, but not as an etcd member that can be saved: no etcd, or a learner.
    Unsuitable,
    /// The revision that was asked for is no longer there: the member has compacted past it.
    Compacted,
}

/// One failed call: `snapshot from https://127.0.0.1:2379: no bytes for 30s`.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {endpoint}: {message}")]
pub struct SourceError {
    kind: ErrorKind,
    verb: &'static str,
    endpoint: String,
    message: String,
    hint: Option<String>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl SourceError {
    /// An error of `verb` (such as `connect to` or `snapshot from`) at `endpoint`.
    pub fn new(
        kind: ErrorKind,
        verb: &'static str,
        endpoint: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            verb,
            endpoint: endpoint.into(),
            message: message.into(),
            hint: None,
            cause: None,
        }
    }

    /// Keeps what lies below.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what the operator may do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
