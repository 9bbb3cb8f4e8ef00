//! Compresses frames beside the stream, and proves each before it is kept.

use std::collections::VecDeque;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::compress_bound;

use super::FRAME;

/// Level 1 outruns etcd's stream on one core at five sixths of level 3's CPU, 6 % larger.
const LEVEL: i32 = 1;

/// Frames that are compressed at once. Memory: each holds its plain bytes, its compressed bytes
/// and their decoding, at most 3 MiB, and a compressor of about 1 MiB.
const AHEAD: usize = 2;

/// Where the buffers of all frames lie. Above 32 MiB a block is no part of glibc's heaps, which
/// would keep it for ever, but goes back to the system after the save (mallopt(3)). What is not
/// touched takes no memory.
const SLAB: usize = 33 << 20;

/// A queue of frames on their way through the compressor, in order.
///
/// All buffers of a frame's size are made once and used again.
#[derive(Default)]
pub(super) struct Frames {
    running: VecDeque<JoinHandle<io::Result<Done>>>,
    idle: Vec<Worker>,
    /// Emptied, for the next frames.
    buffers: Vec<BytesMut>,
    /// What no buffer was cut from yet.
    slab: BytesMut,
}

/// One compressed frame.
pub(super) struct Frame {
    /// The bytes to keep.
    pub(super) bytes: Bytes,
    /// The number of bytes they decode to.
    pub(super) plain: usize,
}

struct Done {
    frame: Frame,
    worker: Worker,
    buffer: BytesMut,
}

struct Worker {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    compressed: BytesMut,
    decoded: BytesMut,
}

impl Frames {
    /// An empty buffer with room for a frame, to be filled and pushed.
    pub(super) fn buffer(&mut self) -> BytesMut {
        let used = self.buffers.pop();
        used.unwrap_or_else(|| self.cut(FRAME))
    }

    fn cut(&mut self, len: usize) -> BytesMut {
        if self.slab.capacity() < len {
            self.slab = BytesMut::with_capacity(SLAB);
        }
        self.slab.split_off(self.slab.capacity() - len)
    }

    /// Begins a frame of at most [`FRAME`] bytes. Returns the oldest one if the queue is full.
    pub(super) async fn push(&mut self, plain: BytesMut) -> io::Result<Option<Frame>> {
        let done = if self.running.len() < AHEAD {
            None
        } else {
            self.next().await?
        };
        let worker = match self.idle.pop() {
            Some(worker) => worker,
            None => Worker::new(self.cut(compress_bound(FRAME)), self.cut(FRAME))?,
        };
        self.running
            .push_back(spawn_blocking(move || worker.run(plain)));
        Ok(done)
    }

    /// Waits for the oldest frame; `None` when all are done.
    pub(super) async fn next(&mut self) -> io::Result<Option<Frame>> {
        let Some(task) = self.running.pop_front() else {
            return Ok(None);
        };
        let mut done = task.await??;
        self.idle.push(done.worker);
        done.buffer.clear();
        self.buffers.push(done.buffer);
        Ok(Some(done.frame))
    }
}

impl Worker {
    fn new(mut compressed: BytesMut, mut decoded: BytesMut) -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        compressed.resize(compressed.capacity(), 0);
        decoded.resize(decoded.capacity(), 0);
        Ok(Self {
            compressor,
            decompressor: Decompressor::new()?,
            compressed,
            decoded,
        })
    }

    /// Compresses, decodes and compares: what is kept gives back exactly etcd's bytes, whatever
    /// memory or library did to it.
    fn run(mut self, plain: BytesMut) -> io::Result<Done> {
        let len = self
            .compressor
            .compress_to_buffer(&plain[..], &mut self.compressed[..])?;
        let compressed = &self.compressed[..len];
        let len = self
            .decompressor
            .decompress_to_buffer(compressed, &mut self.decoded[..])?;
        if self.decoded[..len] != plain {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a compressed frame does not decode to what went in",
            ));
        }
        Ok(Done {
            frame: Frame {
                bytes: Bytes::copy_from_slice(compressed),
                plain: plain.len(),
            },
            worker: self,
            buffer: plain,
        })
    }
}
