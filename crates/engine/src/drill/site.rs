//! The directory of one drill: private, and gone with it.
//!
//! ```text
//! SCRATCH/.rollsnap-drill-XXXXXX/    0700
//!   lock                             locked (flock) as long as its drill lives
//!   data/                            what was restored
//!   client:1  peer:1                 the server's sockets
//! ```
//! What a killed run left is known by its lock, which is then free. So is its server: it works in
//! that directory, and nobody else does.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollsnap_store::StoreError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

use super::DrillError;
use crate::image::ImageError;

const PREFIX: &str = ".rollsnap-drill-";
const LOCK: &str = "lock";

/// How long a killed server may take to go.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// How often a directory is made anew that another process swept before it was locked.
const TRIES: usize = 5;

/// The directory of one drill, until this is dropped.
#[derive(Debug)]
pub(super) struct Site {
    dir: TempDir,
    /// The same, open: by it the sockets are reached however long the path is.
    handle: File,
    _lock: File,
}

impl Site {
    /// Makes one.
    pub(super) fn take(scratch: &Path) -> Result<Self, DrillError> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::make(scratch) {
                Ok(site) => return Ok(site),
                Err(error) if error.kind() == io::ErrorKind::NotFound && scratch.is_dir() => {
                    last = Some(error);
                }
                Err(error) => return Err(fault(scratch, error)),
            }
        }
        Err(fault(
            scratch,
            last.unwrap_or_else(|| io::ErrorKind::NotFound.into()),
        ))
    }

    fn make(scratch: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(scratch.canonicalize()?)?;
        let lock = File::create_new(dir.path().join(LOCK))?;
        // Whoever sweeps may be faster, and takes it away.
        lock.try_lock().map_err(|_| io::ErrorKind::NotFound)?;
        Ok(Self {
            handle: File::open(dir.path())?,
            dir,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What is restored.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A file in it by a path that is always short.
    pub(super) fn short(&self, name: &str) -> String {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.handle);
        format!("/proc/self/fd/{fd}/{name}")
    }
}

/// Removes what killed drills left in a scratch directory, and ends their servers. Returns the names
/// of what is gone. A directory that is absent has none.
pub fn sweep(scratch: &Path) -> Result<Vec<String>, DrillError> {
    let entries = match fs::read_dir(scratch) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| fault(scratch, error))?,
    };
    let mut swept = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| fault(scratch, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_dir || !name.starts_with(PREFIX) {
            continue;
        }
        if take_away(&entry.path()).map_err(|error| fault(&entry.path(), error))? {
            swept.push(name);
        }
    }
    swept.sort();
    Ok(swept)
}

/// Removes one unless its drill lives. Returns whether it was.
fn take_away(dir: &Path) -> io::Result<bool> {
    let lock = match File::open(dir.join(LOCK)) {
        // Nothing but an empty directory comes before its lock. Other users' are theirs.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(fs::remove_dir(dir).is_ok());
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        lock => lock?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    end_servers(&dir.canonicalize()?)?;
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(true),
    }
}

/// Kills whoever works in a directory, and waits until it is gone.
fn end_servers(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            continue;
        };
        // Of other users' processes nobody is told where they work.
        let works_here = || fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == dir);
        if !works_here() {
            continue;
        }
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        // The number may have been given to another meanwhile.
        if works_here() && pidfd_send_signal(&process, Signal::KILL).is_ok() {
            let mut ended = [PollFd::new(&process, PollFlags::IN)];
            let limit = Timespec::try_from(LAST_BREATH).ok();
            poll(&mut ended, limit.as_ref())?;
        }
    }
    Ok(())
}

fn fault(dir: &Path, cause: io::Error) -> DrillError {
    let error = StoreError::io("drill in", dir.display(), cause);
    DrillError::Scratch(ImageError::Scratch(error))
}
