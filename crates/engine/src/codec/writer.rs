//! Puts a stream into a spool, encoded.

use std::io;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rollsnap_snapfile::Digest;
use rollsnap_store::{Spool, StoreError};
use sha2::{Digest as _, Sha256};

use super::frames::Frames;
use super::packing::{Deflate, Zstd};
use super::seekable::Table;
use super::{Codec, zip};
use crate::SnapshotName;
use crate::enclosure::Enclosed;
use crate::manifest::Content;

/// Encodes what is pushed and writes it to a spool.
///
/// Memory: nothing for [`Codec::None`], at most 12 MiB for [`Codec::Zstd`], 20 MiB for
/// [`Codec::Zip`].
pub struct Writer {
    out: Out,
    layout: Layout,
}

/// What is known of a snapshot before its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a SnapshotName,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// The bytes that will be pushed, as far as is known.
    pub size: u64,
}

enum Layout {
    Plain,
    Zstd {
        frames: Frames<Zstd>,
        table: Table,
    },
    Zip {
        frames: Frames<Deflate>,
        archive: zip::Archive,
        begun: DateTime<Utc>,
    },
}

/// The spool, and what went into it where that is other than what was pushed.
struct Out {
    spool: Box<dyn Spool>,
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
    /// Begins to write into `spool`.
    pub async fn begin(
        spool: Box<dyn Spool>,
        codec: Codec,
        subject: Subject<'_>,
    ) -> Result<Self, WriteError> {
        let mut out = Out {
            spool,
            hash: Sha256::new(),
            size: 0,
        };
        let layout = match codec {
            Codec::None => Layout::Plain,
            Codec::Zstd => Layout::Zstd {
                frames: Frames::default(),
                table: Table::default(),
            },
            Codec::Zip => {
                let Subject { name, begun, size } = subject;
                let mut archive = zip::Archive::default();
                let head = archive.snapshot(name, begun, codec.at_most(size));
                out.write(head.into()).await?;
                Layout::Zip {
                    frames: Frames::default(),
                    archive,
                    begun,
                }
            }
        };
        Ok(Self { out, layout })
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        let out = &mut self.out;
        let mut rest = &bytes[..];
        match &mut self.layout {
            Layout::Plain => out.spool.write(bytes).await?,
            Layout::Zstd { frames, table } => {
                while let Some(frame) = frames.take(&mut rest).await? {
                    table.push(frame.bytes.len(), frame.plain);
                    out.write(frame.bytes).await?;
                }
            }
            Layout::Zip {
                frames, archive, ..
            } => {
                while let Some(frame) = frames.take(&mut rest).await? {
                    archive.keep(&frame);
                    out.write(frame.bytes).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends the stream: everything is written and the spool is sealed. `plain` is what was
    /// pushed; the answer is what is kept. Only a zip has room for what is enclosed.
    pub async fn seal(
        &mut self,
        plain: Content,
        enclosed: Option<Enclosed>,
    ) -> Result<Content, WriteError> {
        let out = &mut self.out;
        match &mut self.layout {
            Layout::Plain => {
                out.spool.seal().await?;
                return Ok(plain);
            }
            Layout::Zstd { frames, table } => {
                while let Some(frame) = frames.end().await? {
                    table.push(frame.bytes.len(), frame.plain);
                    out.write(frame.bytes).await?;
                }
                out.write(table.to_bytes().into()).await?;
            }
            Layout::Zip {
                frames,
                archive,
                begun,
            } => {
                end_entry(frames, archive, out).await?;
                if let Some(Enclosed { path, bytes, mode }) = enclosed.filter(Enclosed::fits) {
                    let at_most = Codec::Zip.at_most(bytes.len() as u64);
                    let head = archive.begin(path, mode, *begun, out.size, at_most);
                    out.write(head.into()).await?;
                    let mut rest = &bytes[..];
                    while let Some(frame) = frames.take(&mut rest).await? {
                        archive.keep(&frame);
                        out.write(frame.bytes).await?;
                    }
                    end_entry(frames, archive, out).await?;
                }
                out.write(archive.finish(out.size).into()).await?;
            }
        }
        out.spool.seal().await?;
        Ok(Content {
            digest: Digest(out.hash.finalize_reset().into()),
            size: out.size,
        })
    }

    /// The spool, to read back, commit or abort.
    pub fn spool(&self) -> &dyn Spool {
        &*self.out.spool
    }

    /// Gives the spool up.
    pub fn into_spool(self) -> Box<dyn Spool> {
        self.out.spool
    }
}

async fn end_entry(
    frames: &mut Frames<Deflate>,
    archive: &mut zip::Archive,
    out: &mut Out,
) -> Result<(), WriteError> {
    while let Some(frame) = frames.end().await? {
        archive.keep(&frame);
        out.write(frame.bytes).await?;
    }
    Ok(out.write(archive.end().into()).await?)
}

impl Out {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        self.spool.write(bytes).await
    }
}
