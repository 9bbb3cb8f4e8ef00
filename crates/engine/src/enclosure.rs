//! What goes into a snapshot's zip beside it.
//!
//! RKE's sidecar puts the state of the cluster there, and `rke etcd snapshot-restore` looks for it
//! (rke-tools `main.go`, since v0.1.62). Where it comes from is not for this crate to know.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::SnapshotName;

/// The most bytes that are enclosed or taken out again. The state of a cluster is some hundred
/// KiB: Kubernetes keeps it in an object of at most 1 MiB.
pub const MOST_ENCLOSED: usize = 16 << 20;

/// The longest name that is enclosed.
const MOST_PATH: usize = 1 << 10;

/// Gives what is enclosed with a snapshot.
#[async_trait]
pub trait Enclosure: Send + Sync + fmt::Debug {
    /// What goes into the zip of this snapshot after it; `None` where there is nothing.
    ///
    /// Asked once as the stream begins and awaited when it has ended, so it has to bound its own
    /// time. Dropped with the save. Whatever fails, it tells its own log and gives `None`: no
    /// snapshot waits for it or fails by it.
    async fn enclosed(&self, name: &SnapshotName) -> Option<Enclosed>;
}

/// A file that is enclosed. `Debug` shows nothing of what it holds, which is wiped when it is
/// dropped: the state of a cluster has all its private keys.
pub struct Enclosed {
    /// The name of its entry: an absolute path, of 1 KiB at most.
    pub path: String,
    /// What it holds, [`MOST_ENCLOSED`] bytes at most. What exceeds a bound is left out.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The permissions it gets where it is unpacked, such as `0o400`.
    pub mode: u32,
}

impl Enclosed {
    /// Whether a zip has room for it.
    pub(crate) fn fits(&self) -> bool {
        self.bytes.len() <= MOST_ENCLOSED && self.path.len() <= MOST_PATH
    }
}

impl fmt::Debug for Enclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enclosed")
            .field("path", &self.path)
            .field("mode", &format_args!("{:o}", self.mode))
            .finish_non_exhaustive()
    }
}
