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
use std::sync::{Arc, Mutex, PoisonError};

use rollsnap_snapfile::ReadAt;
use rollsnap_store::ReadBack;
use zstd::zstd_safe::compress_bound;

use super::packing::{Deflate, Inflate, Pack, Unpack, Unzstd};
use super::{Codec, FRAME, number, zip};

const SKIPPABLE: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;
const HEADER: usize = 8;
const ROW: usize = 8;
const FOOTER: usize = 9;

/// Decoded frames that are held: as many branches of a tree as are read at the same time.
const HELD: usize = 8;

/// 128 GiB of database, ten times what etcd takes. More is a table that lies, and would only
/// cost memory.
const MOST_FRAMES: u64 = 128 << 10;

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

/// A bound on the frames of so many plain bytes and their table.
pub(super) fn at_most(plain: u64) -> u64 {
    let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let frames = plain.div_ceil(bytes(FRAME));
    let a_frame = bytes(compress_bound(FRAME) + ROW);
    frames.saturating_mul(a_frame) + bytes(HEADER + FOOTER)
}

/// Stored bytes as the plain bytes they stand for, readable at any place.
pub fn pages(stored: Box<dyn ReadBack>, codec: Codec) -> io::Result<Arc<dyn ReadAt>> {
    seekable(Arc::new(crate::plain::AtAnyPlace(stored)), codec)
}

/// Stored bytes of ours as the plain bytes they stand for. That the table is of another form than
/// ours is an error of kind `InvalidData` here: it was altered.
pub(crate) fn seekable(stored: Arc<dyn ReadAt>, codec: Codec) -> io::Result<Arc<dyn ReadAt>> {
    let frames = match codec {
        Codec::None => return Ok(stored),
        Codec::Zstd => Seekable::open(stored),
        Codec::Zip => Seekable::open_zip(stored),
    };
    match frames {
        Ok(frames) => Ok(Arc::new(frames)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) => Err(error),
    }
}

/// A compressed snapshot, decoded frame by frame as it is read.
///
/// Memory: the table (32 bytes a MiB, 4 MiB at most), decoded frames of 8 MiB together and a
/// compressed one (1 MiB, of a zip above 15 GiB up to 8).
pub struct Seekable {
    stored: Arc<dyn ReadAt>,
    frames: Vec<Frame>,
    decoder: Mutex<Decoder>,
}

/// Where a frame lies in the stored bytes and in the plain ones.
#[derive(Debug, Clone, Copy)]
struct Frame {
    offset: u64,
    len: u32,
    plain_offset: u64,
    plain_len: u32,
}

struct Decoder {
    unpacker: Box<dyn Unpack>,
    compressed: Vec<u8>,
    /// Frames by their index, the one read last at the end.
    held: Vec<(usize, Vec<u8>)>,
    most_held: usize,
}

impl Seekable {
    /// Whether the bytes end as a table of ours for Zstandard does. Only [`open`](Self::open)
    /// tells whether it can be true.
    pub fn has_table(stored: &dyn ReadAt) -> io::Result<bool> {
        let size = stored.size()?;
        let mut footer = [0; FOOTER];
        let Some(at) = size.checked_sub(FOOTER as u64) else {
            return Ok(false);
        };
        stored.read_at(at, &mut footer)?;
        Ok(footer[4] == 0 && number(&footer[5..]) == SEEKABLE)
    }

    /// Whether the bytes are a zip with a table that fits it.
    pub fn has_zip_table(stored: &dyn ReadAt) -> io::Result<bool> {
        match zip::frames(stored) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the table of [`Codec::Zstd`]. Sizes that cannot be true are an error of kind
    /// `InvalidData`; a table of another writer, whose frames are larger or have checksums of
    /// their own, is one of kind `Unsupported`: such a file is decoded from its beginning.
    pub fn open(stored: Arc<dyn ReadAt>) -> io::Result<Self> {
        let sizes = zstd_table(&*stored)?;
        Ok(Self::of(stored, 0, &sizes, Box::new(Unzstd::new()?), HELD))
    }

    /// Reads the table of [`Codec::Zip`]. A zip without one that fits it is an error of kind
    /// `Unsupported`.
    ///
    /// A zip has one checksum for all of a snapshot, and here none is looked at.
    pub fn open_zip(stored: Arc<dyn ReadAt>) -> io::Result<Self> {
        let rows = zip::frames(&*stored)?;
        let most = Deflate::at_most(FRAME) * (rows.row / FRAME);
        let last = rows.packed.len().saturating_sub(1) as u64 * rows.row as u64;
        let mut sizes = Vec::with_capacity(rows.packed.len());
        for (index, packed) in rows.packed.iter().enumerate() {
            let plain = if index + 1 < rows.packed.len() {
                u32::try_from(rows.row)
            } else {
                u32::try_from(rows.plain - last)
            };
            if *packed as usize > most {
                return Err(foreign("has a frame larger than any is written"));
            }
            sizes.push((*packed, plain.map_err(io::Error::other)?));
        }
        let most_held = (HELD * FRAME / rows.row).max(1);
        let unpacker = Box::new(Inflate::new()?);
        Ok(Self::of(stored, rows.start, &sizes, unpacker, most_held))
    }

    /// Frames of these sizes, compressed and plain, the first at `offset`.
    fn of(
        stored: Arc<dyn ReadAt>,
        mut offset: u64,
        sizes: &[(u32, u32)],
        unpacker: Box<dyn Unpack>,
        most_held: usize,
    ) -> Self {
        let mut plain_offset = 0;
        let frames = sizes.iter().map(|&(len, plain_len)| {
            let frame = Frame {
                offset,
                len,
                plain_offset,
                plain_len,
            };
            offset += u64::from(len);
            plain_offset += u64::from(plain_len);
            frame
        });
        Self {
            stored,
            frames: frames.collect(),
            decoder: Mutex::new(Decoder {
                unpacker,
                compressed: Vec::new(),
                held: Vec::with_capacity(most_held),
                most_held,
            }),
        }
    }
}

/// The compressed and the plain size of every frame, by the table at the end.
fn zstd_table(stored: &dyn ReadAt) -> io::Result<Vec<(u32, u32)>> {
    let size = stored.size()?;
    let mut footer = [0; FOOTER];
    let rows_end = size
        .checked_sub(FOOTER as u64)
        .ok_or_else(|| broken("is too short"))?;
    stored.read_at(rows_end, &mut footer)?;
    let (count, rest) = footer.split_at(4);
    let (flags, magic) = rest.split_at(1);
    if number(magic) != SEEKABLE {
        return Err(broken("has no table of frames at its end"));
    }
    if flags != [0] {
        return Err(foreign("has a table of another form"));
    }
    let count = u64::from(number(count));
    if count > MOST_FRAMES {
        return Err(foreign("has more frames than are ever written"));
    }
    let rows_len = count * ROW as u64;
    let (rows_start, header_start) = rows_end
        .checked_sub(rows_len)
        .and_then(|start| Some((start, start.checked_sub(HEADER as u64)?)))
        .ok_or_else(|| broken("is cut"))?;
    let mut header = [0; HEADER];
    stored.read_at(header_start, &mut header)?;
    let (magic, content) = header.split_at(4);
    if number(magic) != SKIPPABLE || u64::from(number(content)) != rows_len + FOOTER as u64 {
        return Err(broken("has a table that does not begin where it should"));
    }
    let mut rows = vec![0; usize::try_from(rows_len).map_err(io::Error::other)?];
    stored.read_at(rows_start, &mut rows)?;

    let mut sizes = Vec::with_capacity(rows.len() / ROW);
    let mut all = 0;
    for row in rows.chunks_exact(ROW) {
        let (len, plain_len) = row.split_at(4);
        let (len, plain_len) = (number(len), number(plain_len));
        if plain_len as usize > FRAME || len as usize > compress_bound(FRAME) {
            return Err(foreign("has a frame larger than any is written"));
        }
        all += u64::from(len);
        sizes.push((len, plain_len));
    }
    if all != header_start {
        return Err(broken("has a table that does not fit its frames"));
    }
    Ok(sizes)
}

impl Decoder {
    /// The plain bytes of a frame.
    fn frame(&mut self, stored: &dyn ReadAt, index: usize, frame: Frame) -> io::Result<&[u8]> {
        let place = self.held.iter().rposition(|(held, _)| *held == index);
        let found = if let Some(place) = place {
            self.held.remove(place)
        } else {
            let used = (self.held.len() == self.most_held).then(|| self.held.remove(0).1);
            let plain = self.decode(stored, frame, used.unwrap_or_default())?;
            (index, plain)
        };
        self.held.push(found);
        Ok(self.held.last().map_or(&[], |(_, plain)| plain))
    }

    /// Decodes a frame into a buffer that may have been used before.
    fn decode(
        &mut self,
        stored: &dyn ReadAt,
        frame: Frame,
        mut plain: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        self.compressed.resize(frame.len as usize, 0);
        stored.read_at(frame.offset, &mut self.compressed)?;
        plain.resize(frame.plain_len as usize, 0);
        let len = self
            .unpacker
            .unpack(&self.compressed, &mut plain)
            .map_err(|error| broken(&format!("has a frame that does not decode: {error}")))?;
        if len != plain.len() {
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
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
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
            let from = usize::try_from(at - frame.plain_offset).map_err(io::Error::other)?;
            if from >= frame.plain_len as usize {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let plain = decoder.frame(&*self.stored, index, frame)?;
            let piece = plain.get(from..).unwrap_or_default();
            let len = piece.len().min(buf.len() - filled);
            buf[filled..filled + len].copy_from_slice(&piece[..len]);
            filled += len;
        }
        Ok(())
    }
}

fn broken(what: &str) -> io::Error {
    refused(io::ErrorKind::InvalidData, what)
}

fn foreign(what: &str) -> io::Error {
    refused(io::ErrorKind::Unsupported, what)
}

fn refused(kind: io::ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("the compressed snapshot {what}"))
}
