//! Removing what dead writers left.

use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::folder::{Folder, Found};
use super::part::SUFFIX;
use super::{LocalDir, off_worker};
use crate::{ErrorKind, StoreError};

/// One unfinished file that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its name in `.rollsnap/spool/`: that of the object it would have become, and its writer.
    pub name: String,
    /// The bytes it held.
    pub size: u64,
}

impl LocalDir {
    /// Removes the unfinished files whose writers are gone, sorted by name, and nothing else.
    ///
    /// A writer is gone when the lock of its file is free: the kernel frees it however a process
    /// ends. The writers of other processes, in other containers too, are left alone.
    pub async fn sweep(&self) -> Result<Vec<Orphan>, StoreError> {
        let spool = self.home().spool.clone();
        off_worker("sweep", move || sweep(&spool)).await
    }
}

fn sweep(spool: &Folder) -> Result<Vec<Orphan>, StoreError> {
    if !spool.is_there("sweep")? {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = spool
        .files(|name| name.ends_with(SUFFIX))?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    let mut orphans = Vec::new();
    for name in names {
        orphans.extend(take(spool, name)?);
    }
    Ok(orphans)
}

/// Removes one file while holding its lock, unless somebody else holds it.
fn take(spool: &Folder, name: String) -> Result<Option<Orphan>, StoreError> {
    let (file, meta) = match spool.open(&name) {
        Ok(opened) => opened,
        // Committed or aborted since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(StoreError::io("lock", spool.file(&name).display(), error));
        }
    }
    // Between opening and locking its writer may have published it, and another have taken the
    // name: what is removed must be what is locked.
    match spool.look("sweep", &name)? {
        Found::File(now) if (now.dev(), now.ino()) == (meta.dev(), meta.ino()) => {}
        _ => return Ok(None),
    }
    match std::fs::remove_file(spool.file(&name)) {
        Ok(()) => Ok(Some(Orphan {
            name,
            size: meta.len(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("sweep", spool.file(&name).display(), error)),
    }
}
