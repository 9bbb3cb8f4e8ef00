//! The table at the end of a compressed snapshot, and pages read through it.
//!
//! The layout is Zstandard's own seekable format (facebook/zstd,
//! `contrib/seekable_format/zstd_seekable_compression_format.md`): frames one after another,
//! then a skippable frame that ordinary decoders pass over:
//!
//! ```text
//! 0x184D2A5E u32 | length u32 | (compressed u32 | plain u32) x n | n u32 | flags u8 = 0 | 0x8F92EAB1 u32
//! ```

use std::io;
use std::sync::{Mutex, PoisonError};

use rollsnap_snapfile::ReadAt;
use rollsnap_store::ReadBack;

use super::{Codec, FRAME};

const SKIPPABLE: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;
const HEADER: usize = 8;
const ROW: usize = 8;
const FOOTER: usize = 9;

/// The sizes of all frames, growing.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<u8>,
    frames: u32,
}

impl Table {
    pub(super) fn push(&mut self, compressed: usize, plain: usize) {
        for size in [compressed, plain] {
            let size = u32::try_from(size).expect("a frame is about a MiB");
            self.rows.extend_from_slice(&size.to_le_bytes());
        }
        self.frames += 1;
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let content = u32::try_from(self.rows.len() + FOOTER).expect("frames are counted in u32");
        let mut bytes = Vec::with_capacity(HEADER + self.rows.len() + FOOTER);
        bytes.extend_from_slice(&SKIPPABLE.to_le_bytes());
        bytes.extend_from_slice(&content.to_le_bytes());
        bytes.extend_from_slice(&self.rows);
        bytes.extend_from_slice(&self.frames.to_le_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&SEEKABLE.to_le_bytes());
        bytes
    }
}

/// Stored bytes as the plain bytes they stand for, readable at any place.
pub fn pages(stored: Box<dyn ReadBack>, codec: Codec) -> io::Result<Box<dyn ReadAt>> {
    Ok(match codec {
        Codec::None => Box::new(Plain(stored)),
        Codec::Zstd => Box::new(Seekable::open(stored)?),
    })
}

struct Plain(Box<dyn ReadBack>);

impl ReadAt for Plain {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }
}

/// A compressed snapshot, decoded frame by frame as it is read.
///
/// Memory: the table (8 bytes a MiB) and one decoded frame.
pub struct Seekable {
    stored: Box<dyn ReadBack>,
    frames: Vec<Frame>,
    /// The frame decoded last, by its index: neighbouring pages share it.
    decoded: Mutex<Option<(usize, Vec<u8>)>>,
}

/// Where a frame lies in the stored bytes and in the plain ones.
#[derive(Debug, Clone, Copy)]
struct Frame {
    offset: u64,
    len: u32,
    plain_offset: u64,
    plain_len: u32,
}

impl Seekable {
    /// Reads the table. Sizes that cannot be true are an error of kind `InvalidData`.
    pub fn open(stored: Box<dyn ReadBack>) -> io::Result<Self> {
        let size = stored.size()?;
        let mut footer = [0; FOOTER];
        let rows_end = size
            .checked_sub(FOOTER as u64)
            .ok_or_else(|| broken("is too short"))?;
        stored.read_at(rows_end, &mut footer)?;
        let (count, rest) = footer.split_at(4);
        let (flags, magic) = rest.split_at(1);
        if number(magic) != SEEKABLE || flags != [0] {
            return Err(broken("has no table of frames at its end"));
        }
        let rows_len = u64::from(number(count)) * ROW as u64;
        let rows_start = rows_end
            .checked_sub(rows_len)
            .ok_or_else(|| broken("is cut"))?;
        let mut rows = vec![0; usize::try_from(rows_len).map_err(io::Error::other)?];
        stored.read_at(rows_start, &mut rows)?;

        let mut frames = Vec::with_capacity(rows.len() / ROW);
        let (mut offset, mut plain_offset) = (0, 0);
        for row in rows.chunks_exact(ROW) {
            let (len, plain_len) = row.split_at(4);
            let (len, plain_len) = (number(len), number(plain_len));
            if plain_len as usize > FRAME || len as usize > zstd::zstd_safe::compress_bound(FRAME) {
                return Err(broken("has a frame larger than any is written"));
            }
            frames.push(Frame {
                offset,
                len,
                plain_offset,
                plain_len,
            });
            offset += u64::from(len);
            plain_offset += u64::from(plain_len);
        }
        if offset + HEADER as u64 != rows_start {
            return Err(broken("has a table that does not fit its frames"));
        }
        Ok(Self {
            stored,
            frames,
            decoded: Mutex::new(None),
        })
    }

    fn decode(&self, frame: Frame) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; frame.len as usize];
        self.stored.read_at(frame.offset, &mut bytes)?;
        let plain = zstd::bulk::decompress(&bytes, frame.plain_len as usize)?;
        if plain.len() != frame.plain_len as usize {
            return Err(broken("has a frame of another size than its table tells"));
        }
        Ok(plain)
    }
}

impl ReadAt for Seekable {
    fn size(&self) -> io::Result<u64> {
        Ok(self
            .frames
            .last()
            .map_or(0, |last| last.plain_offset + u64::from(last.plain_len)))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset
                .checked_add(filled as u64)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            let index = self
                .frames
                .partition_point(|frame| frame.plain_offset <= at);
            let index = index.checked_sub(1).ok_or(io::ErrorKind::UnexpectedEof)?;
            let frame = self.frames[index];
            if decoded.as_ref().is_none_or(|(held, _)| *held != index) {
                *decoded = Some((index, self.decode(frame)?));
            }
            let plain = decoded.as_ref().map_or(&[][..], |(_, plain)| plain);
            let from = usize::try_from(at - frame.plain_offset).map_err(io::Error::other)?;
            let piece = plain.get(from..).filter(|piece| !piece.is_empty());
            let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
            let len = piece.len().min(buf.len() - filled);
            buf[filled..filled + len].copy_from_slice(&piece[..len]);
            filled += len;
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the compressed snapshot {what}"),
    )
}
