//! One directory and its regular files: the blocking calls underneath the store, each of which
//! follows no symlink and opens nothing but regular files.

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{ErrorKind, StoreError};

/// A directory. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: Arc<Path>,
}

/// What a name stands for, not followed.
pub(super) enum Found {
    Nothing,
    File(Metadata),
    /// Somebody else's: what it is, with its article.
    Foreign(&'static str),
}

impl Folder {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into().into(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the folder itself is there.
    pub(super) fn is_there(&self, verb: &'static str) -> Result<bool, StoreError> {
        self.path
            .try_exists()
            .map_err(|error| StoreError::io(verb, self.path.display(), error))
    }

    /// Looks at a name without opening or following it.
    pub(super) fn look(&self, verb: &'static str, name: &str) -> Result<Found, StoreError> {
        let path = self.file(name);
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => Ok(Found::File(meta)),
            Ok(meta) => Ok(Found::Foreign(describe(meta.file_type()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => {
                Ok(Found::Nothing)
            }
            // A directory that is gone is not a name that is absent.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(gone(verb, &self.path)),
            Err(error) => Err(StoreError::io(verb, path.display(), error)),
        }
    }

    /// Opens a regular file for reading.
    pub(super) fn open(&self, name: &str) -> Result<(File, Metadata), StoreError> {
        let path = self.file(name);
        let refuse = |message| StoreError::at(ErrorKind::NotFound, "read", path.display(), message);
        match self.look("read", name)? {
            Found::File(_) => {}
            Found::Nothing => return Err(refuse(String::from("no such object"))),
            Found::Foreign(what) => return Err(refuse(format!("is {what} and no object"))),
        }
        // Looking first spares whoever waits at the other end of a fifo; these flags keep the
        // answer true should the name be exchanged in between.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(io::Error::from)
            .map(File::from)
            .and_then(|file| file.metadata().map(|meta| (file, meta)));
        match opened {
            Ok((file, meta)) if meta.is_file() => Ok((file, meta)),
            Ok((_, meta)) => Err(refuse(format!(
                "is {} and no object",
                describe(meta.file_type())
            ))),
            Err(error) => Err(StoreError::io("read", path.display(), error)),
        }
    }

    /// Every regular file whose name is UTF-8 and that `want` accepts, in no order. All or error.
    pub(super) fn files(
        &self,
        want: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Metadata)>, StoreError> {
        let fault = |error| StoreError::io("list", self.path.display(), error);
        let mut files = Vec::new();
        let entries = fs::read_dir(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => gone("list", &self.path),
            _ => fault(error),
        })?;
        for entry in entries {
            let entry = entry.map_err(fault)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !want(&name) {
                continue;
            }
            // This is an lstat: a symlink is seen as a symlink.
            match entry.metadata() {
                Ok(meta) if meta.is_file() => files.push((name, meta)),
                Ok(_) => {}
                // Deleted since the directory was read: as if it had been before.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("list", entry.path().display(), error)),
            }
        }
        Ok(files)
    }

    /// Takes a regular file's name away for good. One that is absent is a success.
    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        match self.look("delete", name)? {
            Found::Nothing => return Ok(()),
            Found::Foreign(what) => {
                return Err(StoreError::at(
                    ErrorKind::Denied,
                    "delete",
                    path.display(),
                    format!("is {what} and no object: left alone"),
                ));
            }
            Found::File(_) => {}
        }
        match fs::remove_file(&path) {
            Ok(()) => self.sync("delete"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::io("delete", path.display(), error)),
        }
    }

    /// Makes the names durable: what was created, renamed or removed stays so after power loss.
    pub(super) fn sync(&self, verb: &'static str) -> Result<(), StoreError> {
        let fault = |error| StoreError::io(verb, self.path.display(), error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir =
            rustix::fs::open(&*self.path, flags, Mode::empty()).map_err(|e| fault(e.into()))?;
        match rustix::fs::fsync(&dir) {
            // fsync(2) errors: the file system has no way to sync a directory (some network
            // ones), and there is no more that anybody could do.
            Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(fault(error.into())),
        }
    }
}

/// The error of a directory that was there before.
pub(super) fn gone(verb: &'static str, dir: &Path) -> StoreError {
    StoreError::at(
        ErrorKind::Config,
        verb,
        dir.display(),
        "the directory is gone",
    )
    .with_hint("mount or make it again: the next try finds it")
}

/// What a thing that is no regular file is called.
fn describe(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "a symlink"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a fifo"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
