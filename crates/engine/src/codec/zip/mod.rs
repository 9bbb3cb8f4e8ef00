//! A snapshot in a zip, as RKE's sidecar keeps it and its restore wants it.
//!
//! ```text
//! head of the snapshot | frames | end | sizes      <- as the stream comes
//! head of the state    | frames | end | sizes      <- where there is one
//! directory: both entries again, and in the first the table of its frames
//! end of the directory
//! ```
//!
//! Formats: PKWARE's APPNOTE.TXT 6.3; deflate: RFC 1951. The sidecar's choices (rke-tools
//! `main.go`, and the archives in `testdata/rke`): an absolute name, which its restore compares
//! whole; deflate; sizes after the bytes; Unix permissions. Ours: the true time, where the sidecar
//! wrote 1970 and DOS made 2098 of it, for none of its releases looks at it; and the table.
//!
//! The frames are one deflate stream to every reader. The table is an extra field of the
//! directory, which readers pass over as they pass over the Unix time.

mod directory;
mod table;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, Timelike, Utc};
use crc32fast::Hasher;

use super::FRAME;
use super::frames::Frame;
use super::packing::{Deflate, END, Pack};
use crate::SnapshotName;
use crate::enclosure::MOST_ENCLOSED;

use table::Table;
pub(super) use table::frames;

/// Where the sidecar has its snapshots, whatever the directory is here.
const SNAPSHOTS: &str = "/backup/";

/// Permissions that the sidecar's `etcdctl` gave the snapshot.
const MODE: u32 = 0o644;

/// What does not fit 32 bits is told in 64 elsewhere (APPNOTE.TXT, 4.5.3).
const ELSEWHERE: u32 = u32::MAX;

/// The versions that can read it (4.4.3): deflate, and sizes of 64 bits.
const DEFLATE: u16 = 20;
const ZIP64: u16 = 45;

/// Sizes after the bytes (4.4.4).
const SIZES_AFTER: u16 = 1 << 3;

/// The method deflate (4.4.5).
const METHOD: u16 = 8;

/// Extra fields: sizes of 64 bits (4.5.3), and the Unix time (Info-ZIP's `proginfo/extrafld.txt`).
const SIZES: u16 = 0x0001;
const TIME: u16 = 0x5455;

const LOCAL: u32 = 0x0403_4B50;
const DESCRIPTOR: u32 = 0x0807_4B50;

/// A bound on the zip of so many plain bytes and what is enclosed.
pub(super) fn at_most(plain: u64) -> u64 {
    let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let packed = |plain: u64| {
        let frames = plain.div_ceil(bytes(FRAME));
        frames.saturating_mul(bytes(Deflate::at_most(FRAME)))
    };
    packed(plain)
        .saturating_add(packed(bytes(MOST_ENCLOSED)))
        .saturating_add(2 * MOST_AROUND)
}

/// A bound on what is around the frames of an entry: its name and its extra fields twice, for a
/// header has less than 64 KiB, and the rest.
const MOST_AROUND: u64 = 2 << 16;

/// A zip that is being written: what of it is not frames.
#[derive(Default)]
pub(super) struct Archive {
    entries: Vec<Entry>,
}

/// A file in it.
struct Entry {
    path: String,
    mode: u32,
    time: DateTime<Utc>,
    /// Where its head is.
    offset: u64,
    /// Whether its sizes are told in 64 bits.
    is_large: bool,
    crc: Hasher,
    packed: u64,
    plain: u64,
    table: Table,
}

impl Archive {
    /// The head of the snapshot's entry. `at_most` bounds the bytes to come, packed.
    pub(super) fn snapshot(
        &mut self,
        name: &SnapshotName,
        time: DateTime<Utc>,
        at_most: u64,
    ) -> Vec<u8> {
        self.begin(format!("{SNAPSHOTS}{name}"), MODE, time, 0, at_most)
    }

    /// The head of an entry at this offset.
    pub(super) fn begin(
        &mut self,
        path: String,
        mode: u32,
        time: DateTime<Utc>,
        offset: u64,
        at_most: u64,
    ) -> Vec<u8> {
        let entry = Entry {
            path,
            mode,
            time,
            offset,
            is_large: at_most >= u64::from(ELSEWHERE),
            crc: Hasher::new(),
            packed: 0,
            plain: 0,
            table: Table::default(),
        };
        let head = entry.head();
        self.entries.push(entry);
        head
    }

    /// Counts a frame of the entry that was begun last.
    pub(super) fn keep(&mut self, frame: &Frame<Deflate>) {
        let entry = self.entry();
        entry.crc.combine(&frame.note);
        entry.packed += frame.bytes.len() as u64;
        entry.plain += frame.plain as u64;
        entry.table.push(frame.bytes.len());
    }

    /// What ends the entry that was begun last.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let entry = self.entry();
        entry.packed += END.len() as u64;
        // Of a stream that was larger than was told, readers learn from the directory.
        entry.is_large |= entry.packed.max(entry.plain) >= u64::from(ELSEWHERE);
        let mut bytes = END.to_vec();
        bytes.extend(entry.descriptor());
        bytes
    }

    fn entry(&mut self) -> &mut Entry {
        self.entries.last_mut().expect("an entry was begun")
    }

    /// What ends the archive, whose entries end at this offset.
    pub(super) fn finish(&self, offset: u64) -> Vec<u8> {
        directory::of(&self.entries, offset)
    }
}

impl Entry {
    /// What stands before its bytes (4.3.7), which tell their number and checksum after them.
    fn head(&self) -> Vec<u8> {
        // As other writers have it whose sizes come after the bytes: not told, and in 64 bits 0.
        let (size, mut extra) = if self.is_large {
            (ELSEWHERE, field(SIZES, &[0; 16]))
        } else {
            (0, Vec::new())
        };
        extra.extend(self.time_field());
        let mut head = Record::new(LOCAL);
        self.common(&mut head);
        head.u32(0).u32(size).u32(size);
        head.length(self.path.len()).length(extra.len());
        head.bytes(self.path.as_bytes()).bytes(&extra);
        head.0
    }

    /// What stands after its bytes (4.3.9).
    fn descriptor(&self) -> Vec<u8> {
        let mut record = Record::new(DESCRIPTOR);
        record.u32(self.crc.clone().finalize());
        for size in [self.packed, self.plain] {
            match u32::try_from(size) {
                Ok(size) if !self.is_large => record.u32(size),
                _ => record.u64(size),
            };
        }
        record.0
    }

    /// Fields that the head and the directory share.
    fn common(&self, record: &mut Record) {
        let (date, time) = dos(self.time);
        record.u16(self.version()).u16(SIZES_AFTER).u16(METHOD);
        record.u16(time).u16(date);
    }

    fn version(&self) -> u16 {
        let is_far = self.offset >= u64::from(ELSEWHERE);
        if self.is_large || is_far {
            ZIP64
        } else {
            DEFLATE
        }
    }

    /// The Unix time, where 32 bits have it.
    fn time_field(&self) -> Vec<u8> {
        let Ok(seconds) = i32::try_from(self.time.timestamp()) else {
            return Vec::new();
        };
        let mut content = vec![1];
        content.extend(seconds.to_le_bytes());
        field(TIME, &content)
    }
}

/// A date and a time as DOS has them (4.4.6), in UTC.
fn dos(at: DateTime<Utc>) -> (u16, u16) {
    let bits = |value: u32| u16::try_from(value).expect("parts of a date are small");
    let year = u16::try_from(at.year().clamp(1980, 2107) - 1980).expect("clamped");
    let date = year << 9 | bits(at.month()) << 5 | bits(at.day());
    let time = bits(at.hour()) << 11 | bits(at.minute()) << 5 | bits(at.second() / 2);
    (date, time)
}

/// An extra field (4.5.1).
fn field(id: u16, content: &[u8]) -> Vec<u8> {
    let mut field = Record(id.to_le_bytes().to_vec());
    field.length(content.len()).bytes(content);
    field.0
}

/// Little-endian fields in a row.
struct Record(Vec<u8>);

impl Record {
    fn new(signature: u32) -> Self {
        Self(signature.to_le_bytes().to_vec())
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn length(&mut self, len: usize) -> &mut Self {
        self.u16(u16::try_from(len).expect("names and fields are bounded"))
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}
