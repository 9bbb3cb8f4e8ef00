//! Reading a file that is still being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::off_worker;
use crate::{ErrorKind, ReadBack, StoreError, Tail, mapped};

/// How far a file is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Bytes that can be read.
    pub(super) written: u64,
    pub(super) stage: Stage,
}

/// What is still to come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Perhaps more.
    #[default]
    Growing,
    /// Nothing: this is all.
    Sealed,
    /// Nothing: a write failed and the file is gone.
    Broken,
}

/// Follows a file through the lengths that its writer publishes.
#[derive(Debug)]
pub(super) struct LocalTail {
    /// None when it was broken from the start.
    pub(super) file: Option<Arc<File>>,
    pub(super) object: Arc<Path>,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) position: u64,
}

#[async_trait]
impl Tail for LocalTail {
    /// Cancel-safe: the position moves with the bytes that are given.
    async fn next(&mut self, size: usize) -> Result<Bytes, StoreError> {
        let position = self.position;
        let enough = position.saturating_add(size as u64);
        let progress = self
            .progress
            .wait_for(|now| now.written >= enough || now.stage != Stage::Growing)
            .await
            .map_or(None, |now| Some(*now));
        let (Some(now), Some(file)) = (progress, &self.file) else {
            return Err(self.abandoned());
        };
        if now.stage == Stage::Broken {
            return Err(self.abandoned());
        }
        let left = now.written.saturating_sub(position);
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(size);
        if size == 0 {
            return Ok(Bytes::new());
        }
        let (file, object) = (Arc::clone(file), Arc::clone(&self.object));
        let bytes = off_worker("read", move || {
            let mut bytes = mapped::zeros(size);
            file.read_exact_at(&mut bytes, position)
                .map_err(|error| StoreError::io("read", object.display(), error))?;
            Ok(Bytes::from(bytes))
        })
        .await?;
        self.position += size as u64;
        Ok(bytes)
    }
}

impl LocalTail {
    fn abandoned(&self) -> StoreError {
        StoreError::at(
            ErrorKind::Unavailable,
            "follow",
            self.object.display(),
            "its writer gave it up",
        )
    }
}

/// Reads a file back from any place.
#[derive(Debug)]
pub(super) struct LocalReadBack {
    pub(super) file: Arc<File>,
    pub(super) progress: watch::Receiver<Progress>,
}

impl ReadBack for LocalReadBack {
    /// What reached the file: pieces still gathered are counted once they are written, all of
    /// them when the spool is sealed.
    fn size(&self) -> io::Result<u64> {
        Ok(self.progress.borrow().written)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}
