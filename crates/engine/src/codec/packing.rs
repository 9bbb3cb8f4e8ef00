//! How one frame is packed and unpacked: Zstandard, or deflate as a zip holds it.

use std::io;

use crc32fast::Hasher;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::compress_bound;

use super::FRAME;

/// Packs frames one after another, each for itself.
pub(super) trait Pack: Sized + Send + 'static {
    /// Gives back what it packs.
    type Unpack: Unpack;
    /// What the format tells of a frame's plain bytes elsewhere.
    type Note: Send + 'static;

    /// Frames that are packed at once.
    const AHEAD: usize;

    fn new() -> io::Result<Self>;

    /// A bound on the packed bytes of so many plain ones, [`FRAME`] at most.
    fn at_most(plain: usize) -> usize;

    /// The buffer that [`pack`](Self::pack) wants.
    fn room() -> usize;

    /// Packs a frame into a buffer of so much [`room`](Self::room); returns how much it took.
    fn pack(&mut self, plain: &[u8], packed: &mut [u8]) -> io::Result<(usize, Self::Note)>;
}

/// Gives back frames one after another.
pub(super) trait Unpack: Send + 'static {
    fn new() -> io::Result<Self>
    where
        Self: Sized;

    /// Unpacks a whole frame; returns how many bytes it has. A frame of more bytes than there is
    /// room for is an error.
    fn unpack(&mut self, packed: &[u8], plain: &mut [u8]) -> io::Result<usize>;
}

/// Zstandard, with a checksum in every frame.
pub(super) struct Zstd(Compressor<'static>);

/// The way back from [`Zstd`].
pub(super) struct Unzstd(Decompressor<'static>);

/// Deflate without a head (RFC 1951). Each frame ends at a byte and refers to none before it, so
/// that frames in a row are one stream to any decoder, which [`END`] ends.
pub(super) struct Deflate(Compress);

/// The way back from [`Deflate`].
pub(super) struct Inflate(Decompress);

/// A last block with nothing in it (RFC 1951, 3.2.6: fixed codes, then the end of the block).
pub(super) const END: [u8; 2] = [0x03, 0x00];

/// Level 1 takes two thirds of its CPU and leaves a quarter more; but zlib-rs 0.6.8 panics there
/// where bytes that do not compress leave no room (`deflate_quick`). Level 3 takes a fifth more
/// and leaves a sixth less.
const LEVEL: u32 = 2;

/// The most bytes in a block that is stored as it is, and what stands before them: RFC 1951, 3.2.4.
const STORED: usize = 65_535;
const STORED_HEAD: usize = 5;

impl Pack for Zstd {
    type Unpack = Unzstd;
    type Note = ();

    /// Level 1 outruns etcd's stream on one core.
    const AHEAD: usize = 2;

    fn new() -> io::Result<Self> {
        // Five sixths of level 3's CPU, 6 % larger.
        let mut compressor = Compressor::new(1)?;
        compressor.include_checksum(true)?;
        Ok(Self(compressor))
    }

    fn at_most(plain: usize) -> usize {
        compress_bound(plain)
    }

    fn room() -> usize {
        Self::at_most(FRAME)
    }

    fn pack(&mut self, plain: &[u8], packed: &mut [u8]) -> io::Result<(usize, ())> {
        Ok((self.0.compress_to_buffer(plain, packed)?, ()))
    }
}

impl Unpack for Unzstd {
    fn new() -> io::Result<Self> {
        Decompressor::new().map(Self)
    }

    fn unpack(&mut self, packed: &[u8], plain: &mut [u8]) -> io::Result<usize> {
        self.0.decompress_to_buffer(packed, plain)
    }
}

impl Pack for Deflate {
    type Unpack = Inflate;
    /// The checksum of the plain bytes, to be combined with those before.
    type Note = Hasher;

    const AHEAD: usize = 4;

    fn new() -> io::Result<Self> {
        Ok(Self(Compress::new(Compression::new(LEVEL), false)))
    }

    fn at_most(plain: usize) -> usize {
        plain + plain.div_ceil(STORED) * STORED_HEAD
    }

    /// More than deflate ever takes: what it does in a buffer that becomes full has had bugs
    /// (zlib-rs issue 455).
    fn room() -> usize {
        FRAME + FRAME / 8
    }

    fn pack(&mut self, plain: &[u8], packed: &mut [u8]) -> io::Result<(usize, Hasher)> {
        let mut crc = Hasher::new();
        crc.update(plain);
        self.0.reset();
        self.0.compress(plain, packed, FlushCompress::Sync)?;
        let len = usize::try_from(self.0.total_out()).map_err(io::Error::other)?;
        let len = if len > Self::at_most(plain.len()) {
            store(plain, packed)
        } else {
            len
        };
        Ok((len, crc))
    }
}

/// What cannot be compressed, as blocks that are not.
pub(super) fn store(plain: &[u8], packed: &mut [u8]) -> usize {
    let mut len = 0;
    for piece in plain.chunks(STORED) {
        let size = u16::try_from(piece.len()).expect("a piece has at most so many bytes");
        let [low, high] = size.to_le_bytes();
        let head = [0, low, high, !low, !high];
        packed[len..len + STORED_HEAD].copy_from_slice(&head);
        len += STORED_HEAD;
        packed[len..len + piece.len()].copy_from_slice(piece);
        len += piece.len();
    }
    len
}

impl Unpack for Inflate {
    fn new() -> io::Result<Self> {
        Ok(Self(Decompress::new(false)))
    }

    fn unpack(&mut self, packed: &[u8], plain: &mut [u8]) -> io::Result<usize> {
        self.0.reset(false);
        self.0.decompress(packed, plain, FlushDecompress::Sync)?;
        let len = self.0.total_out();
        let taken = usize::try_from(self.0.total_in()).map_err(io::Error::other)?;
        // A full buffer may have stopped it before the mark at the end of a flush.
        let rest = packed.get(taken..).unwrap_or_default();
        if !rest.is_empty() {
            self.0.decompress(rest, &mut [0], FlushDecompress::Sync)?;
        }
        if self.0.total_out() != len || self.0.total_in() != packed.len() as u64 {
            return Err(io::Error::other("more bytes than there is room for"));
        }
        usize::try_from(len).map_err(io::Error::other)
    }
}
