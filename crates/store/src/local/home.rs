//! `.rollsnap/`: what belongs to the store itself.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::folder::{Folder, gone};
use crate::{ErrorKind, StoreError};

/// The private directory inside a store's directory, and its rooms.
#[derive(Debug, Clone)]
pub(super) struct Home {
    path: PathBuf,
    pub(super) spool: Folder,
    pub(super) pending: Folder,
    pub(super) quarantine: Folder,
}

impl Home {
    /// The home inside `root`, whether or not it is there.
    pub(super) fn inside(root: &Path) -> Self {
        let path = root.join(".rollsnap");
        Self {
            spool: Folder::new(path.join("spool")),
            pending: Folder::new(path.join("pending")),
            quarantine: Folder::new(path.join("quarantine")),
            path,
        }
    }

    /// Where the daemon's lock is.
    pub(super) fn daemon_lock(&self) -> PathBuf {
        self.path.join("daemon.lock")
    }

    /// Makes what is missing. Called before every write, so that a directory that was emptied
    /// or mounted anew needs no restart.
    pub(super) fn ready(&self) -> Result<(), StoreError> {
        Self::make(&[&self.path, self.spool.path(), self.pending.path()])
    }

    /// As [`ready`](Self::ready), with the room that hardly anybody ever needs.
    pub(super) fn ready_for_quarantine(&self) -> Result<(), StoreError> {
        Self::make(&[&self.path, self.quarantine.path()])
    }

    fn make(paths: &[&Path]) -> Result<(), StoreError> {
        for path in paths {
            match DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => {}
                // Not every file system says first that it is there: one that is full or read-only
                // may say that instead.
                Err(_) if path.symlink_metadata().is_ok() => real(path)?,
                Err(error) => {
                    return Err(match path.parent() {
                        Some(dir) if error.kind() == io::ErrorKind::NotFound => gone("write", dir),
                        _ => StoreError::io("create", path.display(), error),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Refuses a planted symlink: through it the private files would land elsewhere.
fn real(path: &Path) -> Result<(), StoreError> {
    let meta = fs::symlink_metadata(path)
        .map_err(|error| StoreError::io("open", path.display(), error))?;
    if meta.is_dir() {
        return Ok(());
    }
    Err(
        StoreError::at(ErrorKind::Config, "open", path.display(), "is no directory")
            .with_hint("this name is reserved for the store's own files: move away what is there"),
    )
}
