//! One page: a header, an array of elements, and the bytes they point at.
//!
//! ```text
//! header   id u64 | flags u16 | count u16 | overflow u32            16 bytes
//! branch   pos u32 | key size u32 | child page u64                  16 bytes each
//! leaf     flags u32 | pos u32 | key size u32 | value size u32      16 bytes each
//! ```
//! `pos` counts from the start of its own element (bbolt `internal/common/{page,inode}.go`).

pub(super) const HEADER: usize = 16;
const ELEMENT: usize = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const FREE_LIST: u16 = 0x10;
const BUCKET: u32 = 0x01;

/// What a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Branch,
    Leaf,
    FreeList,
}

/// What a page says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) id: u64,
    pub(super) kind: Option<Kind>,
    pub(super) count: u16,
    /// Pages that follow and belong to it.
    pub(super) overflow: u32,
}

/// A page with its overflow, or an inline bucket, which has the same form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    header: Header,
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

/// One element of a branch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    /// No key of the child is lower.
    pub(super) key: &'a [u8],
    pub(super) id: u64,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let kind = match u16_at(bytes, 8)? {
            BRANCH => Some(Kind::Branch),
            LEAF => Some(Kind::Leaf),
            FREE_LIST => Some(Kind::FreeList),
            _ => None,
        };
        Some(Self {
            id: u64_at(bytes, 0)?,
            kind,
            count: u16_at(bytes, 10)?,
            overflow: u32_at(bytes, 12)?,
        })
    }
}

impl<'a> Page<'a> {
    /// The page in these bytes; `None` where they are too short for a header.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = Header::parse(bytes)?;
        Some(Self { header, bytes })
    }

    pub(super) fn header(&self) -> Header {
        self.header
    }

    pub(super) fn count(&self) -> usize {
        usize::from(self.header.count)
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Element `index` of a branch; `None` where it lies outside the page.
    pub(super) fn child(&self, index: usize) -> Option<Child<'a>> {
        let element = self.element(index)?;
        let pos = usize_at(element, 0)?;
        let len = usize_at(element, 4)?;
        Some(Child {
            key: element.get(pos..pos.checked_add(len)?)?,
            id: u64_at(element, 8)?,
        })
    }

    /// Element `index` of a leaf; `None` where it lies outside the page.
    pub(super) fn entry(&self, index: usize) -> Option<Entry<'a>> {
        let element = self.element(index)?;
        let data = element.get(usize_at(element, 4)?..)?;
        let (key, rest) = data.split_at_checked(usize_at(element, 8)?)?;
        Some(Entry {
            key,
            value: rest.get(..usize_at(element, 12)?)?,
            is_bucket: u32_at(element, 0)? & BUCKET != 0,
        })
    }

    /// The pages that a free list names, and how many pages the list itself takes; `None` where it
    /// ends inside. More than 65534 are counted in the first number of the list.
    pub(super) fn free(&self) -> Option<(u64, Vec<u64>)> {
        let run = u64::from(self.header.overflow).checked_add(1)?;
        let list = self.bytes.get(HEADER..)?;
        let (count, list) = match self.header.count {
            u16::MAX => (usize::try_from(u64_at(list, 0)?).ok()?, list.get(8..)?),
            count => (usize::from(count), list),
        };
        let list = list.get(..count.checked_mul(8)?)?;
        let (ids, _) = list.as_chunks();
        Some((run, ids.iter().copied().map(u64::from_le_bytes).collect()))
    }

    /// The bytes from the start of element `index` to the end of the page.
    fn element(&self, index: usize) -> Option<&'a [u8]> {
        if index >= self.count() {
            return None;
        }
        self.bytes
            .get(HEADER.checked_add(index.checked_mul(ELEMENT)?)?..)
    }
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
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

fn usize_at(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, offset)?).ok()
}
