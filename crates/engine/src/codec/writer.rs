//! Puts a stream into a spool, encoded.

use std::io;

use bytes::{Bytes, BytesMut};
use rollsnap_snapfile::Digest;
use rollsnap_store::{Spool, StoreError};
use sha2::{Digest as _, Sha256};

use super::frames::{Frame, Frames};
use super::seekable::Table;
use super::{Codec, FRAME};
use crate::manifest::Content;

/// Encodes what is pushed and writes it to a spool.
///
/// Memory: nothing for [`Codec::None`], at most 12 MiB for [`Codec::Zstd`].
pub struct Writer {
    spool: Box<dyn Spool>,
    zstd: Option<Zstd>,
}

#[derive(Default)]
struct Zstd {
    filling: BytesMut,
    frames: Frames,
    table: Table,
    hash: Sha256,
    size: u64,
}

/// Why bytes could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The store did not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// They could not be encoded.
    #[error("compress")]
    Encode(#[from] io::Error),
}

impl Writer {
    /// Writes into `spool`.
    pub fn new(spool: Box<dyn Spool>, codec: Codec) -> Self {
        Self {
            spool,
            zstd: (codec == Codec::Zstd).then(Zstd::default),
        }
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        let Some(zstd) = &mut self.zstd else {
            return Ok(self.spool.write(bytes).await?);
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if zstd.filling.capacity() == 0 {
                zstd.filling = zstd.frames.buffer();
            }
            let room = FRAME - zstd.filling.len();
            let (now, later) = rest.split_at(rest.len().min(room));
            zstd.filling.extend_from_slice(now);
            rest = later;
            if zstd.filling.len() == FRAME {
                let full = std::mem::take(&mut zstd.filling);
                if let Some(frame) = zstd.frames.push(full).await? {
                    zstd.keep(frame, &mut *self.spool).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends the stream: everything is written and the spool is sealed. `plain` is what was
    /// pushed; the answer is what is kept.
    pub async fn seal(&mut self, plain: Content) -> Result<Content, WriteError> {
        let stored = match self.zstd.take() {
            None => plain,
            Some(mut zstd) => {
                let last = std::mem::take(&mut zstd.filling);
                if !last.is_empty()
                    && let Some(frame) = zstd.frames.push(last).await?
                {
                    zstd.keep(frame, &mut *self.spool).await?;
                }
                while let Some(frame) = zstd.frames.next().await? {
                    zstd.keep(frame, &mut *self.spool).await?;
                }
                let table = std::mem::take(&mut zstd.table).to_bytes();
                zstd.write(Bytes::from(table), &mut *self.spool).await?;
                Content {
                    digest: Digest(zstd.hash.finalize().into()),
                    size: zstd.size,
                }
            }
        };
        self.spool.seal().await?;
        Ok(stored)
    }

    /// The spool, to read back, commit or abort.
    pub fn spool(&self) -> &dyn Spool {
        &*self.spool
    }

    /// Gives the spool up.
    pub fn into_spool(self) -> Box<dyn Spool> {
        self.spool
    }
}

impl Zstd {
    async fn keep(&mut self, frame: Frame, spool: &mut dyn Spool) -> Result<(), StoreError> {
        self.table.push(frame.bytes.len(), frame.plain);
        self.write(frame.bytes, spool).await
    }

    async fn write(&mut self, bytes: Bytes, spool: &mut dyn Spool) -> Result<(), StoreError> {
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        spool.write(bytes).await
    }
}
