//! Where each key's last record lies, beside a snapshot.
//!
//! etcd orders records by time, so a key is found by reading them all. An index lists the keys
//! that are alive at the snapshot's end by their fingerprints, in order:
//!
//! ```text
//! | block 0 | block 1 | ... | database 32 | count 8 | checksum 4 | version 4 | "ROLLKEYS" |
//!      |
//!      '--> up to 255 x (fingerprint 8, place 8), checksum 4
//! ```
//!
//! Numbers are little endian. A fingerprint is the SipHash-1-3 of the key, with a key of zeros; a
//! place is the main revision of the key's last record, 40 bits, and its sub revision, 24 bits
//! below. All blocks but the last are full. `database` is the SHA-256 of the database that it tells
//! of, which is the digest at the snapshot's end. A checksum is the CRC-32C of `database`, the
//! block's number (8 bytes), and its bytes; at the end that of `database`, `count` and the version.
//!
//! Fingerprints are spread evenly, so the place of one in the file is known within a few blocks,
//! and one or two reads of 36 KiB find it, whatever the number of keys.
//!
//! An index is a shortcut and no truth: what is found by it is compared with the key that was
//! asked for, and where it does not fit, the records are read. That a key is absent is believed to
//! it, but for one case in 10^8: two keys of a million may share a fingerprint, and the one whose
//! change came first is then not listed.

mod lookup;
mod writer;

use crate::mvcc::Revision;

pub use lookup::{IndexError, KeyIndex, get_by_index};
pub(crate) use writer::Writer;

/// Takes an index, piece by piece.
pub type Tell<'t> = &'t mut dyn FnMut(&[u8]);

const MAGIC: [u8; 8] = *b"ROLLKEYS";
const VERSION: u32 = 1;
/// Bytes of a fingerprint and a place.
const ENTRY: usize = 16;
/// Entries of a full block.
const ENTRIES: u64 = 255;
const CHECKSUM: usize = 4;
/// Bytes of a full block.
const BLOCK: u64 = 4084;
const FOOTER: usize = 56;

/// A revision in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    /// Where there is none, for the numbers are too great. No revision comes to it.
    const NOWHERE: Self = Self(u64::MAX);
    const SUB_BITS: u32 = 24;

    pub(crate) fn of(revision: Revision) -> Self {
        let Revision { main, sub } = revision;
        let fits = main < 1 << (64 - Self::SUB_BITS) && sub < (1 << Self::SUB_BITS) - 1;
        if fits {
            Self(main << Self::SUB_BITS | sub)
        } else {
            Self::NOWHERE
        }
    }

    fn revision(self) -> Revision {
        Revision {
            main: self.0 >> Self::SUB_BITS,
            sub: self.0 & ((1 << Self::SUB_BITS) - 1),
        }
    }
}

/// Bytes of an index of so many keys; `None` where no file can have so many.
fn size_of(count: u64) -> Option<u64> {
    let entries = count.checked_mul(u64::try_from(ENTRY).ok()?)?;
    let checksums = blocks_of(count).checked_mul(u64::try_from(CHECKSUM).ok()?)?;
    let footer = u64::try_from(FOOTER).ok()?;
    entries.checked_add(checksums)?.checked_add(footer)
}

fn blocks_of(count: u64) -> u64 {
    count.div_ceil(ENTRIES)
}

fn checksum(pieces: &[&[u8]]) -> [u8; CHECKSUM] {
    let sum = |sum, piece: &&[u8]| crc32c::crc32c_append(sum, piece);
    pieces.iter().fold(0, sum).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_its_revision_or_none(main in 0_u64..1 << 41, sub in 0_u64..1 << 25) {
            let revision = Revision { main, sub };
            let place = Place::of(revision);
            prop_assert!(place == Place::NOWHERE || place.revision() == revision);
            prop_assert_eq!(place == Place::NOWHERE, main >= 1 << 40 || sub >= (1 << 24) - 1);
        }
    }
}
