//! Where snapshots are unpacked: files without a name, gone with the program whatever ends it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rollsnap_store::StoreError;
use rollsnap_store::local::Space;

use super::ImageError;

/// What is left free for others: a twentieth of the file system, at most this many bytes.
const MOST_SPARED: u64 = 512 << 20;

/// A directory for files without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// In this directory. It is not looked at before it is needed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether so many bytes may be taken. An unusable directory has none.
    pub(super) fn has_room(&self, needed: u64) -> bool {
        self.room().is_ok_and(|room| needed <= room)
    }

    /// Refuses what there is no room for.
    pub(super) fn check_room(&self, needed: u64) -> Result<(), ImageError> {
        let room = self.room()?;
        if needed <= room {
            return Ok(());
        }
        Err(ImageError::Full {
            dir: self.dir.clone(),
            needed,
            room,
        })
    }

    /// Bytes that may be taken: what an ordinary user may, less what is left to others. A scratch
    /// file that fills a node's disk would stop its etcd.
    pub(crate) fn room(&self) -> Result<u64, ImageError> {
        let space = Space::of(&self.dir).map_err(|error| self.fault(error))?;
        let room = |Space { free, all }| free.saturating_sub((all / 20).min(MOST_SPARED));
        Ok(space.map_or(u64::MAX, room))
    }

    /// A new file, which only this program can see.
    pub(super) fn file(&self) -> Result<File, ImageError> {
        tempfile::tempfile_in(&self.dir).map_err(|error| self.fault(error))
    }

    pub(super) fn fault(&self, cause: io::Error) -> ImageError {
        ImageError::Scratch(StoreError::io("unpack into", self.dir.display(), cause))
    }
}
