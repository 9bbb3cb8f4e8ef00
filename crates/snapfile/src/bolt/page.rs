//! One page: a header, an array of elements, and the bytes they point at.
//!
//! ```text
//! header   id u64 | flags u16 | count u16 | overflow u32            16 bytes
//! branch   pos u32 | key size u32 | child page u64                  16 bytes each
//! leaf     flags u32 | pos u32 | key size u32 | value size u32      16 bytes each
//! ```
//! `pos` counts from the start of its own element (bbolt `internal/common/{page,inode}.go`).

pub(super) const HEADER: usize = 16;
pub(super) const ELEMENT: usize = 16;
pub(super) const BRANCH: u16 = 0x01;
pub(super) const LEAF: u16 = 0x02;
const FREE_LIST: u16 = 0x10;
pub(super) const BUCKET: u32 = 0x01;

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
    /// Where key and value lie in the page.
    at: usize,
}

/// One element of a branch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    /// No key of the child is lower.
    pub(super) key: &'a [u8],
    pub(super) id: u64,
    /// Where the key lies in the page.
    at: usize,
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
        let (start, element) = self.element(index)?;
        let pos = usize_at(element, 0)?;
        let len = usize_at(element, 4)?;
        Some(Child {
            key: element.get(pos..pos.checked_add(len)?)?,
            id: u64_at(element, 8)?,
            at: start.checked_add(pos)?,
        })
    }

    /// Element `index` of a leaf; `None` where it lies outside the page.
    pub(super) fn entry(&self, index: usize) -> Option<Entry<'a>> {
        let (start, element) = self.element(index)?;
        let pos = usize_at(element, 4)?;
        let data = element.get(pos..)?;
        let (key, rest) = data.split_at_checked(usize_at(element, 8)?)?;
        Some(Entry {
            key,
            value: rest.get(..usize_at(element, 12)?)?,
            is_bucket: u32_at(element, 0)? & BUCKET != 0,
            at: start.checked_add(pos)?,
        })
    }

    /// The pages that a free list names; `None` where it ends inside. More than 65534 are counted
    /// in the first number of the list.
    pub(super) fn free(&self) -> Option<&'a [[u8; 8]]> {
        let list = self.bytes.get(HEADER..)?;
        let (count, list) = match self.header.count {
            u16::MAX => (usize::try_from(u64_at(list, 0)?).ok()?, list.get(8..)?),
            count => (usize::from(count), list),
        };
        let (ids, _) = list.get(..count.checked_mul(8)?)?.as_chunks();
        Some(ids)
    }

    /// Follows the elements from the first to the last.
    pub(super) fn layout(&self) -> Layout {
        let elements = self.count().saturating_mul(ELEMENT);
        Layout {
            end: HEADER.saturating_add(elements),
        }
    }

    /// Where element `index` stands, and the bytes from there to the end of the page.
    fn element(&self, index: usize) -> Option<(usize, &'a [u8])> {
        if index >= self.count() {
            return None;
        }
        let start = HEADER.checked_add(index.checked_mul(ELEMENT)?)?;
        Some((start, self.bytes.get(start..)?))
    }
}

/// Sees to it that no two elements share bytes: those of each lie behind those of the one before,
/// as bbolt writes them (`internal/common/inode.go`, `WriteInodeToPage`). Without that a page of
/// one megabyte could tell of sixty gigabytes.
#[derive(Debug)]
pub(super) struct Layout {
    end: usize,
}

impl Layout {
    /// Whether the next element of a leaf has bytes of its own.
    pub(super) fn has_room_for(&mut self, entry: &Entry<'_>) -> bool {
        self.take(entry.at, entry.key.len().saturating_add(entry.value.len()))
    }

    /// Whether the next element of a branch has.
    pub(super) fn has_room_for_child(&mut self, child: &Child<'_>) -> bool {
        self.take(child.at, child.key.len())
    }

    fn take(&mut self, at: usize, len: usize) -> bool {
        let is_behind = self.end <= at;
        self.end = at.saturating_add(len);
        is_behind
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
