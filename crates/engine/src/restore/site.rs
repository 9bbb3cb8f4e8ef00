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

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::disk::{
    beside, fault, free_name, inode, make_dir, remove, remove_empty, remove_file, sync_dir,
    sync_parent, whole, write_file,
};
use super::error::RestoreError;
use super::mounts::is_mount_point;

const STATE: &str = "state.json";
/// The same before it is whole.
const DRAFT: &str = "state.draft";
const DATA: &str = "data";
const LOCK: &str = "lock";
/// How the time stands in the names of what is kept: without colons, for some tools take what is
/// before one for a host.
pub(super) const TIME: &str = "%Y-%m-%dT%H-%M-%SZ";

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
    /// The inode of the directory that is to come into place.
    inode: u64,
    /// Where it lay, if it was there before: that of a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<PathBuf>,
    /// Where its log is, if that is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<PathBuf>,
}

/// A folder that is ours until this is dropped. What was begun in it then goes.
#[derive(Debug)]
pub(super) struct Site {
    place: Place,
    _lock: File,
    ended: Ended,
}

/// What came of a run that was killed.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// The directory that a rollback brought back.
    pub(super) back: Option<PathBuf>,
    /// Where the one is now that was in place before.
    pub(super) kept: Option<PathBuf>,
}

impl Place {
    /// Of a data directory, which may be absent.
    pub fn of(data_dir: &Path) -> Result<Self, RestoreError> {
        // A disk that is not mounted, mostly; what is made in place of the link would hide it.
        let is_link = fs::symlink_metadata(data_dir).is_ok_and(|meta| meta.is_symlink());
        if is_link && !data_dir.exists() {
            return Err(RestoreError::Dangling(data_dir.to_owned()));
        }
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

    /// The data directory.
    pub(super) fn data_dir(&self) -> &Path {
        match self.path.parent() {
            Some(mount) if self.is_member => mount,
            _ => &self.path,
        }
    }

    /// `member` in it.
    pub(super) fn member(&self) -> PathBuf {
        self.data_dir().join("member")
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
            match lock(site) {
                Ok(Some(file)) => break file,
                Ok(None) => {}
                Err(error) => {
                    // Empty where there was no room for the lock; else it stays.
                    let _ = fs::remove_dir(site);
                    return Err(error);
                }
            }
        };
        let mut taken = Self {
            place: place.clone(),
            _lock: file,
            ended: Ended::default(),
        };
        taken.ended = taken.recover(kept)?;
        Ok(taken)
    }

    /// As [`take`](Self::take), and gives the folder back at once. Returns what a killed run had
    /// done.
    pub(super) fn end_what_was_begun(place: &Place, kept: &Path) -> Result<Ended, RestoreError> {
        let mut site = Self::take(place, kept)?;
        let ended = std::mem::take(&mut site.ended);
        site.leave(kept)?;
        Ok(ended)
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
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

    fn recover(&self, kept: &Path) -> Result<Ended, RestoreError> {
        let state = self.state();
        let told = match fs::read(&state) {
            Ok(bytes) => serde_json::from_slice::<State>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fault("read", &state, error)),
        };
        let data = self.data();
        let mut ended = Ended::default();
        match (told, inode(&data)?) {
            (Some(told), Some(inode)) if told.inode == inode => give_up(&data, told)?,
            // It is the old one that lies here.
            (Some(told), Some(_)) => {
                ended.kept = Some(keep(&data, kept)?);
                ended.back = told.from;
            }
            // It came into a place where nothing was, or did not leave its own yet.
            (
                Some(State {
                    from: Some(from), ..
                }),
                None,
            ) if inode(&from)?.is_none() => {
                ended.back = Some(from);
            }
            // Nothing but an empty directory comes before the state.
            (None, Some(_)) => remove_empty(&data)?,
            (_, None) => {}
        }
        remove_file(&state)?;
        remove_file(&self.place.site.join(DRAFT))?;
        Ok(ended)
    }

    /// Begins the new one: an empty directory, of which the next run can tell that it is new. Its
    /// log will be at `log`, if not in it.
    pub(super) fn begin(&self, log: Option<&Path>) -> Result<(), RestoreError> {
        make_dir(&self.data())?;
        self.note(&State {
            inode: inode(&self.data())?.unwrap_or_default(),
            from: None,
            log: log.map(Path::to_owned),
        })
    }

    /// Takes one that was kept for the new one.
    pub(super) fn begin_with(&self, kept: &Path) -> Result<(), RestoreError> {
        self.note(&State {
            inode: inode(kept)?.unwrap_or_default(),
            from: Some(kept.to_owned()),
            log: None,
        })?;
        let data = self.data();
        fs::rename(kept, &data).map_err(|error| fault("rename to", &data, error))?;
        sync_parent(kept)?;
        sync_dir(&self.place.site)
    }

    fn note(&self, state: &State) -> Result<(), RestoreError> {
        let bytes = serde_json::to_vec(state);
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
        let ended = self.recover(kept)?;
        let site = &self.place.site;
        remove_file(&site.join(LOCK))?;
        remove_empty(site)?;
        Ok(ended.kept)
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

/// Ends what never came into place: what was built goes, what was kept goes back.
fn give_up(data: &Path, told: State) -> Result<(), RestoreError> {
    if let Some(from) = told.from {
        fs::rename(data, &from).map_err(|error| fault("rename to", &from, error))?;
        return sync_parent(&from);
    }
    if let Some(log) = &told.log {
        remove(log)?;
    }
    remove(data)
}

/// Gives a directory the name under which it is kept, or the next that is free.
fn keep(dir: &Path, kept: &Path) -> Result<PathBuf, RestoreError> {
    let name = free_name(kept)?;
    fs::rename(dir, &name).map_err(|error| fault("rename to", &name, error))?;
    sync_parent(&name)?;
    Ok(name)
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
