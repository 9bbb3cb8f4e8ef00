//! An index as it is made, block by block.

use crate::Digest;

use super::{BLOCK, ENTRIES, Place, Tell, VERSION};

/// Makes an index, which it tells piece by piece. Memory: a block.
pub(crate) struct Writer<'t> {
    database: Digest,
    tell: Tell<'t>,
    block: Vec<u8>,
    /// Keys told so far.
    count: u64,
    last: Option<u64>,
    /// Whether every key could be listed.
    is_whole: bool,
}

impl<'t> Writer<'t> {
    /// Begins the index of the database that has this digest.
    pub(crate) fn new(database: Digest, tell: Tell<'t>) -> Self {
        Self {
            database,
            tell,
            block: Vec::with_capacity(usize::try_from(BLOCK).unwrap_or_default()),
            count: 0,
            last: None,
            is_whole: true,
        }
    }

    /// Lists a key. Fingerprints must come in order.
    pub(crate) fn push(&mut self, fingerprint: u64, place: Place) {
        let in_order = self.last.is_none_or(|last| last < fingerprint);
        self.is_whole &= in_order && place != Place::NOWHERE;
        self.last = Some(fingerprint);
        if self.count.is_multiple_of(ENTRIES) {
            self.end_block();
        }
        self.block.extend_from_slice(&fingerprint.to_le_bytes());
        self.block.extend_from_slice(&place.0.to_le_bytes());
        self.count = self.count.saturating_add(1);
    }

    /// Tells the end. Without it what was told is no index; it is left out where a key could not
    /// be listed. Returns whether it was told.
    pub(crate) fn finish(mut self) -> bool {
        if !self.is_whole {
            return false;
        }
        self.end_block();
        let count = self.count.to_le_bytes();
        let footer = [&self.database.0[..], &count].concat();
        let version = VERSION.to_le_bytes();
        let checksum = super::checksum(&[&footer, &version]);
        (self.tell)(&[&footer[..], &checksum, &version, &super::MAGIC].concat());
        true
    }

    /// Tells the block that is full, or the last.
    fn end_block(&mut self) {
        let Some(last) = self.count.checked_sub(1).filter(|_| !self.block.is_empty()) else {
            return;
        };
        let number = last.div_euclid(ENTRIES).to_le_bytes();
        let checksum = super::checksum(&[&self.database.0, &number, &self.block]);
        self.block.extend_from_slice(&checksum);
        (self.tell)(&self.block);
        self.block.clear();
    }
}
