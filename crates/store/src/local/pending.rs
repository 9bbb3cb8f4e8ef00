//! Small private files beside the objects, such as manifests that wait to be published.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};

use super::folder::{Folder, Found};
use super::home::Home;
use super::part::{Part, Taken, occupied};
use super::{off_worker, space};
use crate::{ErrorKind, ObjectName, StoreError};

/// Largest private file that is read back.
const MAX_SIZE: u64 = 1 << 20;

/// Files that only this program sees: whole and durable, or not there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PrivateFiles {
    home: Home,
    /// The directory of the objects.
    root: Folder,
}

/// The private files are somebody's alone while it lives.
#[derive(Debug)]
pub struct Claim {
    _folder: File,
}

impl PrivateFiles {
    pub(super) fn new(home: Home, root: Folder) -> Self {
        Self { home, root }
    }

    /// Writes a file, replacing one of the same name in one step. At most 1 MiB.
    pub async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StoreError> {
        let (home, name) = (self.home.clone(), name.clone());
        off_worker("write", move || {
            let path = home.pending.file(name.as_str());
            if bytes.len() as u64 > MAX_SIZE {
                return Err(oversized("write", &path, bytes.len() as u64));
            }
            home.ready()?;
            let part = Part::create(&home.spool, name.as_str())?;
            let mut file: &File = part.file();
            file.write_all(&bytes)
                .and_then(|()| file.sync_all())
                .map_err(|error| space::write_error(&path, error))?;
            part.publish(&home.pending, name.as_str(), Taken::Replace)?;
            Ok(())
        })
        .await
    }

    /// Reads a file, None when there is none.
    pub async fn get(&self, name: &ObjectName) -> Result<Option<Bytes>, StoreError> {
        let (pending, name) = (self.home.pending.clone(), name.clone());
        off_worker("read", move || {
            if !pending.is_there("read")? {
                return Ok(None);
            }
            if let Found::Nothing = pending.look("read", name.as_str())? {
                return Ok(None);
            }
            let path = pending.file(name.as_str());
            let (file, meta) = pending.open(name.as_str())?;
            if meta.len() > MAX_SIZE {
                return Err(oversized("read", &path, meta.len()));
            }
            let mut bytes = Vec::new();
            file.take(MAX_SIZE)
                .read_to_end(&mut bytes)
                .map_err(|error| StoreError::io("read", path.display(), error))?;
            Ok(Some(bytes.into()))
        })
        .await
    }

    /// The names of all files, sorted.
    pub async fn list(&self) -> Result<Vec<ObjectName>, StoreError> {
        let pending = self.home.pending.clone();
        off_worker("list", move || {
            if !pending.is_there("list")? {
                return Ok(Vec::new());
            }
            let mut names: Vec<_> = pending
                .files(|_| true)?
                .into_iter()
                .filter_map(|(name, _)| ObjectName::new(name).ok())
                .collect();
            names.sort();
            Ok(names)
        })
        .await
    }

    /// Takes these files for one process, or one part of it, until the answer is dropped or the
    /// process ends, however it ends. `None` while another has them. The lock is the kernel's
    /// (`flock`) and needs no room; where the file system knows none there is none.
    pub async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        let home = self.home.clone();
        off_worker("lock", move || {
            home.ready()?;
            let path = home.pending.path();
            let fault = |error| StoreError::io("lock", path.display(), error);
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::open(path, flags, Mode::empty());
            let folder = File::from(folder.map_err(|error| fault(error.into()))?);
            match folder.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                // flock(2) on network file systems: EBADF where a lock asks for a file that is
                // open for writing, which no directory can be; ENOLCK and EOPNOTSUPP.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            Ok(Some(Claim { _folder: folder }))
        })
        .await
    }

    /// Moves a file among the objects, replacing an object of the same name in one step, and
    /// makes that durable. Its bytes are where they were, so a full disk does not hinder it.
    ///
    /// [`NotFound`](ErrorKind::NotFound) when there is no such private file. Once begun it runs
    /// to its end, even when the future is dropped.
    pub async fn publish(&self, name: &ObjectName) -> Result<(), StoreError> {
        let (pending, root, name) = (self.home.pending.clone(), self.root.clone(), name.clone());
        off_worker("publish", move || {
            let goal = root.file(name.as_str());
            if let Found::Foreign(what) = root.look("publish", name.as_str())? {
                return Err(occupied("publish", &goal, what));
            }
            let draft = pending.file(name.as_str());
            fs::rename(&draft, &goal).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => StoreError::at(
                    ErrorKind::NotFound,
                    "publish",
                    draft.display(),
                    "no such private file",
                ),
                _ => StoreError::io("publish", goal.display(), error),
            })?;
            // The new name first: a crash in between may leave both, never neither.
            root.sync("publish")?;
            pending.sync("publish")
        })
        .await
    }

    /// Removes a file. One that is absent already is a success.
    pub async fn remove(&self, name: &ObjectName) -> Result<(), StoreError> {
        let (pending, name) = (self.home.pending.clone(), name.clone());
        off_worker("delete", move || {
            if !pending.is_there("delete")? {
                return Ok(());
            }
            pending.remove(name.as_str())
        })
        .await
    }
}

fn oversized(verb: &'static str, path: &Path, size: u64) -> StoreError {
    StoreError::at(
        ErrorKind::Corrupt,
        verb,
        path.display(),
        format!("has {size} bytes: at most {MAX_SIZE} are allowed"),
    )
}
