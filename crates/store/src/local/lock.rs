//! One daemon for one directory.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::LocalDir;
use crate::{ErrorKind, StoreError};

/// Bytes of the lock file that are read to name its owner.
const MAX_OWNER: u64 = 512;

/// Who holds a directory, for the message that the next one gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The machine or container.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// When it started, as text.
    pub since: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, pid, since } = self;
        write!(f, "process {pid} on {host} since {since}")
    }
}

/// The directory is this daemon's until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DaemonLock {
    file: File,
}

impl LocalDir {
    /// Takes the directory for one daemon. Blocks for a few system calls.
    ///
    /// While another has it: [`Denied`](ErrorKind::Denied), naming the other. The lock is the
    /// kernel's (`flock`), not the file's existence: a file that stays behind means nothing.
    pub fn lock_daemon(&self, owner: &Owner) -> Result<DaemonLock, StoreError> {
        self.home().ready()?;
        let path = self.home().daemon_lock();
        let fault = |error| StoreError::io("lock", path.display(), error);
        let file = open(&path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let other = read(&file).map_err(fault)?;
                return Err(StoreError::at(
                    ErrorKind::Denied,
                    "lock",
                    self.home().daemon_lock().display(),
                    format!("the directory belongs to {other}"),
                )
                .with_hint("stop the other daemon, or give this one a directory of its own"));
            }
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        match name(&file, owner).map_err(fault) {
            // The lock is what counts, and a daemon that cannot start frees no space.
            Err(error) if error.kind() == ErrorKind::Full => {}
            named => named?,
        }
        Ok(DaemonLock { file })
    }
}

impl Drop for DaemonLock {
    fn drop(&mut self) {
        // The lock goes with the file; its text would only mislead whoever looks inside.
        let _ = self.file.set_len(0);
    }
}

/// Who holds the directory of the lock file at `path`, as it named itself; nobody where there is
/// none. For a moment the lock is shared with whoever else looks: a daemon that would start in that
/// moment is refused.
pub(super) fn owner(path: &Path) -> Result<Option<String>, StoreError> {
    let fault = |error| StoreError::io("read", path.display(), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => read(&file).map(Some).map_err(fault),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

/// Opens the lock file, which is never deleted: two could else lock two files of one name.
fn open(path: &Path) -> io::Result<File> {
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("is no regular file"))
    }
}

/// Writes the owner's text, with one call so that it is there whole or not at all.
fn name(mut file: &File, owner: &Owner) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("{owner}\n").as_bytes())
}

/// What the owner wrote of itself, on one line and without control characters.
fn read(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_OWNER).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let line: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    Ok(match line.trim() {
        "" => String::from("another daemon that has not named itself yet"),
        line => line.to_owned(),
    })
}
