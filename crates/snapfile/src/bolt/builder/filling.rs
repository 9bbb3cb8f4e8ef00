//! One page that is being filled, whatever its size will be.

use std::io::{self, Write};

use super::super::page::{BRANCH, BUCKET, ELEMENT, HEADER, LEAF};

/// The elements of a page to be, and the bytes they will point at.
#[derive(Debug, Default)]
pub(super) struct Filling {
    elements: Vec<Element>,
    data: Vec<u8>,
}

/// What an element says besides its position, which depends on how many there will be.
#[derive(Debug, Clone, Copy)]
struct Element {
    key_len: usize,
    points_at: PointsAt,
}

#[derive(Debug, Clone, Copy)]
enum PointsAt {
    Value { flags: u32, len: usize },
    Child(u64),
}

/// A page that was written, for the branch above it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) first_key: Vec<u8>,
    pub(super) page: u64,
}

impl Filling {
    pub(super) fn count(&self) -> usize {
        self.elements.len()
    }

    /// Bytes of the page, header included.
    pub(super) fn size(&self) -> usize {
        self.size_with(0).saturating_sub(ELEMENT)
    }

    /// Bytes of the page with one more element of this many bytes.
    pub(super) fn size_with(&self, len: usize) -> usize {
        let elements = self.count().saturating_add(1).saturating_mul(ELEMENT);
        HEADER
            .saturating_add(elements)
            .saturating_add(self.data.len())
            .saturating_add(len)
    }

    pub(super) fn push_value(&mut self, key: &[u8], value: &[u8]) {
        self.push_leaf(key, value, 0);
    }

    pub(super) fn push_bucket(&mut self, name: &[u8], value: &[u8]) {
        self.push_leaf(name, value, BUCKET);
    }

    fn push_leaf(&mut self, key: &[u8], value: &[u8], flags: u32) {
        let len = value.len();
        self.push(key, PointsAt::Value { flags, len });
        self.data.extend_from_slice(value);
    }

    pub(super) fn push_child(&mut self, child: &Child) {
        self.push(&child.first_key, PointsAt::Child(child.page));
    }

    fn push(&mut self, key: &[u8], points_at: PointsAt) {
        self.elements.push(Element {
            key_len: key.len(),
            points_at,
        });
        self.data.extend_from_slice(key);
    }

    /// Takes the last child out of a branch.
    pub(super) fn pop_child(&mut self) -> Option<Child> {
        let last = self.elements.pop()?;
        let PointsAt::Child(page) = last.points_at else {
            self.elements.push(last);
            return None;
        };
        let start = self.data.len().saturating_sub(last.key_len);
        let first_key = self.data.split_off(start);
        Some(Child { first_key, page })
    }

    /// What the branch above says of this page once it is written as number `page`.
    pub(super) fn as_child(&self, page: u64) -> Child {
        let len = self.elements.first().map_or(0, |first| first.key_len);
        let first_key = self.data.get(..len).unwrap_or_default().to_vec();
        Child { first_key, page }
    }

    /// Empties it, and gives memory beyond `keep` bytes back.
    pub(super) fn clear(&mut self, keep: usize) {
        self.elements.clear();
        self.data.clear();
        self.data.shrink_to(keep);
    }

    /// Writes header, elements and data, without anything that fills the last page up.
    pub(super) fn write_to(
        &self,
        page: u64,
        overflow: u32,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let flags = match self.elements.first().map(|first| first.points_at) {
            Some(PointsAt::Child(_)) => BRANCH,
            Some(PointsAt::Value { .. }) | None => LEAF,
        };
        let mut head = Vec::with_capacity(self.size().saturating_sub(self.data.len()));
        head.extend_from_slice(&page.to_le_bytes());
        head.extend_from_slice(&flags.to_le_bytes());
        // More do not fit: the largest page takes 3,855 pairs.
        let count = u16::try_from(self.count()).map_err(io::Error::other)?;
        head.extend_from_slice(&count.to_le_bytes());
        head.extend_from_slice(&overflow.to_le_bytes());
        // A position counts from its own element, so it shrinks by an element each time.
        let mut pos = self.count().saturating_mul(ELEMENT);
        for element in &self.elements {
            let key_len = word(element.key_len)?;
            match element.points_at {
                PointsAt::Value { flags, len } => {
                    for field in [flags, word(pos)?, key_len, word(len)?] {
                        head.extend_from_slice(&field.to_le_bytes());
                    }
                    pos = pos.saturating_add(len);
                }
                PointsAt::Child(child) => {
                    for field in [word(pos)?, key_len] {
                        head.extend_from_slice(&field.to_le_bytes());
                    }
                    head.extend_from_slice(&child.to_le_bytes());
                }
            }
            pos = pos.saturating_add(element.key_len).saturating_sub(ELEMENT);
        }
        out.write_all(&head)?;
        out.write_all(&self.data)
    }
}

/// A length as the format has it. Keys and values are bounded before, so it fits.
fn word(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(io::Error::other)
}
