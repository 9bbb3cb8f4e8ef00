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

use chrono::{DateTime, NaiveDateTime, Utc};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;

const STATE: &str = "state.json";
/// The same before it is whole.
const DRAFT: &str = "state.draft";
const DATA: &str = "data";
const LOCK: &str = "lock";
/// How the time stands in the names of what is kept: without colons, for some tools take what is
/// before one for a host.
const TIME: &str = "%Y-%m-%dT%H-%M-%SZ";

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

    /// Whose owner and label the new one gets: the old one's, or those of the mount point.
    pub(super) fn model(&self) -> &Path {
        match self.path.parent() {
            Some(mount) if self.is_member && !self.path.exists() => mount,
            _ => &self.path,
        }
    }

    /// The folder in which the work is done.
    pub(super) fn site(&self) -> &Path {
        &self.site
    }

    /// Where the old one will be kept.
    pub fn kept(&self, at: DateTime<Utc>) -> PathBuf {
        beside(&self.path, &format!(".before-{}", at.format(TIME)))
    }

    /// Those that restores kept, the newest last. What else is called so is nobody's business here.
    pub fn all_kept(&self) -> Result<Vec<PathBuf>, RestoreError> {
        let (Some(parent), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(Vec::new());
        };
        let start = format!("{}.before-", name.to_string_lossy());
        let entries = match fs::read_dir(parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| fault("list", parent, error))?,
        };
        let mut kept = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| fault("list", parent, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(moment) = name.strip_prefix(&start).and_then(moment)
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
            {
                kept.push((moment, entry.path()));
            }
        }
        kept.sort();
        Ok(kept.into_iter().map(|(_, path)| path).collect())
    }
}

/// The time in the name of what is kept, and its number where a second has several.
fn moment(text: &str) -> Option<(NaiveDateTime, u32)> {
    let (time, number) = text.split_at_checked("2026-05-01T12-00-00Z".len())?;
    let number = match number.strip_prefix('-') {
        None if number.is_empty() => 1,
        None => return None,
        Some(number) => number.parse().ok()?,
    };
    Some((NaiveDateTime::parse_from_str(time, TIME).ok()?, number))
}

impl Site {
    /// Takes the folder, and ends what a killed run left: finishes it if its exchange happened,
    /// else takes it away. `kept` names what such a run replaced.
    pub(super) fn take(place: &Place, kept: &Path) -> Result<Self, RestoreError> {
        let site = &place.site;
        let file = loop {
            make_dir(site)?;
            check_ours(site)?;
            if let Some(file) = lock(site)? {
                break file;
            }
        };
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
            (Some(told), Some(inode)) if told.inode == inode => remove(&data)?,
            // It is the old one that lies here.
            (Some(_), Some(_)) => old = Some(keep(&data, kept)?),
            // Nothing but an empty directory comes before the state.
            (None, Some(_)) => remove_empty(&data)?,
            (_, None) => {}
        }
        remove_file(&state)?;
        remove_file(&self.place.site.join(DRAFT))?;
        Ok(old)
    }

    /// Begins the new one: an empty directory, of which the next run can tell that it is new.
    pub(super) fn begin(&self) -> Result<(), RestoreError> {
        make_dir(&self.data())?;
        let state = State {
            inode: inode(&self.data())?.unwrap_or_default(),
        };
        let bytes = serde_json::to_vec(&state);
        let bytes = bytes.map_err(|error| fault("write", &self.state(), error.into()))?;
        // A name that appears is whole: half a state would be none.
        let draft = self.place.site.join(DRAFT);
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
                    .map_err(|errno| exchange_fault(path, &errno.into()))?;
            }
            Err(error) => return Err(exchange_fault(path, &error)),
        }
        let synced = sync_parent(path).and_then(|()| sync_dir(&self.place.site));
        synced.map_err(RestoreError::unfinished)
    }

    /// Gives the folder back, with what was begun in it. Returns where the old one is, which an
    /// exchange brought here.
    pub(super) fn leave(self, kept: &Path) -> Result<Option<PathBuf>, RestoreError> {
        let kept = self.recover(kept)?;
        let site = &self.place.site;
        remove_file(&site.join(LOCK))?;
        remove_empty(site)?;
        Ok(kept)
    }
}

/// Refuses a folder that has something else in it: it is not ours, and nothing in it may go.
fn check_ours(site: &Path) -> Result<(), RestoreError> {
    let entries = fs::read_dir(site).map_err(|error| fault("list", site, error))?;
    for entry in entries {
        let name = entry
            .map_err(|error| fault("list", site, error))?
            .file_name();
        if ![LOCK, STATE, DRAFT, DATA].iter().any(|ours| name == *ours) {
            return Err(RestoreError::Foreign {
                path: site.to_owned(),
                example: name.to_string_lossy().into_owned(),
            });
        }
    }
    // Data without a lock was never ours: the lock is there before, and goes after it.
    let has_data = inode(&site.join(DATA))?.is_some();
    if has_data && inode(&site.join(LOCK))?.is_none() {
        return Err(RestoreError::Foreign {
            path: site.to_owned(),
            example: DATA.to_owned(),
        });
    }
    Ok(())
}

/// Takes the lock; `None` where another run removed it with its folder meanwhile.
fn lock(site: &Path) -> Result<Option<File>, RestoreError> {
    let path = site.join(LOCK);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| fault("open", &path, error))?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(RestoreError::Busy(site.to_owned())),
        Err(TryLockError::Error(error)) => return Err(fault("lock", &path, error)),
    }
    let meta = file
        .metadata()
        .map_err(|error| fault("look at", &path, error))?;
    Ok((inode(&path)? == Some(meta.ino())).then_some(file))
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
        .map_err(|errno| exchange_fault(path, &errno.into()))?;
    keep(newest, kept).map(Some)
}

fn sync_parent(path: &Path) -> Result<(), RestoreError> {
    path.parent().map_or(Ok(()), sync_dir)
}

fn exchange_fault(path: &Path, error: &io::Error) -> RestoreError {
    match Errno::from_io_error(error) {
        Some(Errno::INVAL | Errno::NOSYS) => RestoreError::NoExchange(path.to_owned()),
        // Another directory of the same file system is mounted there.
        Some(Errno::BUSY) => RestoreError::Mounted(path.to_owned()),
        _ => fault("exchange", path, io::Error::from(error.kind())),
    }
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
    let make = || {
        // What is above may be others' too, as whoever asks for it would have it.
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    };
    make().map_err(|error| fault("create", path, error))
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
