//! The directory itself: opening it, and what the doors of a store ask of it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rustix::fs::{Access, AtFlags, CWD};

use super::folder::{Folder, Found};
use super::home::Home;
use super::part::{self, Part, Taken};
use super::spool::LocalSpool;
use super::{PrivateFiles, Quarantine, off_worker, probe, space};
use crate::{
    BoxRead, Effort, ErrorKind, Location, ObjectInfo, ObjectName, Outcome, Probe, ReadBack, Spool,
    SpoolStore, Store, StoreError, Terms, Upload,
};

/// Bytes read at once: what one reader holds.
const PIECE: u64 = 512 << 10;

/// Room asked for beside a spooled object: for the small private file that is put before the
/// object gets its name, rounded up to the blocks of any file system.
const BESIDE: u64 = 64 << 10;

/// Room asked for an object of which nobody knows how large it will be.
const LEAST: u64 = 4 << 10;

/// A directory as a store. Cheap to clone.
///
/// Files are made with mode 0600. [`begin`](Store::begin) replaces a file of the same name when
/// it commits, in one step; so does [`spool`](SpoolStore::spool) where it is told to.
#[derive(Debug, Clone)]
pub struct LocalDir {
    location: Location,
    root: Folder,
    home: Home,
}

impl LocalDir {
    /// Opens a directory for writing, made with mode 0700 when only it is missing.
    ///
    /// A symlink to a directory is followed here and nowhere else. The mode of a directory that
    /// is there already is its operator's business and stays. Blocks for a few system calls.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = Self::at(path.as_ref())?;
        let root = dir.root.path();
        match fs::symlink_metadata(root) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(root)?,
            Err(error) => return Err(unusable(root, error)),
        }
        check(root)?;
        rustix::fs::accessat(
            CWD,
            root,
            Access::WRITE_OK | Access::EXEC_OK,
            AtFlags::EACCESS,
        )
        .map_err(|error| unusable(root, error.into()))?;
        dir.home.ready()?;
        Ok(dir)
    }

    /// Opens a directory that must be there already, for reading: makes and checks nothing else.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = Self::at(path.as_ref())?;
        check(dir.root.path())?;
        Ok(dir)
    }

    fn at(path: &Path) -> Result<Self, StoreError> {
        // Made absolute so that messages name the place wherever they are read; rebuilt from its
        // components so that `dir/` and `dir` are one location.
        let root: PathBuf = std::path::absolute(path)
            .map_err(|error| unusable(path, error))?
            .components()
            .collect();
        Ok(Self {
            location: Location::new(root.display().to_string()),
            home: Home::inside(&root),
            root: Folder::new(root),
        })
    }

    /// The bytes that are free where it lies; none where its file system does not tell. Blocks for
    /// a system call.
    pub fn free(&self) -> Result<Option<u64>, StoreError> {
        space::free(self.root.path())
    }

    /// Small private files beside the objects.
    pub fn private(&self) -> PrivateFiles {
        PrivateFiles::new(self.home.clone(), self.root.clone())
    }

    /// Where objects of this directory are moved to that are not what they should be.
    pub fn quarantine(&self) -> Quarantine {
        let room = self.home.quarantine.clone();
        let dir = Self {
            location: Location::new(room.path().display().to_string()),
            root: room,
            home: self.home.clone(),
        };
        Quarantine::new(dir, self.root.clone())
    }

    pub(super) fn root(&self) -> &Folder {
        &self.root
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    async fn write(
        &self,
        name: &ObjectName,
        taken: Taken,
        needed: Option<u64>,
    ) -> Result<LocalSpool, StoreError> {
        let (home, root, name) = (self.home.clone(), self.root.clone(), name.clone());
        off_worker("create", move || {
            let object = root.file(name.as_str());
            home.ready()?;
            match root.look("create", name.as_str())? {
                Found::Nothing => {}
                Found::File(_) if taken == Taken::Replace => {}
                Found::File(_) => return Err(part::occupied("create", &object, "another object")),
                Found::Foreign(what) => return Err(part::occupied("create", &object, what)),
            }
            if let Some(needed) = needed {
                let needed = needed.saturating_add(BESIDE);
                space::check(home.spool.path(), &object, needed)?;
            }
            let part = Part::create(&home.spool, name.as_str())?;
            Ok(LocalSpool::new(part, root, name, taken))
        })
        .await
    }
}

#[async_trait]
impl Store for LocalDir {
    fn location(&self) -> &Location {
        &self.location
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        let taken = Taken::by(terms);
        // What replaces is small.
        let needed = (taken == Taken::Refuse).then_some(LEAST);
        Ok(Box::new(self.write(name, taken, needed).await?))
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        let (root, name) = (self.root.clone(), name.clone());
        off_worker("read", move || {
            let (file, meta) = root.open(name.as_str())?;
            let object = root.file(name.as_str());
            let size = meta.len();
            let range = range.unwrap_or(0..size);
            if range.start > range.end || range.end > size {
                let message = format!(
                    "bytes {} to {} are not inside its {size}",
                    range.start, range.end
                );
                let object = object.display();
                return Err(StoreError::at(ErrorKind::Config, "read", object, message));
            }
            Ok(pieces(file, object, range))
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        off_worker("list", move || {
            let mut objects: Vec<_> = root
                .files(|name| name.starts_with(&prefix))?
                .into_iter()
                .filter_map(|(name, meta)| {
                    Some(ObjectInfo {
                        name: ObjectName::new(name).ok()?,
                        size: meta.len(),
                        modified: meta.modified().ok().map(DateTime::<Utc>::from),
                    })
                })
                .collect();
            objects.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(objects)
        })
        .await
    }

    async fn probe(&self, effort: Effort) -> Vec<Probe> {
        let dir = self.clone();
        let probes = off_worker("probe", move || Ok(probe::run(&dir, effort)));
        probes.await.unwrap_or_else(|error| {
            vec![Probe {
                what: "directory",
                outcome: Outcome::Failed(error),
            }]
        })
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        let (root, name) = (self.root.clone(), name.clone());
        off_worker("delete", move || root.remove(name.as_str())).await
    }
}

#[async_trait]
impl SpoolStore for LocalDir {
    async fn spool(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Spool>, StoreError> {
        let needed = Some(terms.at_most.unwrap_or(LEAST));
        Ok(Box::new(self.write(name, Taken::by(terms), needed).await?))
    }

    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ReadBack>, StoreError> {
        let (root, name) = (self.root.clone(), name.clone());
        off_worker("read", move || {
            let (file, _) = root.open(name.as_str())?;
            Ok(Box::new(Opened(file)) as _)
        })
        .await
    }
}

/// An object that was there when it was opened.
struct Opened(File);

impl ReadBack for Opened {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }
}

/// The bytes of `range`, a piece at a time. A file that became shorter is an error.
fn pieces(file: File, object: PathBuf, range: Range<u64>) -> BoxRead {
    let shared = Arc::new((file, object));
    stream::try_unfold(range, move |left| {
        let shared = Arc::clone(&shared);
        async move {
            if left.is_empty() {
                return Ok(None);
            }
            let end = left.end.min(left.start + PIECE);
            let bytes = off_worker("read", move || {
                let (file, object) = &*shared;
                let size = usize::try_from(end - left.start).unwrap_or(usize::MAX);
                let mut bytes = vec![0; size];
                file.read_exact_at(&mut bytes, left.start)
                    .map_err(|error| StoreError::io("read", object.display(), error))?;
                Ok(Bytes::from(bytes))
            })
            .await?;
            Ok(Some((bytes, end..left.end)))
        }
    })
    .into_stream()
    .boxed()
}

/// Makes the directory, and its name in the parent durable.
fn create(root: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(root) {
        Ok(()) => match root.parent() {
            Some(parent) => Folder::new(parent).sync("create"),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable(root, error)),
    }
}

fn check(root: &Path) -> Result<(), StoreError> {
    match fs::metadata(root) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(unusable(root, io::ErrorKind::NotADirectory.into())),
        Err(error) => Err(unusable(root, error)),
    }
}

/// Says what is wrong with a directory that cannot be used, and what to do about it.
fn unusable(root: &Path, error: io::Error) -> StoreError {
    let (kind, message, hint) = match error.kind() {
        io::ErrorKind::NotFound => (
            ErrorKind::Config,
            "no such directory",
            "make it, or mount it, before the program starts",
        ),
        io::ErrorKind::NotADirectory => (
            ErrorKind::Config,
            "is no directory",
            "give a directory: this path is, or leads through, something else",
        ),
        io::ErrorKind::ReadOnlyFilesystem => (
            ErrorKind::Denied,
            "read-only file system",
            "mount the file system for writing, or use another directory",
        ),
        io::ErrorKind::PermissionDenied => (
            ErrorKind::Denied,
            "permission denied",
            "let the user that runs this program write to the directory",
        ),
        _ => return StoreError::io("open", root.display(), error),
    };
    // The message is the cause in other words: printed as a chain, it would be said twice.
    StoreError::at(kind, "open", root.display(), message).with_hint(hint)
}
