//! The deep verification of one stored snapshot, off every hot path.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use async_trait::async_trait;
use rollsnap_snapfile::mvcc::{Status, hash_kv};
use rollsnap_snapfile::{Digest, ReadAt, Report, SnapshotError, Trailer, verify_and_index};
use rollsnap_store::ReadBack;
use tokio::sync::oneshot;

use crate::Codec;
use crate::codec::{pages, seekable};
use crate::image::{Access, Image, ImageError, Scratch};
use crate::key_index::{Gathered, Pieces};
use crate::manifest::Contents;

/// Reads a stored snapshot through and says what is wrong with it.
#[async_trait]
pub trait Examiner: Send + Sync + fmt::Debug {
    /// Examines one, and tells the index of its keys as it goes. Dropping the future ends the work
    /// within some hundred KiB.
    async fn examine(
        &self,
        stored: Box<dyn ReadBack>,
        codec: Codec,
        progress: Progress,
        index: Pieces,
    ) -> Result<Examined, ExamineError>;

    /// What each of the cuts of a sound snapshot hashes to, as a member's `HashKV` would; `None`
    /// for one that the snapshot does not know. Otherwise as [`examine`](Self::examine).
    async fn hash(
        &self,
        stored: Box<dyn ReadBack>,
        codec: Codec,
        cuts: Vec<Cut>,
    ) -> Result<Vec<Option<u32>>, ExamineError>;
}

/// What of a database goes into a hash of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Records after this revision are left out.
    pub revision: u64,
    /// What a compaction at this revision takes away is left out.
    pub compact_revision: u64,
}

/// Hears how far an examination is: bytes so far, and bytes in all. Called often.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// What an examination found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// The digest of the database, where it is the one at the end of the file.
    pub database: Option<Digest>,
    /// What the database holds, where it could be read.
    pub contents: Option<Contents>,
    /// The digest of the stored bytes, where it was taken.
    pub stored: Option<Digest>,
    /// Whether these are other bytes than were proved when the snapshot was saved: a fault of
    /// this copy, which says nothing of others.
    pub altered: bool,
    /// What is wrong; nothing, if it holds.
    pub findings: Vec<String>,
    /// Whether a whole index of its keys was told.
    pub indexed: bool,
}

/// Why nothing is known after an examination.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// It could not be read. That says nothing of the bytes.
    #[error("read")]
    Read(#[source] io::Error),
    /// There was no thread for it.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// It ended without a word.
    #[error("the examination ended early")]
    Ended,
}

/// Examines on a thread of its own that is gone afterwards: nothing else waits for it, and at
/// rest it takes no memory.
pub struct Deep {
    gentle: Gentle,
    scratch: Scratch,
}

/// Makes the thread that calls it give way to others.
pub type Gentle = Arc<dyn Fn() + Send + Sync>;

impl Deep {
    /// An examiner whose thread calls `gentle` before anything else, and which unpacks what is
    /// compressed into `scratch`, where that has room.
    pub fn new(gentle: Gentle, scratch: Scratch) -> Self {
        Self { gentle, scratch }
    }

    /// Does something on a thread of its own. It hears when nobody waits for it any more.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> Result<T, ExamineError> + Send + 'static,
    ) -> Result<T, ExamineError> {
        let stop = StopWhenDropped::default();
        let stopped = Arc::clone(&stop.0);
        let gentle = Arc::clone(&self.gentle);
        let (tell, told) = oneshot::channel();
        let work = move || {
            gentle();
            // Nobody may be listening any more.
            let _ = tell.send(work(&stopped));
        };
        let thread = thread::Builder::new().name("verify".to_owned());
        thread.spawn(work).map_err(ExamineError::Thread)?;
        told.await.unwrap_or(Err(ExamineError::Ended))
    }
}

impl fmt::Debug for Deep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deep")
    }
}

#[async_trait]
impl Examiner for Deep {
    async fn examine(
        &self,
        stored: Box<dyn ReadBack>,
        codec: Codec,
        progress: Progress,
        index: Pieces,
    ) -> Result<Examined, ExamineError> {
        let scratch = self.scratch.clone();
        let work = move |stopped: &_| match unpacked(stored, codec, &scratch, stopped) {
            Ok(pages) => examine(&*pages, &progress, Gathered::new(index), stopped),
            Err(Unpacked::Ended) => Err(ExamineError::Ended),
            Err(Unpacked::Read(error)) => unread(error),
        };
        self.beside(work).await
    }

    async fn hash(
        &self,
        stored: Box<dyn ReadBack>,
        codec: Codec,
        cuts: Vec<Cut>,
    ) -> Result<Vec<Option<u32>>, ExamineError> {
        let work = move |stopped: &AtomicBool| {
            let pages = Stoppable {
                pages: pages(stored, codec).map_err(ExamineError::Read)?,
                stopped,
            };
            cuts.iter().map(|cut| hash(&pages, *cut)).collect()
        };
        self.beside(work).await
    }
}

/// Bytes that cannot be read any more once nobody waits for what comes of it.
struct Stoppable<'a> {
    pages: Arc<dyn ReadAt>,
    stopped: &'a AtomicBool,
}

impl ReadAt for Stoppable<'_> {
    fn size(&self) -> io::Result<u64> {
        self.pages.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for it"));
        }
        self.pages.read_at(offset, buf)
    }
}

fn hash(pages: &dyn ReadAt, cut: Cut) -> Result<Option<u32>, ExamineError> {
    match hash_kv(pages, Some(cut.revision), Some(cut.compact_revision)) {
        Ok(hashed) => Ok(Some(hashed.hash)),
        Err(SnapshotError::Read(error)) => Err(ExamineError::Read(error)),
        Err(_) => Ok(None),
    }
}

/// Says that nobody waits any more, as soon as it is dropped.
#[derive(Default)]
pub(crate) struct StopWhenDropped(pub(crate) Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why there are no pages to look at.
pub(crate) enum Unpacked {
    Read(io::Error),
    Ended,
}

/// The plain bytes. Leaves of an old database lie scattered, and each would decode a frame of its
/// own: what is compressed is unpacked once. Where there is no room for that, time is spent.
pub(crate) fn unpacked(
    stored: Box<dyn ReadBack>,
    codec: Codec,
    scratch: &Scratch,
    stopped: &AtomicBool,
) -> Result<Arc<dyn ReadAt>, Unpacked> {
    let stored: Arc<dyn ReadAt> = pages(stored, Codec::None).map_err(Unpacked::Read)?;
    if codec == Codec::None {
        return Ok(stored);
    }
    // The table of frames has to be right too, though unpacking passes over it.
    let frames = seekable(Arc::clone(&stored), codec).map_err(Unpacked::Read)?;
    let mut heed = |_, _| {
        if stopped.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    match Image::open(stored, Access::All, scratch, &mut heed) {
        Ok(image) => Ok(image.bytes()),
        Err(ImageError::Stopped) => Err(Unpacked::Ended),
        Err(ImageError::Read(error)) => Err(Unpacked::Read(error)),
        Err(ImageError::Corrupt(what)) => {
            let error = io::Error::new(io::ErrorKind::InvalidData, what);
            Err(Unpacked::Read(error))
        }
        Err(_) => Ok(frames),
    }
}

fn examine(
    pages: &dyn ReadAt,
    progress: &Progress,
    mut index: Gathered,
    stopped: &AtomicBool,
) -> Result<Examined, ExamineError> {
    let mut heed = |now: rollsnap_snapfile::Progress| {
        progress(now.done, now.total);
        if stopped.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    match verify_and_index(pages, &mut heed, &mut |piece| index.push(piece)) {
        Ok(report) => {
            index.finish();
            Ok(Examined::from(&report))
        }
        Err(SnapshotError::Read(error)) => unread(error),
        Err(SnapshotError::Stopped) => Err(ExamineError::Ended),
        Err(error) => Ok(Examined {
            findings: vec![error.to_string()],
            ..Examined::default()
        }),
    }
}

/// What a failed read says: that the bytes are at fault, or nothing.
fn unread(error: io::Error) -> Result<Examined, ExamineError> {
    if !is_content(&error) {
        return Err(ExamineError::Read(error));
    }
    Ok(Examined {
        altered: true,
        findings: vec![error.to_string()],
        ..Examined::default()
    })
}

/// Whether the bytes are at fault, which cannot be decoded, and not the disk that gives them.
pub(crate) fn is_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// What a report comes to for a snapshot that was proved when it was saved: it had a digest then.
impl From<&Report> for Examined {
    fn from(report: &Report) -> Self {
        let mut findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        let database = match report.trailer {
            Trailer::Held(digest) => Some(digest),
            Trailer::Wrong { .. } => None,
            Trailer::Absent => {
                findings.push("there is no digest at its end".to_owned());
                None
            }
        };
        Self {
            database,
            contents: report.status.as_ref().map(contents),
            stored: None,
            altered: database.is_none(),
            findings,
            indexed: report.indexed,
        }
    }
}

fn contents(status: &Status) -> Contents {
    Contents {
        hash: status.hash,
        live_keys: status.live_keys,
        records: status.records,
        entries: status.entries,
        first_revision: status.first_revision,
        compact_revision: status.compact_revision,
        store_revision: status.store_revision,
        total_size: status.total_size,
        bytes_in_use: status.bytes_in_use,
        version: status.version.clone(),
    }
}
