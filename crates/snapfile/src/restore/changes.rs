//! What is wanted of a new database, and what came of it.

use crate::SnapshotError;
use crate::bolt::BuildError;

use super::cluster::Cluster;

/// What is other in the new database than in the old.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Whose database it will be.
    pub cluster: Cluster,
    /// Which alarms stay.
    pub alarms: Alarms,
    /// Whether all leases end now, and the keys that hang on them with them. They would come back
    /// alive, with the whole of their time.
    pub expire_leases: bool,
    /// Whether anybody may do everything, until somebody enables authentication anew.
    pub disable_auth: bool,
    /// By how much the revision goes up. All before is then compacted, so that a client that knew
    /// later revisions than the snapshot has is told so, and reads anew.
    pub bump: Option<u64>,
}

/// Which alarms stay. One stops all writes until somebody disarms it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alarms {
    /// All of them, as etcdutl leaves them.
    Keep,
    /// All but those that said that there is no room: the new file has no free page.
    #[default]
    DropNoSpace,
    /// None.
    Drop,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewritten {
    /// Records in the new database.
    pub records: u64,
    /// Its revision.
    pub revision: u64,
    /// Keys that were deleted because their leases ended.
    pub expired: u64,
    /// Leases that were added, because live keys hung on them and they were missing: etcd would
    /// have crashed at a write to such a key, and at every start after it.
    pub mended: u64,
    /// Alarms that were left out.
    pub alarms: u64,
}

/// Why there is no new database.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The old one cannot be read, or is not what etcd would write.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The new one cannot be written.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// etcd counts to 2^63.
    #[error("revision {from} cannot go up by {by}")]
    Revision {
        /// Where the store stands.
        from: u64,
        /// By how much it should go up.
        by: u64,
    },
}
