//! Packs frames beside the stream, and proves each before it is kept.

use std::collections::VecDeque;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use super::FRAME;
use super::packing::{Pack, Unpack};

/// Where the buffers of all frames lie. Above 32 MiB a block is no part of glibc's heaps, which
/// would keep it for ever, but goes back to the system after the save (mallopt(3)). What is not
/// touched takes no memory.
const SLAB: usize = 33 << 20;

/// Cuts a stream into frames and sends them through the packer, in order.
///
/// Memory: of each frame in flight its plain bytes, its packed bytes and their unpacking, at most
/// 3 MiB, and a packer of about 1 MiB; and the frame that is being filled. All buffers of a
/// frame's size are made once and used again.
pub(super) struct Frames<P: Pack> {
    filling: BytesMut,
    running: VecDeque<JoinHandle<io::Result<Done<P>>>>,
    idle: Vec<Worker<P>>,
    /// Emptied, for the next frames.
    buffers: Vec<BytesMut>,
    /// What no buffer was cut from yet.
    slab: BytesMut,
}

/// One packed frame.
pub(super) struct Frame<P: Pack> {
    /// The bytes to keep.
    pub(super) bytes: Bytes,
    /// The number of bytes they unpack to.
    pub(super) plain: usize,
    /// What the format tells of them.
    pub(super) note: P::Note,
}

struct Done<P: Pack> {
    frame: Frame<P>,
    worker: Worker<P>,
    buffer: BytesMut,
}

struct Worker<P: Pack> {
    packer: P,
    unpacker: P::Unpack,
    packed: BytesMut,
    unpacked: BytesMut,
}

impl<P: Pack> Default for Frames<P> {
    fn default() -> Self {
        Self {
            filling: BytesMut::new(),
            running: VecDeque::new(),
            idle: Vec::new(),
            buffers: Vec::new(),
            slab: BytesMut::new(),
        }
    }
}

impl<P: Pack> Frames<P> {
    /// Takes bytes until a frame is done, which is returned, or until none are left.
    pub(super) async fn take(&mut self, bytes: &mut &[u8]) -> io::Result<Option<Frame<P>>> {
        while !bytes.is_empty() {
            if self.filling.capacity() == 0 {
                let used = self.buffers.pop();
                self.filling = used.unwrap_or_else(|| self.cut(FRAME));
            }
            let room = FRAME - self.filling.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.filling.extend_from_slice(now);
            *bytes = later;
            if self.filling.len() == FRAME
                && let Some(frame) = self.push().await?
            {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Ends the stream: returns its last frames, and `None` when all are done. Another may follow.
    pub(super) async fn end(&mut self) -> io::Result<Option<Frame<P>>> {
        if !self.filling.is_empty()
            && let Some(frame) = self.push().await?
        {
            return Ok(Some(frame));
        }
        self.next().await
    }

    /// Begins to pack what was filled. Returns the oldest frame if the queue is full.
    async fn push(&mut self) -> io::Result<Option<Frame<P>>> {
        let plain = std::mem::take(&mut self.filling);
        let done = if self.running.len() < P::AHEAD {
            None
        } else {
            self.next().await?
        };
        let worker = match self.idle.pop() {
            Some(worker) => worker,
            None => Worker::new(self.cut(P::room()), self.cut(FRAME))?,
        };
        self.running
            .push_back(spawn_blocking(move || worker.run(plain)));
        Ok(done)
    }

    /// Waits for the oldest frame; `None` when all are done.
    async fn next(&mut self) -> io::Result<Option<Frame<P>>> {
        let Some(task) = self.running.pop_front() else {
            return Ok(None);
        };
        let mut done = task.await??;
        self.idle.push(done.worker);
        done.buffer.clear();
        self.buffers.push(done.buffer);
        Ok(Some(done.frame))
    }

    fn cut(&mut self, len: usize) -> BytesMut {
        if self.slab.capacity() < len {
            self.slab = BytesMut::with_capacity(SLAB);
        }
        self.slab.split_off(self.slab.capacity() - len)
    }
}

impl<P: Pack> Worker<P> {
    fn new(mut packed: BytesMut, mut unpacked: BytesMut) -> io::Result<Self> {
        packed.resize(packed.capacity(), 0);
        unpacked.resize(unpacked.capacity(), 0);
        Ok(Self {
            packer: P::new()?,
            unpacker: P::Unpack::new()?,
            packed,
            unpacked,
        })
    }

    /// Packs, unpacks and compares: what is kept gives back exactly etcd's bytes, whatever memory
    /// or library did to it.
    fn run(mut self, plain: BytesMut) -> io::Result<Done<P>> {
        let (len, note) = self.packer.pack(&plain, &mut self.packed)?;
        let packed = &self.packed[..len];
        let len = self.unpacker.unpack(packed, &mut self.unpacked[..])?;
        if self.unpacked[..len] != plain {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a compressed frame does not decode to what went in",
            ));
        }
        Ok(Done {
            frame: Frame {
                bytes: Bytes::copy_from_slice(packed),
                plain: plain.len(),
                note,
            },
            worker: self,
            buffer: plain,
        })
    }
}
