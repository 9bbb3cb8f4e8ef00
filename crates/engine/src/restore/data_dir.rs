//! A data directory: what is in one, and a new one written.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rollsnap_snapfile::restore::{
    Changes, FIRST_SEGMENT, NewMember, Rewritten, SEGMENT, log_segment, raft_snapshot,
    raft_snapshot_name, rewrite,
};
use rollsnap_snapfile::{Heed, ReadAt};
use rollsnap_store::local::Space;
use rustix::fs::{FallocateFlags, fallocate};

use super::disk::{fault, make_dir, new_file, sync_dir, write_file};
use super::error::RestoreError;
use super::mounts::is_mount_point;
use super::write_back::{Syncing, WriteBack};

/// What ext4 puts into the root of a file system.
const LOST_AND_FOUND: &str = "lost+found";

/// Refuses a directory that is in use, or that holds something else. One that is absent or empty
/// is fine, and so is an old one.
pub(super) fn check(dir: &Path) -> Result<(), RestoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // A file, mostly: its code says nothing to people.
        entries => entries.map_err(|error| fault("list", dir, error.kind().into()))?,
    };
    let mut stranger = None;
    for entry in entries {
        let name = entry
            .map_err(|error| fault("list", dir, error))?
            .file_name();
        let name = name.to_string_lossy().into_owned();
        if name == "member" {
            let member = dir.join("member");
            if is_mount_point(&member)? {
                return Err(RestoreError::Mounted(member));
            }
            return check_running(&member);
        }
        let is_ours = name.starts_with("member.before-") || name == ".restoring";
        if !is_ours && name != LOST_AND_FOUND {
            stranger = Some(name);
        }
    }
    match stranger {
        None => Ok(()),
        Some(example) => Err(RestoreError::Foreign {
            path: dir.to_owned(),
            example,
        }),
    }
}

/// A server holds its database by flock(2) (bbolt `bolt_unix.go`).
fn check_running(member: &Path) -> Result<(), RestoreError> {
    let db = member.join("snap/db");
    let file = match File::open(&db) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(|error| fault("open", &db, error))?,
    };
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(RestoreError::Running(member.to_owned())),
        Err(TryLockError::Error(error)) => Err(fault("lock", &db, error)),
    }
}

/// Refuses an old directory whose log lies elsewhere: an etcd that is told of that place would go on
/// there, with what was written after the snapshot.
pub(super) fn check_log_is_within(dir: &Path) -> Result<(), RestoreError> {
    let member = dir.join("member");
    let is_there = |name: &str| fs::symlink_metadata(member.join(name)).is_ok();
    if is_there("snap/db") && !is_there("wal") {
        return Err(RestoreError::LogElsewhere(member));
    }
    Ok(())
}

/// What goes into a new one.
pub(super) struct Contents<'a> {
    pub(super) changes: &'a Changes,
    pub(super) me: &'a NewMember,
    /// Where its log goes, if not into it.
    pub(super) log: Option<&'a Path>,
}

impl Contents<'_> {
    /// Writes `member` and what is in it, files and directories synced, but for the database, whose
    /// sync is still to be waited for.
    pub(super) fn write(
        &self,
        file: &dyn ReadAt,
        member: &Path,
        heed: Heed<'_>,
    ) -> Result<(Rewritten, Syncing), RestoreError> {
        make_dir(member)?;
        let snap = member.join("snap");
        make_dir(&snap)?;
        let done = self.write_database(file, &snap.join("db"), heed)?;
        let cluster = &self.changes.cluster;
        write_file(
            &snap.join(raft_snapshot_name(cluster)),
            &raft_snapshot(cluster),
        )?;
        sync_dir(&snap)?;
        let own = member.join("wal");
        let wal = self.log.unwrap_or(&own);
        make_dir(wal)?;
        self.write_log(&wal.join(FIRST_SEGMENT))?;
        sync_dir(wal)?;
        if let Some(log) = self.log {
            symlink(log, &own).map_err(|error| fault("link", &own, error))?;
            log.parent().map_or(Ok(()), sync_dir)?;
        }
        sync_dir(member)?;
        Ok(done)
    }

    fn write_database(
        &self,
        file: &dyn ReadAt,
        path: &Path,
        heed: Heed<'_>,
    ) -> Result<(Rewritten, Syncing), RestoreError> {
        let out = new_file(path).map_err(|error| fault("create", path, error))?;
        let (out, done) = rewrite(file, self.changes, WriteBack::new(out), heed)?;
        let sync = out.finish().map_err(|error| fault("sync", path, error))?;
        Ok((done, sync))
    }

    /// Reserves what etcd would: a disk without that room is found full now.
    fn write_log(&self, path: &Path) -> Result<(), RestoreError> {
        let bytes = log_segment(&self.changes.cluster, self.me);
        let write = || {
            let mut out = new_file(path)?;
            out.write_all(&bytes)?;
            if let Err(errno) = fallocate(&out, FallocateFlags::empty(), 0, SEGMENT) {
                let error = io::Error::from(errno);
                if error.kind() == io::ErrorKind::StorageFull {
                    return Err(error);
                }
                out.set_len(SEGMENT)?;
            }
            out.sync_all()
        };
        write().map_err(|error| fault("write", path, error))
    }
}

/// Gives a new tree what the old one had beside its bytes: owner, group and `SELinux` label. Modes are
/// etcd's own, 0700 and 0600. Without an old one, that of the directory above rules, as it does for
/// whatever else is made there.
pub(super) fn dress_as(old: &Path, new: &Path) -> Result<(), RestoreError> {
    let meta = match fs::metadata(old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        meta => meta.map_err(|error| fault("look at", old, error))?,
    };
    let label = label_of(old);
    let mut trees = vec![new.to_owned()];
    while let Some(path) = trees.pop() {
        let here = fs::symlink_metadata(&path).map_err(|error| fault("look at", &path, error))?;
        if (here.uid(), here.gid()) != (meta.uid(), meta.gid()) {
            let given = lchown(&path, Some(meta.uid()), Some(meta.gid()));
            given.map_err(|error| fault("give the owner of the old directory to", &path, error))?;
        }
        if let Some(label) = &label {
            let flags = rustix::fs::XattrFlags::empty();
            // Where policy forbids it, it has the label that the policy gives.
            let _ = rustix::fs::lsetxattr(&path, LABEL, label, flags);
        }
        if here.is_dir() {
            let entries = fs::read_dir(&path).map_err(|error| fault("list", &path, error))?;
            for entry in entries {
                trees.push(entry.map_err(|error| fault("list", &path, error))?.path());
            }
        }
    }
    Ok(())
}

const LABEL: &str = "security.selinux";

fn label_of(path: &Path) -> Option<Vec<u8>> {
    let mut label = vec![0; 4096];
    let len = rustix::fs::lgetxattr(path, LABEL, &mut label[..]).ok()?;
    label.truncate(len);
    Some(label)
}

/// Bytes that are free for an ordinary user where `path` is or will be.
pub(super) fn free_at(path: &Path) -> Result<u64, RestoreError> {
    let mut there: PathBuf = path.to_owned();
    while !there.exists() {
        if !there.pop() {
            break;
        }
    }
    let space = Space::of(&there).map_err(|error| fault("measure", &there, error))?;
    Ok(space.map_or(u64::MAX, |space| space.free))
}
