//! One page: a header, an array of elements, and the bytes they point at.
//!
//! ```text
//! header   id u64 | flags u16 | count u16 | overflow u32            16 bytes
//! branch   pos u32 | key size u32 | child page u64                  16 bytes each
//! leaf     flags u32 | pos u32 | key size u32 | value size u32      16 bytes each
//! ```
//! `pos` counts from the start of its own element (bbolt `internal/common/{page,inode}.go`).

use super::db::BoltError;

pub(super) const HEADER: usize = 16;
const ELEMENT: usize = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const BUCKET: u32 = 0x01;

/// What a page of the tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Branch,
    Leaf,
}

/// A page of the tree with its overflow, or an inline bucket, which has the same form.
#[derive(Debug)]
pub(super) struct Page<'a> {
    id: u64,
    kind: Kind,
    count: usize,
    bytes: &'a [u8],
}

/// One element of a leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    /// The value is a bucket, not a user's bytes.
    pub(super) is_bucket: bool,
}

impl<'a> Page<'a> {
    /// Reads the header. `id` names the page in errors.
    pub(super) fn parse(id: u64, bytes: &'a [u8]) -> Result<Self, BoltError> {
        let broken = BoltError::Page {
            page: id,
            what: "header is cut",
        };
        let (Some(flags), Some(count)) = (u16_at(bytes, 8), u16_at(bytes, 10)) else {
            return Err(broken);
        };
        let kind = match flags {
            BRANCH => Kind::Branch,
            LEAF => Kind::Leaf,
            _ => {
                return Err(BoltError::Page {
                    page: id,
                    what: "neither a branch nor a leaf",
                });
            }
        };
        Ok(Self {
            id,
            kind,
            count: usize::from(count),
            bytes,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The child page of element `index` of a branch.
    pub(super) fn child(&self, index: usize) -> Result<u64, BoltError> {
        self.element(index)
            .and_then(|(_, element)| u64_at(element, 8))
            .ok_or_else(|| self.broken("branch element lies outside the page"))
    }

    /// Element `index` of a leaf.
    pub(super) fn entry(&self, index: usize) -> Result<Entry<'a>, BoltError> {
        let read = || {
            let (_, element) = self.element(index)?;
            let pos = usize::try_from(u32_at(element, 4)?).ok()?;
            let key_len = usize::try_from(u32_at(element, 8)?).ok()?;
            let value_len = usize::try_from(u32_at(element, 12)?).ok()?;
            let key_end = pos.checked_add(key_len)?;
            Some(Entry {
                key: element.get(pos..key_end)?,
                value: element.get(key_end..key_end.checked_add(value_len)?)?,
                is_bucket: u32_at(element, 0)? & BUCKET != 0,
            })
        };
        read().ok_or_else(|| self.broken("leaf element lies outside the page"))
    }

    /// The bytes from the start of element `index` to the end of the page.
    fn element(&self, index: usize) -> Option<(usize, &'a [u8])> {
        if index >= self.count {
            return None;
        }
        let start = HEADER.checked_add(index.checked_mul(ELEMENT)?)?;
        Some((start, self.bytes.get(start..)?))
    }

    fn broken(&self, what: &'static str) -> BoltError {
        BoltError::Page {
            page: self.id,
            what,
        }
    }
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}
