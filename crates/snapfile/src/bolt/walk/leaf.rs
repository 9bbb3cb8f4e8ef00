//! The pairs of one leaf of a bucket.

use std::ops::ControlFlow;

use crate::Finding;

use super::super::page::Page;
use super::{MAX_KEY, TOO_MUCH, Visitor};

/// Which keys a page may have: from the first on, and below the second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span<'k> {
    pub(super) from: Option<&'k [u8]>,
    pub(super) below: Option<&'k [u8]>,
}

impl Span<'_> {
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.from.is_none_or(|from| from <= key) && self.below.is_none_or(|below| key < below)
    }
}

/// A leaf of a bucket.
pub(super) struct Leaf<'p, 's> {
    pub(super) id: u64,
    pub(super) page: Page<'p>,
    pub(super) bucket: &'p [u8],
    pub(super) span: Span<'s>,
    /// Bytes of buckets that may be kept.
    pub(super) room: usize,
}

impl Leaf<'_, '_> {
    /// Tells the pairs, and returns the buckets among them.
    pub(super) fn tell<V: Visitor>(
        &self,
        visitor: &mut V,
        is_told: bool,
    ) -> ControlFlow<(), Vec<Vec<u8>>> {
        let mut buckets = Vec::new();
        let mut room = self.room;
        let mut last: Option<&[u8]> = None;
        let mut layout = self.page.layout();
        // Only a root may be empty: bbolt takes others out of the tree (`node.go`, `rebalance`),
        // and who looks for the last key relies on it.
        if self.page.count() == 0 && self.span.from.is_some() {
            visitor.fault(self.at("is a leaf without keys below a branch"))?;
        }
        for index in 0..self.page.count() {
            let Some(entry) = self.page.entry(index) else {
                visitor.fault(self.at("has a leaf element outside the page"))?;
                break;
            };
            if !layout.has_room_for(&entry) {
                visitor.fault(self.at("has leaf elements that share bytes"))?;
                break;
            }
            if entry.key.is_empty() {
                visitor.fault(self.at("has an empty key"))?;
            }
            if entry.key.len() > MAX_KEY {
                let what = "has a key of more than 32 KiB";
                visitor.fault(self.at(what).at_key(entry.key))?;
            }
            if last.is_some_and(|last| entry.key <= last) {
                visitor.fault(self.at("is out of order").at_key(entry.key))?;
            } else if !self.span.has(entry.key) {
                let what = "lies outside the range that the page above names";
                visitor.fault(self.at(what).at_key(entry.key))?;
            }
            last = Some(entry.key);
            if is_told {
                if entry.is_bucket {
                    visitor.nested(self.id, entry.key)?;
                } else {
                    visitor.pair(self.id, entry.key, entry.value)?;
                }
            }
            match room.checked_sub(entry.value.len()) {
                _ if !entry.is_bucket => {}
                None => visitor.fault(self.at(TOO_MUCH).at_key(entry.key))?,
                Some(left) => {
                    room = left;
                    buckets.push(entry.value.to_vec());
                }
            }
        }
        ControlFlow::Continue(buckets)
    }

    fn at(&self, what: &str) -> Finding {
        Finding::of_page(self.id, what).in_bucket(self.bucket)
    }
}
