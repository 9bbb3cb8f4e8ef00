//! The small steps on a disk, each told with its path where it fails.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::RestoreError;

/// The path without links where it leads somewhere: what is exchanged is the directory and not a
/// link to it.
pub(super) fn whole(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        whole => return whole,
    }
    let path = std::path::absolute(path)?;
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => Ok(parent.join(name)),
        _ => Ok(path),
    }
}

/// `/var/lib/etcd` and a suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

/// That name, or where it or the like is taken, it with a number behind that is beyond every other: what
/// came later in one second is told by that.
pub(super) fn free_name(name: &Path) -> Result<PathBuf, RestoreError> {
    let (Some(parent), Some(own)) = (name.parent(), name.file_name()) else {
        return Ok(name.to_owned());
    };
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name.to_owned()),
        entries => entries.map_err(|error| fault("list", parent, error))?,
    };
    let own = own.to_string_lossy();
    let mut last = 0_u32;
    for entry in entries {
        let entry = entry.map_err(|error| fault("list", parent, error))?;
        let there = entry.file_name();
        let number = match there.to_string_lossy().strip_prefix(&*own) {
            Some("") => Some(1),
            Some(behind) => behind.strip_prefix('-').and_then(|n| n.parse().ok()),
            None => None,
        };
        last = last.max(number.unwrap_or(0));
    }
    Ok(match last.checked_add(1) {
        Some(1) => name.to_owned(),
        next => beside(name, &format!("-{}", next.unwrap_or(last))),
    })
}

/// Of what is there by that name, be it a link; `None` where nothing is.
pub(super) fn inode(path: &Path) -> Result<Option<u64>, RestoreError> {
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

pub(super) fn remove(path: &Path) -> Result<(), RestoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault("remove", path, error)),
        _ => Ok(()),
    }
}

pub(super) fn remove_empty(path: &Path) -> Result<(), RestoreError> {
    fs::remove_dir(path).map_err(|error| fault("remove", path, error))
}

pub(super) fn remove_file(path: &Path) -> Result<(), RestoreError> {
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

pub(super) fn sync_parent(path: &Path) -> Result<(), RestoreError> {
    path.parent().map_or(Ok(()), sync_dir)
}
