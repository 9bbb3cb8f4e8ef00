//! A directory as a store.
//!
//! Objects are regular files of the directory. What is not finished, and what belongs to the
//! store itself, lies in `.rollsnap/` inside it: the same file system, so that a rename
//! publishes a whole file at once, and a dot name, so that it is no object.
//!
//! ```text
//! 2026-05-01T12:00:00Z_etcd      an object: complete and synced, or not there
//! .rollsnap/                     0700
//!   spool/NAME.PID-N.part        growing; locked (flock) as long as its writer lives
//!   pending/NAME                 small private files, such as manifests not yet published
//!   quarantine/NAME              objects that were found not to be what they should be
//!   daemon.lock                  locked by the one daemon of this directory
//! ```
//!
//! Symlinks, fifos, sockets, devices and directories among the objects are somebody else's: they
//! are never listed, opened, replaced or deleted. A hard link is a regular file like any other;
//! since no file is ever written in place, and deleting takes a name away and no data that has
//! another one, the file behind it stays as it was.

mod dir;
mod folder;
mod home;
mod lock;
mod part;
mod pending;
mod probe;
mod quarantine;
mod space;
mod spool;
mod sweep;
mod tail;
mod write_back;

pub use dir::LocalDir;
pub use lock::{DaemonLock, Owner};
pub use pending::{Claim, PrivateFiles};
pub use quarantine::Quarantine;
pub use space::Space;
pub use sweep::Orphan;

use crate::{ErrorKind, StoreError};

/// Runs calls that may wait for the disk where they hold up no async worker.
///
/// Dropping the future does not stop `work`: it runs to its end, so `work` must be one step that
/// is right whether or not anybody hears of it.
async fn off_worker<T: Send + 'static>(
    verb: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(canceled) => Err(StoreError::at(
                ErrorKind::Unavailable,
                verb,
                "directory",
                "the program is shutting down",
            )
            .caused_by(canceled)),
        },
    }
}
