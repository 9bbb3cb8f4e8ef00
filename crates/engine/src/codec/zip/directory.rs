//! What ends a zip: its entries again, and where they begin.

use std::io;

use super::table::{Whole, foreign};
use super::{ELSEWHERE, Entry, Record, SIZES, ZIP64, field};
use crate::codec::number;

pub(super) const CENTRAL: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;
const END64: u32 = 0x0606_4B50;
const LOCATOR: u32 = 0x0706_4B50;

/// An entry without its name and extra fields (4.3.12), and the ends without a comment.
pub(super) const HEADER: usize = 46;
const END_LEN: usize = 22;
const LOCATOR_LEN: usize = 20;
const END64_LEN: usize = 56;

/// Made by Unix (APPNOTE.TXT, 4.4.2), whose permissions these are.
const UNIX: u16 = 3 << 8;

/// A plain file, of `stat(2)`.
const PLAIN_FILE: u32 = 0o100_000;

/// The directory of all entries and its end, for a place at this offset.
pub(super) fn of(entries: &[Entry], offset: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(header).collect();
    let size = bytes.len() as u64;
    bytes.extend(end(entries.len(), size, offset));
    bytes
}

/// An entry (4.3.12).
fn header(entry: &Entry) -> Vec<u8> {
    // What is told in 64 bits, in this order (4.5.3).
    let mut large = Vec::new();
    let mut told = |size: u64, is_large: bool| match u32::try_from(size) {
        Ok(size) if !is_large => size,
        _ => {
            large.extend(size.to_le_bytes());
            ELSEWHERE
        }
    };
    let plain = told(entry.plain, entry.is_large);
    let packed = told(entry.packed, entry.is_large);
    let offset = told(entry.offset, entry.offset >= u64::from(ELSEWHERE));
    let mut extra = Vec::new();
    if !large.is_empty() {
        extra.extend(field(SIZES, &large));
    }
    extra.extend(entry.time_field());
    extra.extend(entry.table.field());

    let mut header = Record::new(CENTRAL);
    header.u16(UNIX | entry.version());
    entry.common(&mut header);
    header.u32(entry.crc.clone().finalize());
    header.u32(packed).u32(plain);
    header.length(entry.path.len()).length(extra.len());
    // No comment, the first disk, no text.
    header.u16(0).u16(0).u16(0);
    header.u32((PLAIN_FILE | entry.mode) << 16).u32(offset);
    header.bytes(entry.path.as_bytes()).bytes(&extra);
    header.0
}

/// The end of a directory of so many bytes (4.3.14 to 4.3.16).
fn end(entries: usize, size: u64, offset: u64) -> Vec<u8> {
    let count = u16::try_from(entries).expect("there are one or two");
    let mut record = Record(Vec::new());
    let told = u32::try_from(offset).unwrap_or(ELSEWHERE);
    if told == ELSEWHERE {
        record.u32(END64).u64(44);
        record.u16(UNIX | ZIP64).u16(ZIP64).u32(0).u32(0);
        record.u64(u64::from(count)).u64(u64::from(count));
        record.u64(size).u64(offset);
        record.u32(LOCATOR).u32(0).u64(offset + size).u32(1);
    }
    let size = u32::try_from(size).expect("an entry has at most 64 KiB here");
    record.u32(END).u16(0).u16(0).u16(count).u16(count);
    record.u32(size).u32(told).u16(0);
    record.0
}

/// Where the directory of a zip begins that may have been written here.
pub(super) fn find(whole: &Whole<'_>) -> io::Result<u64> {
    let at = whole.size.checked_sub(END_LEN as u64).ok_or_else(foreign)?;
    let end: [u8; END_LEN] = whole.read(at)?;
    if number(&end[..4]) != END || !matches!(end[8..12], [1 | 2, 0, 1 | 2, 0]) {
        return Err(foreign());
    }
    let offset = number(&end[16..20]);
    if offset != ELSEWHERE {
        return Ok(u64::from(offset));
    }
    let at = at.checked_sub((LOCATOR_LEN + END64_LEN) as u64);
    let end: [u8; END64_LEN] = whole.read(at.ok_or_else(foreign)?)?;
    if number(&end[..4]) != END64 {
        return Err(foreign());
    }
    let (_, offset) = end.split_last_chunk().ok_or_else(foreign)?;
    Ok(u64::from_le_bytes(*offset))
}
