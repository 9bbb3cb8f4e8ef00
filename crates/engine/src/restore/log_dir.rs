//! A log in a directory of its own, as etcd's `--wal-dir` has it.
//!
//! Two directories cannot be exchanged in one step. So the log's place becomes a link that goes
//! through the data directory, and what is exchanged there decides for both:
//!
//! ```text
//! WAL                     -> DIR/member/wal, for ever from the first restore on
//! DIR/member/wal          -> WAL.log-TIME in the new directory, -> WAL.before-TIME in the old one
//! WAL.log-TIME/           the new log
//! WAL.before-TIME/        the old one, where it was the directory WAL itself
//! ```
//! The link is made before the exchange, and whoever follows it then finds the old log.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::disk::{beside, fault, free_name, inode, remove_file, sync_parent, whole};
use super::error::RestoreError;
use super::mounts::is_mount_point;
use super::site::{Place, TIME};

/// Where the log is and will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// What etcd is told: a directory, nothing yet, or our link.
    path: PathBuf,
    /// The way to it through the data directory.
    via: PathBuf,
}

impl LogPlace {
    /// Of the directory that etcd is told, for the data directory of `place`.
    pub fn of(wal_dir: &Path, place: &Place) -> Result<Self, RestoreError> {
        let via = place.member().join("wal");
        let look_at = |error| fault("look at", wal_dir, error);
        let named = std::path::absolute(wal_dir).map_err(look_at)?;
        let own = match (named.parent(), named.file_name()) {
            (Some(parent), Some(name)) => whole(parent).map_err(look_at)?.join(name),
            _ => named,
        };
        let is_ours = fs::read_link(&own).is_ok_and(|to| to == via);
        let path = if is_ours {
            own
        } else {
            whole(&own).map_err(look_at)?
        };
        let data_dir = place.data_dir();
        if path.starts_with(data_dir) || data_dir.starts_with(&path) {
            return Err(RestoreError::Nested(path));
        }
        Ok(Self { path, via })
    }

    /// What etcd is told.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is our link already.
    pub fn is_link(&self) -> bool {
        fs::read_link(&self.path).is_ok_and(|to| to == self.via)
    }

    /// A name for the new log.
    pub(super) fn fresh(&self, at: DateTime<Utc>) -> Result<PathBuf, RestoreError> {
        free_name(&beside(&self.path, &format!(".log-{}", at.format(TIME))))
    }

    /// Refuses what holds something else than a log, what nothing can take the place of, and two
    /// logs of which nobody knows which one is in use.
    pub(super) fn check(&self) -> Result<(), RestoreError> {
        if self.is_link() {
            return Ok(());
        }
        if is_mount_point(&self.path)? {
            return Err(RestoreError::Mounted(self.path.clone()));
        }
        let names = names_in(&self.path)?;
        if let Some(example) = names.iter().find(|name| !is_of_a_log(name)) {
            return Err(RestoreError::Foreign {
                path: self.path.clone(),
                example: example.clone(),
            });
        }
        let is_real = fs::symlink_metadata(&self.via).is_ok_and(|meta| meta.is_dir());
        if !names.is_empty() && is_real && !names_in(&self.via)?.is_empty() {
            return Err(RestoreError::TwoLogs {
                one: self.path.clone(),
                other: self.via.clone(),
            });
        }
        Ok(())
    }

    /// Makes the link, after which the old log is found where it was. `step` hears of each change
    /// before it is made.
    pub(super) fn link(
        &self,
        at: DateTime<Utc>,
        step: &mut dyn FnMut(),
    ) -> Result<(), RestoreError> {
        if self.is_link() {
            return Ok(());
        }
        if names_in(&self.path)?.is_empty() {
            step();
            if inode(&self.path)?.is_some() {
                super::disk::remove_empty(&self.path)?;
            }
            make_link(&self.via, &self.path)?;
            return sync_parent(&self.path);
        }
        self.forget_cut_short()?;
        let kept = beside(&self.path, &format!(".before-{}", at.format(TIME)));
        let kept = free_name(&kept)?;
        if self.via.parent().is_some_and(Path::exists) {
            step();
            if fs::symlink_metadata(&self.via).is_ok_and(|meta| meta.is_dir()) {
                super::disk::remove_empty(&self.via)?;
            } else {
                remove_file(&self.via)?;
            }
            make_link(&kept, &self.via)?;
            sync_parent(&self.via)?;
        }
        step();
        make_link(&self.via, &kept)?;
        step();
        renameat_with(CWD, &kept, CWD, &self.path, RenameFlags::EXCHANGE)
            .map_err(|errno| fault("exchange", &self.path, errno.into()))?;
        sync_parent(&self.path)
    }

    /// A run that was killed just before it made the link left two links that lead nowhere.
    fn forget_cut_short(&self) -> Result<(), RestoreError> {
        match fs::read_link(&self.via) {
            Ok(kept) if fs::read_link(&kept).is_ok_and(|to| to == self.via) => {
                remove_file(&kept)?;
                remove_file(&self.via)
            }
            _ => Ok(()),
        }
    }
}

fn make_link(to: &Path, at: &Path) -> Result<(), RestoreError> {
    symlink(to, at).map_err(|error| fault("link", at, error))
}

/// What is in a directory; nothing where there is none.
fn names_in(dir: &Path) -> Result<Vec<String>, RestoreError> {
    let list = |error| fault("list", dir, error);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(list)?,
    };
    entries
        .map(|entry| {
            Ok(entry
                .map_err(list)?
                .file_name()
                .to_string_lossy()
                .into_owned())
        })
        .collect()
}

/// Segments, those made in advance, and those that etcd found broken (etcd
/// `server/storage/wal/{util,file_pipeline,repair}.go`).
fn is_of_a_log(name: &str) -> bool {
    [".wal", ".tmp", ".broken"]
        .iter()
        .any(|end| name.ends_with(end))
}
