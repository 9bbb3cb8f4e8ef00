//! Why a save left nothing, and what that means.

use std::io;
use std::time::Duration;

use rollsnap_etcd::SourceError;
use rollsnap_snapfile::TrailerError;
use rollsnap_snapfile::mvcc::RevisionError;
use rollsnap_store::StoreError;

use crate::codec::WriteError;
use crate::gentle::Grown;
use crate::quarantine::Quarantined;
use crate::{Kind, SnapshotName, proof};

/// Why a save left nothing.
#[derive(Debug, thiserror::Error)]
#[error("save {name}")]
pub struct SaveError {
    name: SnapshotName,
    #[source]
    cause: Cause,
}

/// What went wrong in a save.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// etcd did not give it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The member does not answer, or not as one that is well.
    #[error(transparent)]
    Unwell(SourceError),
    /// The member has no vote and may lag behind without bound.
    #[error("{0} is a learner: its data may be old")]
    Learner(String),
    /// The stream was cut or its digest is wrong.
    #[error("check the stream")]
    Trailer(#[from] TrailerError),
    /// It would have cost etcd too much.
    #[error(transparent)]
    Grown(#[from] Grown),
    /// It could not be kept.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The digest holds, but the database cannot be read: the member's disk may be broken.
    #[error("read the revision")]
    Revision(#[from] RevisionError),
    /// It took longer than it may.
    #[error("not done after {}s", .0.as_secs())]
    Slow(Duration),
    /// What was just written cannot be read back.
    #[error("read back")]
    Read(#[from] io::Error),
    /// The digest holds, but deep verification found the database broken.
    #[error("the database is broken: {finding}; it was moved to {path}")]
    Broken {
        /// The first that is wrong.
        finding: String,
        /// Where it is kept.
        path: String,
    },
    /// It does not hold, and takes no other's place.
    #[error("{fault}: {finding}; the older snapshot of this name stays, {kept}")]
    Unworthy {
        /// What it is.
        fault: &'static str,
        /// The first that is wrong.
        finding: String,
        /// What became of it, in words.
        kept: String,
    },
    /// It could not be examined, and takes no other's place.
    #[error("verify it before it replaces the older snapshot of this name")]
    Unproved(#[source] Box<proof::Cause>),
}

impl SaveError {
    pub(crate) fn new(name: SnapshotName, cause: Cause) -> Self {
        Self { name, cause }
    }

    /// The error of a save whose snapshot was moved aside.
    pub fn broken(quarantined: &Quarantined) -> Self {
        let cause = Cause::Broken {
            finding: quarantined.finding().to_owned(),
            path: quarantined.path.clone(),
        };
        Self::new(quarantined.manifest.name.clone(), cause)
    }

    /// Whether it ended with the look at the member, before a snapshot was asked for.
    pub fn is_unwell(&self) -> bool {
        matches!(self.cause, Cause::Unwell(_))
    }

    /// Whether it was let go for what its pace cost etcd: without one it may succeed.
    pub fn is_for_its_pace(&self) -> bool {
        matches!(self.cause, Cause::Grown(_))
    }

    /// Whether it was read whole and examined: another may be no better.
    pub fn is_of_the_database(&self) -> bool {
        matches!(self.cause, Cause::Broken { .. } | Cause::Unworthy { .. })
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        match &self.cause {
            Cause::Source(error) | Cause::Unwell(error) => error.kind().into(),
            Cause::Slow(_) | Cause::Grown(_) => Kind::Source,
            Cause::Learner(_) => Kind::Config,
            Cause::Trailer(_)
            | Cause::Revision(_)
            | Cause::Broken { .. }
            | Cause::Unworthy { .. }
            | Cause::Write(WriteError::Encode(_)) => Kind::Corrupt,
            Cause::Write(WriteError::Store(error)) | Cause::Store(error) => error.kind().into(),
            Cause::Read(_) => Kind::Store,
            Cause::Unproved(cause) => cause.kind(),
        }
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        match &self.cause {
            Cause::Source(error) | Cause::Unwell(error) => error.hint(),
            Cause::Grown(_) => Some("take it without max_rate, or when less is written"),
            Cause::Learner(_) => Some("give --endpoints a voting member"),
            Cause::Unproved(cause) => cause.hint(),
            Cause::Broken { .. } | Cause::Unworthy { .. } => Some(
                "etcd sent it so: look at this member's disk, and compare it with the others \
                 (etcdctl endpoint hashkv --cluster)",
            ),
            Cause::Write(WriteError::Store(error)) | Cause::Store(error) => error.hint(),
            _ => None,
        }
    }
}
