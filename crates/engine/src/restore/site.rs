//! Where a new data directory is built, and how it takes the place of the old one.
//!
//! ```text
//! DIR                     the old one, in use until the exchange
//! DIR.restoring/          ours, under a lock
//!   state.json            how far it is, and which is which
//!   data/                 the new one; after the exchange the old one
//! DIR.before-TIME         the old one, kept
//! ```
//! Where DIR is a mount point nothing can take its place. Then all of that is inside it, and it is
//! `member` that is exchanged.
//!
//! One rename(2) with `RENAME_EXCHANGE` decides: before it everything is as it was, after it the new
//! one is in place. What a killed run left is told apart by the inode of the new directory, which
//! `state.json` holds from its first moment.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use rollsnap_snapfile::restore::FIRST_SEGMENT;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;

const STATE: &str = "state.json";
const DATA: &str = "data";
const LOCK: &str = "lock";

/// What is replaced, and where the work for that is done: all on one file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The data directory, or `member` in it where that is a mount point.
    path: PathBuf,
    /// The folder of ours.
    site: PathBuf,
    /// Whether it is `member` alone that is replaced.
    is_member: bool,
}

/// How far a run came, for the next one.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// The inode of the new directory.
    inode: u64,
    /// Where the log was put, if not into the data directory.
    wal_dir: Option<PathBuf>,
}

/// A folder that is ours until this is dropped. What was begun in it then goes.
#[derive(Debug)]
pub(super) struct Site {
    place: Place,
    _lock: File,
}

impl Place {
    /// Of a data directory, which may be absent.
    pub fn of(data_dir: &Path) -> Result<Self, RestoreError> {
        let data_dir = whole(data_dir).map_err(|error| fault("look at", data_dir, error))?;
        if is_mount_point(&data_dir)? {
            return Ok(Self {
                path: data_dir.join("member"),
                site: data_dir.join(".restoring"),
                is_member: true,
            });
        }
        let site = beside(&data_dir, ".restoring");
        Ok(Self {
            path: data_dir,
            site,
            is_member: false,
        })
    }

    /// What will be replaced.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder in which the work is done.
    pub(super) fn site(&self) -> &Path {
        &self.site
    }

    /// Where the old one will be kept.
    pub fn kept(&self, at: DateTime<Utc>) -> PathBuf {
        // Without colons: some tools take what is before one for a host.
        let time = at
            .to_rfc3339_opts(SecondsFormat::Secs, true)
            .replace(':', "-");
        beside(&self.path, &format!(".before-{time}"))
    }

    /// Those that are kept, the newest last.
    pub fn all_kept(&self) -> Result<Vec<PathBuf>, RestoreError> {
        let (Some(parent), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(Vec::new());
        };
        let mut start = name.to_os_string();
        start.push(".before-");
        let start = start.to_string_lossy().into_owned();
        let entries = match fs::read_dir(parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| fault("list", parent, error))?,
        };
        let mut kept = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| fault("list", parent, error))?;
            if entry.file_name().to_string_lossy().starts_with(&start) {
                kept.push(entry.path());
            }
        }
        kept.sort();
        Ok(kept)
    }
}

impl Site {
    /// Takes the folder, and ends what a killed run left: finishes it if its exchange happened,
    /// else takes it away. `kept` names what such a run replaced.
    pub(super) fn take(place: &Place, kept: &Path) -> Result<Self, RestoreError> {
        let site = &place.site;
        make_dir(site)?;
        let lock = site.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(|error| fault("open", &lock, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RestoreError::Busy(site.clone())),
            Err(TryLockError::Error(error)) => return Err(fault("lock", &lock, error)),
        }
        let taken = Self {
            place: place.clone(),
            _lock: file,
        };
        taken.recover(kept)?;
        Ok(taken)
    }

    /// What will take the place of the old one.
    pub(super) fn data(&self) -> PathBuf {
        self.place.site.join(DATA)
    }

    /// `member` in it, or itself where only that is replaced.
    pub(super) fn member(&self) -> PathBuf {
        if self.place.is_member {
            self.data()
        } else {
            self.data().join("member")
        }
    }

    fn state(&self) -> PathBuf {
        self.place.site.join(STATE)
    }

    fn recover(&self, kept: &Path) -> Result<Option<PathBuf>, RestoreError> {
        let state = self.state();
        let told = match fs::read(&state) {
            Ok(bytes) => serde_json::from_slice::<State>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fault("read", &state, error)),
        };
        let data = self.data();
        let mut old = None;
        match (told, inode(&data)?) {
            (Some(told), Some(inode)) if told.inode == inode => {
                remove(&data)?;
                // Nothing reads a log whose database is not there.
                if let Some(wal_dir) = told.wal_dir {
                    remove_file(&wal_dir.join(FIRST_SEGMENT))?;
                }
            }
            // It is the old one that lies here.
            (Some(_), Some(_)) => old = Some(keep(&data, kept)?),
            // Nothing but an empty directory comes before the state.
            (None, Some(_)) => remove_empty(&data)?,
            (_, None) => {}
        }
        remove_file(&state)?;
        Ok(old)
    }

    /// Begins the new one: an empty directory, of which the next run can tell that it is new.
    pub(super) fn begin(&self, wal_dir: Option<&Path>) -> Result<(), RestoreError> {
        make_dir(&self.data())?;
        let state = State {
            inode: inode(&self.data())?.unwrap_or_default(),
            wal_dir: wal_dir.map(Path::to_owned),
        };
        let bytes = serde_json::to_vec(&state);
        let bytes = bytes.map_err(|error| fault("write", &self.state(), error.into()))?;
        // A name that appears is whole: half a state would be none.
        let draft = self.place.site.join("state.draft");
        write_file(&draft, &bytes)?;
        fs::rename(&draft, self.state()).map_err(|e| fault("rename to", &self.state(), e))?;
        sync_dir(&self.place.site)
    }

    /// The new one takes the place of the old one, or of nothing.
    pub(super) fn exchange(&self) -> Result<(), RestoreError> {
        let (data, path) = (self.data(), self.place.path());
        // rename(2) replaces an empty directory, and refuses any other.
        match fs::rename(&data, path) {
            Ok(()) => {}
            Err(error) if is_taken(&error) => {
                renameat_with(CWD, &data, CWD, path, RenameFlags::EXCHANGE)
                    .map_err(|errno| exchange_fault(path, errno))?;
            }
            Err(error) => return Err(fault("rename to", path, error)),
        }
        sync_parent(path)?;
        sync_dir(&self.place.site)
    }

    /// Gives the folder back, with what was begun in it. Returns where the old one is, which an
    /// exchange brought here.
    pub(super) fn leave(self, kept: &Path) -> Result<Option<PathBuf>, RestoreError> {
        let kept = self.recover(kept)?;
        remove(&self.place.site)?;
        Ok(kept)
    }
}

/// Gives a directory the name under which it is kept, or the next that is free.
fn keep(dir: &Path, kept: &Path) -> Result<PathBuf, RestoreError> {
    let names = (2..).map(|n: u32| beside(kept, &format!("-{n}")));
    for name in std::iter::once(kept.to_owned()).chain(names) {
        if inode(&name)?.is_none() {
            fs::rename(dir, &name).map_err(|error| fault("rename to", &name, error))?;
            sync_parent(&name)?;
            return Ok(name);
        }
    }
    Ok(kept.to_owned())
}

/// Puts what was kept in its place again, and keeps what is there now as `kept`, if anything is.
pub(super) fn swap_back(
    place: &Place,
    newest: &Path,
    kept: &Path,
) -> Result<Option<PathBuf>, RestoreError> {
    let path = place.path();
    match fs::rename(newest, path) {
        Ok(()) => return sync_parent(path).map(|()| None),
        Err(error) if is_taken(&error) => {}
        Err(error) => return Err(fault("rename to", path, error)),
    }
    renameat_with(CWD, newest, CWD, path, RenameFlags::EXCHANGE)
        .map_err(|errno| exchange_fault(path, errno))?;
    keep(newest, kept).map(Some)
}

fn sync_parent(path: &Path) -> Result<(), RestoreError> {
    path.parent().map_or(Ok(()), sync_dir)
}

fn exchange_fault(path: &Path, errno: Errno) -> RestoreError {
    if matches!(errno, Errno::INVAL | Errno::NOSYS) {
        return RestoreError::NoExchange(path.to_owned());
    }
    fault("exchange", path, errno.into())
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
    )
}

/// The path without links where it leads somewhere: what is exchanged is the directory and not a
/// link to it.
fn whole(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path),
        whole => whole,
    }
}

/// `/var/lib/etcd` and a suffix.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

/// Whether another file system begins there.
fn is_mount_point(path: &Path) -> Result<bool, RestoreError> {
    let Some(parent) = path.parent() else {
        return Ok(true);
    };
    match (fs::metadata(path), fs::metadata(parent)) {
        (Ok(here), Ok(above)) => Ok(here.dev() != above.dev()),
        (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        (Err(error), _) | (_, Err(error)) => Err(fault("look at", path, error)),
    }
}

fn inode(path: &Path) -> Result<Option<u64>, RestoreError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault("look at", path, error)),
    }
}

pub(super) fn make_dir(path: &Path) -> Result<(), RestoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| fault("create", path, error))
}

/// Writes a small file, synced.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), RestoreError> {
    let write = || {
        let mut file = new_file(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| fault("write", path, error))
}

pub(super) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

pub(super) fn sync_dir(path: &Path) -> Result<(), RestoreError> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(|error| fault("sync", path, error))
}

fn remove(path: &Path) -> Result<(), RestoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault("remove", path, error)),
        _ => Ok(()),
    }
}

fn remove_empty(path: &Path) -> Result<(), RestoreError> {
    fs::remove_dir(path).map_err(|error| fault("remove", path, error))
}

fn remove_file(path: &Path) -> Result<(), RestoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault("remove", path, error)),
        _ => Ok(()),
    }
}

pub(super) fn fault(verb: &'static str, path: &Path, cause: io::Error) -> RestoreError {
    RestoreError::Disk {
        verb,
        path: path.to_owned(),
        cause,
    }
}
