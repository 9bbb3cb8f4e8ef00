//! The one writer of a growing file: the hot path of every save.

use std::io::{self, IoSlice, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::folder::Folder;
use super::part::{Part, Taken};
use super::space;
use super::tail::{LocalReadBack, LocalTail, Progress, Stage};
use super::{off_worker, write_back::WriteBack};
use crate::{ErrorKind, ObjectInfo, ObjectName, ReadBack, Spool, StoreError, Tail, Upload};

/// Bytes gathered before they are written with one call. Eight of etcd's chunks.
const GATHER: usize = 256 << 10;

/// Pieces gathered at most, however small. Far below Linux's 1024 (`IOV_MAX`).
const PIECES: usize = 64;

/// A file on its way into a directory.
///
/// Memory: the pieces given to it, up to 256 KiB and the last one; they are written from where
/// they are, never copied.
#[derive(Debug)]
pub(super) struct LocalSpool {
    /// None after a failed write: the file is gone, and its space with it.
    part: Option<Part>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    written: u64,
    write_back: WriteBack,
    progress: watch::Sender<Progress>,
    /// The final path, for messages.
    object: Arc<Path>,
    folder: Folder,
    name: ObjectName,
    taken: Taken,
}

impl LocalSpool {
    /// Takes over an empty part that will become `name` in `folder`.
    pub(super) fn new(part: Part, folder: Folder, name: ObjectName, taken: Taken) -> Self {
        Self {
            part: Some(part),
            gathered: Vec::with_capacity(PIECES),
            gathered_bytes: 0,
            written: 0,
            write_back: WriteBack::default(),
            progress: watch::Sender::default(),
            object: folder.file(name.as_str()).into(),
            folder,
            name,
            taken,
        }
    }

    fn refuse(&self, verb: &'static str, message: &str) -> StoreError {
        StoreError::at(ErrorKind::Config, verb, self.object.display(), message)
    }

    fn part(&self, verb: &'static str) -> Result<&Part, StoreError> {
        self.part
            .as_ref()
            .ok_or_else(|| self.refuse(verb, "an earlier write went wrong"))
    }

    fn is_sealed(&self) -> bool {
        self.progress.borrow().stage == Stage::Sealed
    }

    /// Writes what was gathered and tells the tails.
    ///
    /// A plain write on the async worker: it copies into the page cache, which for 256 KiB takes
    /// less time and far less CPU than handing the bytes to another thread. When the disk falls
    /// behind, the kernel makes this call wait, which is the back pressure wanted.
    fn flush(&mut self) -> Result<(), StoreError> {
        if self.gathered_bytes == 0 {
            return Ok(());
        }
        let mut file: &std::fs::File = self.part("write")?.file();
        match write_all(&mut file, &self.gathered) {
            Ok(()) => {
                self.written += self.gathered_bytes as u64;
                self.gathered.clear();
                self.gathered_bytes = 0;
                let written = self.written;
                self.progress.send_modify(|now| now.written = written);
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Gives the file up at once, so that a full disk has room again, and says why.
    fn broken(&mut self, error: io::Error) -> StoreError {
        self.part = None;
        self.gathered.clear();
        self.gathered_bytes = 0;
        self.progress.send_modify(|now| now.stage = Stage::Broken);
        space::write_error(&self.object, error)
    }
}

#[async_trait]
impl Upload for LocalSpool {
    fn part_size(&self) -> usize {
        GATHER
    }

    fn written(&self) -> u64 {
        self.written + self.gathered_bytes as u64
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.part("write")?;
        if self.is_sealed() {
            return Err(self.refuse("write", "it is sealed"));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes < GATHER && self.gathered.len() < PIECES {
            return Ok(());
        }
        self.flush()?;
        let file = Arc::clone(self.part("write")?.file());
        match self.write_back.keep_up(&file, self.written).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Seals what is not sealed, then renames and syncs the directory. Once that step has begun
    /// it runs to its end, even when the future is dropped.
    async fn commit(mut self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        self.seal().await?;
        let Some(part) = self.part.take() else {
            return Err(self.refuse("commit", "an earlier write went wrong"));
        };
        let (folder, name, taken) = (self.folder.clone(), self.name.clone(), self.taken);
        let (object, written) = (Arc::clone(&self.object), self.written);
        off_worker("commit", move || {
            let size = part
                .file()
                .metadata()
                .map_err(|error| StoreError::io("commit", object.display(), error))?
                .size();
            if size != written {
                let message = format!("holds {size} bytes after {written} were written");
                let object = object.display();
                return Err(StoreError::at(
                    ErrorKind::Corrupt,
                    "commit",
                    object,
                    message,
                ));
            }
            let meta = part.publish(&folder, name.as_str(), taken)?;
            Ok(ObjectInfo {
                name,
                size,
                modified: meta.modified().ok().map(DateTime::<Utc>::from),
            })
        })
        .await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        match self.part.take() {
            Some(part) => off_worker("abort", move || part.remove()).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Spool for LocalSpool {
    fn tail(&self) -> Box<dyn Tail> {
        Box::new(LocalTail {
            file: self.part.as_ref().map(|part| Arc::clone(part.file())),
            object: Arc::clone(&self.object),
            progress: self.progress.subscribe(),
            position: 0,
        })
    }

    fn reader(&self) -> Result<Box<dyn ReadBack>, StoreError> {
        Ok(Box::new(LocalReadBack {
            file: Arc::clone(self.part("read")?.file()),
            progress: self.progress.subscribe(),
        }))
    }

    async fn seal(&mut self) -> Result<(), StoreError> {
        if self.is_sealed() {
            return Ok(());
        }
        self.flush()?;
        let file = Arc::clone(self.part("seal")?.file());
        if let Err(error) = self.write_back.finish(&file).await {
            return Err(self.broken(error));
        }
        self.progress.send_modify(|now| now.stage = Stage::Sealed);
        Ok(())
    }
}

/// Writes all the pieces, in as few calls as the kernel allows.
fn write_all(file: &mut impl Write, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut rest, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
