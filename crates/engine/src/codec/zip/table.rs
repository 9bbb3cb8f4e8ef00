//! Where the frames of a zipped snapshot begin, so that any page can be read without the rest.
//!
//! An extra field of the snapshot's entry in the directory:
//!
//! ```text
//! 0x7372 u16 | length u16 | plain bytes of a row u8, as a power of two | packed bytes u32 x n
//! ```
//!
//! Every row but the last stands for as many plain bytes; [`END`] follows the last. An extra field
//! has less than 64 KiB, so above 15 GiB a row is two frames, above 30 four.

use std::io;

use rollsnap_snapfile::ReadAt;

use super::{DESCRIPTOR, ELSEWHERE, LOCAL, METHOD, SIZES, directory, field};
use crate::codec::packing::END;
use crate::codec::{FRAME, number};

/// "rs". PKWARE has given it to nobody (APPNOTE.TXT, 4.6.1).
const TABLE: u16 = 0x7372;

/// Even, so that rows can be put together. With their names, entries stay below 64 KiB.
const MOST_ROWS: usize = 15 << 10;

/// Eight frames in a row, for 120 GiB. One row is held while it is read.
const MOST_MERGED: u32 = 3;

/// The packed sizes of all frames, growing.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<u32>,
    /// Frames so far.
    frames: usize,
    /// A row is so many frames, as a power of two.
    merged: u32,
}

impl Table {
    pub(super) fn push(&mut self, packed: usize) {
        let packed = u32::try_from(packed).expect("a frame is about a MiB");
        if self.frames.is_multiple_of(1 << self.merged) {
            if self.rows.len() == MOST_ROWS {
                self.rows = self.rows.chunks(2).map(|pair| pair.iter().sum()).collect();
                self.merged += 1;
            }
            self.rows.push(0);
        }
        if let Some(last) = self.rows.last_mut() {
            *last = last.saturating_add(packed);
        }
        self.frames += 1;
    }

    /// Nothing for what is larger than a table serves.
    pub(super) fn field(&self) -> Vec<u8> {
        if self.merged > MOST_MERGED {
            return Vec::new();
        }
        let row = FRAME.trailing_zeros() + self.merged;
        let mut content = vec![u8::try_from(row).expect("a power of two")];
        content.extend(self.rows.iter().flat_map(|row| row.to_le_bytes()));
        field(TABLE, &content)
    }
}

/// The frames of a snapshot in a zip.
pub(in crate::codec) struct Rows {
    /// Where the first begins.
    pub(in crate::codec) start: u64,
    /// The packed bytes of each row.
    pub(in crate::codec) packed: Vec<u32>,
    /// The plain bytes of each row but the last.
    pub(in crate::codec) row: usize,
    /// The plain bytes of all.
    pub(in crate::codec) plain: u64,
}

/// Reads the table of a zip that was written here. Of every other one, and of one that was
/// changed, it is an error of kind `Unsupported`: such a zip is unpacked from its beginning.
///
/// Reads 130 KiB at most.
pub(in crate::codec) fn frames(stored: &dyn ReadAt) -> io::Result<Rows> {
    let whole = Whole {
        stored,
        size: stored.size()?,
    };
    let at = directory::find(&whole)?;
    let head: [u8; directory::HEADER] = whole.read(at)?;
    let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let (name, extra, comment) = (short(28), short(30), short(32));
    let offset = number(&head[42..46]);
    let is_ours = number(&head[..4]) == directory::CENTRAL && short(10) == METHOD;
    if !is_ours || offset != 0 || comment != 0 {
        return Err(foreign());
    }
    let extra_at = at + (directory::HEADER + usize::from(name)) as u64;
    let extra = whole.read_vec(extra_at, usize::from(extra))?;
    let mut packed = u64::from(number(&head[20..24]));
    let mut plain = u64::from(number(&head[24..28]));
    if let Some(sizes) = find_field(&extra, SIZES) {
        let mut sizes = sizes.chunks_exact(8);
        for size in [&mut plain, &mut packed] {
            if *size == u64::from(ELSEWHERE) {
                let told = sizes.next().and_then(|size| size.try_into().ok());
                *size = u64::from_le_bytes(told.ok_or_else(foreign)?);
            }
        }
    }
    let (row, rows) = find_field(&extra, TABLE)
        .and_then(<[u8]>::split_first)
        .ok_or_else(foreign)?;
    let rows: Vec<_> = rows.chunks(4).map(number).collect();
    let merged = u32::from(*row).checked_sub(FRAME.trailing_zeros());
    let merged = merged.filter(|merged| *merged <= MOST_MERGED);
    let row = FRAME << merged.ok_or_else(foreign)?;
    let told: u64 = rows.iter().copied().map(u64::from).sum();
    if rows.len() as u64 != plain.div_ceil(row as u64) || told + END.len() as u64 != packed {
        return Err(foreign());
    }

    let head: [u8; LOCAL_HEAD] = whole.read(0)?;
    let short = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let start = LOCAL_HEAD as u64 + short(26) + short(28);
    // Where it ends, its sizes begin.
    let after: [u8; 4] = whole.read(start.saturating_add(packed))?;
    if number(&head[..4]) != LOCAL || number(&after) != DESCRIPTOR {
        return Err(foreign());
    }
    Ok(Rows {
        start,
        packed: rows,
        row,
        plain,
    })
}

/// An entry's head without its name and extra fields (4.3.7).
const LOCAL_HEAD: usize = 30;

fn find_field(mut extra: &[u8], id: u16) -> Option<&[u8]> {
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (content, rest) = rest.split_at_checked(len)?;
        if head[..2] == id.to_le_bytes() {
            return Some(content);
        }
        extra = rest;
    }
    None
}

/// Stored bytes of which none lie past the end.
pub(super) struct Whole<'a> {
    stored: &'a dyn ReadAt,
    pub(super) size: u64,
}

impl Whole<'_> {
    pub(super) fn read<const N: usize>(&self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes)?;
        Ok(bytes)
    }

    fn read_vec(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.fill(at, &mut bytes)?;
        Ok(bytes)
    }

    fn fill(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match at.checked_add(bytes.len() as u64) {
            Some(end) if end <= self.size => self.stored.read_at(at, bytes),
            _ => Err(foreign()),
        }
    }
}

pub(super) fn foreign() -> io::Error {
    let text = "the zip has no table of frames that fits it";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_any_length_fits_and_tells_of_every_byte() {
        let mut table = Table::default();
        for frames in 1..=8 * MOST_ROWS {
            table.push(frames % 1000);
            let last = table.rows.last().copied();
            assert!(table.rows.len() <= MOST_ROWS && last.is_some(), "{frames}");
            if frames.is_power_of_two() || frames % MOST_ROWS < 2 {
                let all: u64 = table.rows.iter().copied().map(u64::from).sum();
                let pushed: u64 = (1..=frames as u64).map(|frame| frame % 1000).sum();
                assert_eq!(all, pushed, "{frames}");
                let rows = frames.div_ceil(1 << table.merged);
                assert_eq!(table.rows.len(), rows, "{frames}");
                assert_eq!(table.field().len(), 4 + 1 + 4 * rows);
            }
        }
        assert_eq!(table.merged, MOST_MERGED);
        table.push(1);
        assert!(table.field().is_empty(), "a row would be too long to hold");
    }
}
