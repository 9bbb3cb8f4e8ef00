//! Segments of etcd's write-ahead log: frames, and the records in them.
//!
//! ```text
//! frame:  length u64 LE | record | zeros up to a multiple of 8
//!         low 56 bits: bytes of the record; top byte: 0x80 | bytes of padding, or 0
//! record: type 1 | crc 2 | data 3          (proto2: zeros are written, absent data is not)
//! ```
//! The crc of a record is that of the data of all records so far (CRC-32C), not of frames or
//! padding. A length of 0 is the end: the rest of the file was only reserved. Sources: etcd
//! `server/storage/wal/{encoder,decoder,wal}.go`, `walpb/record.proto`, `raftpb/raft.proto`.

use crc32c::crc32c_append;

use crate::proto::{Field, ProtoError, Value, Writing};

/// Bytes that etcd reserves for a segment.
pub const SEGMENT: u64 = 64_000_000;

/// The name of a log's first segment, whose first entry would be number 0.
pub const FIRST_SEGMENT: &str = "0000000000000000-0000000000000000.wal";

const PADDED: u8 = 0x80;
const LENGTH: usize = 8;

/// What a record is of (`server/storage/wal/wal.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whose log it is: member and cluster.
    Metadata,
    /// An entry of raft's log.
    Entry,
    /// Raft's hard state.
    State,
    /// The crc so far, at the start of a segment.
    Crc,
    /// That a raft snapshot was made.
    Snapshot,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// What it is of.
    pub kind: Kind,
    /// A message of that kind.
    pub data: &'a [u8],
}

/// Why bytes are no segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// A frame or its padding reaches beyond the end.
    #[error("log: the frame at {0} is cut")]
    Cut(usize),
    /// A record is no message, or of no known type, or the first and no crc.
    #[error("log: the record at {0} cannot be read")]
    Record(usize),
    /// A record is not the one that was written.
    #[error("log: the record at {0} has another checksum")]
    Crc(usize),
}

/// A first segment that is being written, in memory: a new member's is below a kilobyte.
#[derive(Debug)]
pub(super) struct Segment {
    bytes: Vec<u8>,
    crc: u32,
}

impl Segment {
    /// Begins one: its first record says that no crc came before.
    pub(super) fn new() -> Self {
        let mut segment = Self {
            bytes: Vec::new(),
            crc: 0,
        };
        segment.frame(
            Writing::default()
                .number(1, Kind::Crc.number())
                .number(2, 0),
        );
        segment
    }

    pub(super) fn push(&mut self, kind: Kind, data: Writing) {
        let data = data.done();
        self.crc = crc32c_append(self.crc, &data);
        let record = Writing::default()
            .number(1, kind.number())
            .number(2, self.crc.into())
            .bytes(3, &data);
        self.frame(record);
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.bytes
    }

    fn frame(&mut self, record: Writing) {
        let record = record.done();
        let padding = record
            .len()
            .next_multiple_of(LENGTH)
            .saturating_sub(record.len());
        let mut length = u64::try_from(record.len()).unwrap_or(0).to_le_bytes();
        if let (Some(top), 1..) = (length.last_mut(), padding) {
            *top = PADDED | padding.to_le_bytes()[0];
        }
        self.bytes.extend_from_slice(&length);
        self.bytes.extend_from_slice(&record);
        self.bytes.extend(std::iter::repeat_n(0, padding));
    }
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Metadata,
        Self::Entry,
        Self::State,
        Self::Crc,
        Self::Snapshot,
    ];

    fn number(self) -> u64 {
        match self {
            Self::Metadata => 1,
            Self::Entry => 2,
            Self::State => 3,
            Self::Crc => 4,
            Self::Snapshot => 5,
        }
    }
}

/// Reads a log's first segment: every record but the crc's, each checked. It begins with a crc, as
/// every segment of etcd does (`wal.go`, `Create` and `cut`), and ends at the first frame of length
/// 0 or at the end of `bytes`.
pub fn read_segment(bytes: &[u8]) -> Result<Vec<LogRecord<'_>>, WalError> {
    let mut records = Vec::new();
    let mut crc = 0;
    let mut rest = bytes;
    loop {
        let at = bytes.len().saturating_sub(rest.len());
        let Some((length, after)) = rest.split_first_chunk::<LENGTH>() else {
            return if rest.is_empty() {
                Ok(records)
            } else {
                Err(WalError::Cut(at))
            };
        };
        if *length == [0; LENGTH] {
            return Ok(records);
        }
        let (record, after) = split_frame(*length, after).ok_or(WalError::Cut(at))?;
        rest = after;
        let (kind, told, data) = parse(record).map_err(|_| WalError::Record(at))?;
        let kind = Kind::ALL
            .into_iter()
            .find(|it| it.number() == kind)
            .filter(|&it| at != 0 || it == Kind::Crc)
            .ok_or(WalError::Record(at))?;
        match kind {
            Kind::Crc if crc == 0 || told == u64::from(crc) => {}
            Kind::Crc => return Err(WalError::Crc(at)),
            kind => {
                crc = crc32c_append(crc, data);
                if told != u64::from(crc) {
                    return Err(WalError::Crc(at));
                }
                records.push(LogRecord { kind, data });
            }
        }
    }
}

/// The record and what comes after its padding.
fn split_frame(length: [u8; LENGTH], after: &[u8]) -> Option<(&[u8], &[u8])> {
    let [low @ .., top] = length;
    let padding = if top & PADDED == 0 {
        0
    } else {
        usize::from(top & 7)
    };
    let mut wide = [0; LENGTH];
    wide.split_at_mut(low.len()).0.copy_from_slice(&low);
    let (record, after) =
        after.split_at_checked(usize::try_from(u64::from_le_bytes(wide)).ok()?)?;
    let (_, after) = after.split_at_checked(padding)?;
    Some((record, after))
}

fn parse(record: &[u8]) -> Result<(u64, u64, &[u8]), ProtoError> {
    let (mut kind, mut crc, mut data): (_, _, &[u8]) = (0, 0, &[]);
    let mut rest = record;
    while let Some((field, after)) = Field::read(rest)? {
        rest = after;
        match (field.number, field.value) {
            (1, Value::Varint(number)) => kind = number,
            (2, Value::Varint(number)) => crc = number,
            (3, Value::Bytes(bytes)) => data = bytes,
            (1..=3, _) => return Err(ProtoError::Type),
            _ => {}
        }
    }
    Ok((kind, crc, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_and_a_change_makes_no_other_data(
            datas in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..8),
            flip in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let mut segment = Segment::new();
            for data in &datas {
                segment.push(Kind::Entry, Writing::default().bytes(1, data));
            }
            let bytes = segment.done();
            let read = read_segment(&bytes).unwrap();
            prop_assert_eq!(read.len(), datas.len());
            for (record, data) in read.iter().zip(&datas) {
                let expected = Writing::default().bytes(1, data).done();
                prop_assert_eq!(*record, LogRecord { kind: Kind::Entry, data: &expected });
            }
            let mut broken = bytes.clone();
            let at = flip.index(broken.len());
            broken[at] ^= 1 << bit;
            // A length that becomes 0 is an end, and no sum is of the kind: the data is never other.
            let data_of = |records: &[LogRecord<'_>]| -> Vec<Vec<u8>> {
                records.iter().map(|record| record.data.to_vec()).collect()
            };
            let all = data_of(&read);
            if let Ok(records) = read_segment(&broken) {
                prop_assert!(all.starts_with(&data_of(&records)));
            }
            for cut in 0..bytes.len() {
                if let Ok(records) = read_segment(&bytes[..cut]) {
                    prop_assert!(read.starts_with(&records));
                }
            }
        }

        #[test]
        fn any_bytes_are_a_segment_or_an_error(bytes: Vec<u8>) {
            let _ = read_segment(&bytes);
        }
    }

    #[test]
    fn a_segment_begins_with_a_crc() {
        let mut segment = Segment::new();
        segment.push(Kind::State, Writing::default().number(1, 1));
        let mut bytes = segment.done();
        // One bit makes of the first record an empty snapshot's, whose crc is 0 as well.
        assert_eq!(bytes[9], 4);
        bytes[9] ^= 1;
        assert_eq!(read_segment(&bytes), Err(WalError::Record(0)));
    }

    #[test]
    fn reserved_room_is_the_end() {
        let mut segment = Segment::new();
        segment.push(Kind::State, Writing::default().number(1, 1));
        let mut bytes = segment.done();
        bytes.extend([0; 100]);
        assert_eq!(read_segment(&bytes).unwrap().len(), 1);
    }
}
