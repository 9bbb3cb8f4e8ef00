//! A file on its way: private, locked while its writer lives, gone when dropped.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::folder::{Folder, Found};
use crate::{ErrorKind, StoreError, Terms};

/// What the names of parts end with.
pub(super) const SUFFIX: &str = ".part";

/// Tells the parts of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What to do when the final name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Refuse,
    Replace,
}

impl Taken {
    pub(super) fn by(terms: Terms) -> Self {
        if terms.replaces {
            Self::Replace
        } else {
            Self::Refuse
        }
    }
}

/// An unpublished file. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Part {
    /// Open for reading and writing. Holds the lock: it is held until the last clone is closed.
    file: Arc<File>,
    /// None once published.
    path: Option<PathBuf>,
}

impl Part {
    /// Makes a new file in `spool` for the object `name`, mode 0600, locked.
    pub(super) fn create(spool: &Folder, name: &str) -> Result<Self, StoreError> {
        loop {
            // Containers share a directory and may both be process 1, so the number alone does
            // not make the name unique: O_EXCL does, and the next number is tried.
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = spool.file(&format!("{name}.{}-{number}{SUFFIX}", std::process::id()));
            let flags =
                OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
                Ok(fd) => File::from(fd),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(StoreError::io("create", path.display(), error.into())),
            };
            match claim(&file) {
                Ok(true) => {
                    return Ok(Self {
                        file: Arc::new(file),
                        path: Some(path),
                    });
                }
                // A sweep of another process was quicker than the lock and takes it for an
                // orphan: let it.
                Ok(false) => {}
                Err(error) => {
                    let _ = fs::remove_file(&path);
                    return Err(StoreError::io("lock", path.display(), error));
                }
            }
        }
    }

    /// The open file.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Gives the file its final name and syncs the directory. Its bytes must be synced already.
    ///
    /// On an error before the rename the part is removed; after it, the object stands.
    pub(super) fn publish(
        mut self,
        into: &Folder,
        name: &str,
        taken: Taken,
    ) -> Result<Metadata, StoreError> {
        let goal = into.file(name);
        let fault = |error| StoreError::io("commit", goal.display(), error);
        let meta = self.file.metadata().map_err(fault)?;
        if let Some(path) = &self.path {
            match taken {
                Taken::Replace => {
                    if let Found::Foreign(what) = into.look("commit", name)? {
                        return Err(occupied("commit", &goal, what));
                    }
                    fs::rename(path, &goal).map_err(fault)?;
                }
                Taken::Refuse => rename_new(path, &goal).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => occupied("commit", &goal, "another object"),
                    _ => fault(error),
                })?,
            }
        }
        self.path = None;
        into.sync("commit")?;
        Ok(meta)
    }

    /// Removes the file and tells whether that worked.
    pub(super) fn remove(mut self) -> Result<(), StoreError> {
        match self.path.take() {
            Some(path) => fs::remove_file(&path)
                .map_err(|error| StoreError::io("abort", path.display(), error)),
            None => Ok(()),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Best effort: what stays behind is an orphan for the next sweep.
            let _ = fs::remove_file(path);
        }
    }
}

/// Locks a file just made. False when a sweep has it.
fn claim(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        // Swept between its creation and its lock: it has no name any more.
        Ok(()) => Ok(file.metadata()?.nlink() > 0),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The error of a name that something holds already.
pub(super) fn occupied(verb: &'static str, goal: &Path, what: &str) -> StoreError {
    StoreError::at(
        ErrorKind::AlreadyExists,
        verb,
        goal.display(),
        format!("the name is taken by {what}"),
    )
}

/// Renames to a name that must be free, in one step.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // renameat2(2): EINVAL where the file system does not know the flag, ENOSYS where the
        // kernel does not know the call.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, to),
        done => done.map_err(io::Error::from),
    }
}

/// The same in two steps. A crash between them leaves a second name that the sweep takes away.
fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_renaming_give_the_file_and_refuse_a_taken_name() {
        for rename in [rename_new, link_new] {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("from"), dir.path().join("to"));
            fs::write(&from, "new").unwrap();
            rename(&from, &to).unwrap();
            assert_eq!(fs::read(&to).unwrap(), b"new");
            assert!(!from.exists());

            fs::write(&from, "newer").unwrap();
            let error = rename(&from, &to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&to).unwrap(), b"new");
        }
    }
}
