//! A database file, and single keys in it.

use std::fmt;
use std::io;

use crate::ReadAt;

use super::Meta;
use super::meta::Metas;
use super::page::{Entry, Kind, Page, u64_at};
use super::pages::Pages;

/// Deeper trees do not exist: with two entries a branch this is every page of the largest file.
pub(super) const MAX_DEPTH: usize = 64;

/// More pages are not believed: 1 TiB of 4 KiB pages. Bounds what a walk remembers of each page
/// to 32 MiB.
const MAX_PAGES: u64 = 1 << 28;

/// Bytes of a bucket's header, before an inline page.
pub(super) const BUCKET_HEADER: usize = 16;

/// A bbolt database that is not being written.
///
/// Memory: one page (with its overflow) of each level that is being looked at.
pub struct Database<'f> {
    file: &'f dyn ReadAt,
    metas: Metas,
    meta: Meta,
}

/// Why bytes are no database.
#[derive(Debug, thiserror::Error)]
pub enum BoltError {
    /// The bytes cannot be read at all.
    #[error("read database")]
    Read(#[from] io::Error),
    /// Neither meta page is valid.
    #[error("no valid meta page: this is no bbolt database")]
    NoMeta,
    /// The file is shorter than its pages.
    #[error("the file has {has} bytes, its pages take {needs}: it was cut")]
    Cut {
        /// Bytes of the file.
        has: u64,
        /// Bytes of the pages that its meta page tells of.
        needs: u64,
    },
    /// There are more pages than are believed.
    #[error("its meta page tells of {pages} pages, and more than {MAX_PAGES} are not believed")]
    Large {
        /// Pages that its meta page tells of.
        pages: u64,
    },
    /// A page is not what it should be.
    #[error("page {page}: {what}")]
    Page {
        /// The page's number.
        page: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Where a bucket's pairs begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// A tree of pages.
    Page(u64),
    /// A small bucket is a leaf page in its own value.
    Inline(Vec<u8>),
}

impl Root {
    /// Reads a bucket's value (bbolt `internal/common/bucket.go`): root page, sequence, and where
    /// the root page is 0 a leaf page.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let (header, inline) = value.split_at_checked(BUCKET_HEADER)?;
        match u64_at(header, 0)? {
            0 => Some(Self::Inline(inline.to_vec())),
            page => Some(Self::Page(page)),
        }
    }
}

impl<'f> Database<'f> {
    /// Finds the meta page in force and checks that the file has all its pages. Reads nothing
    /// else.
    pub fn open(file: &'f dyn ReadAt) -> Result<Self, BoltError> {
        let metas = Metas::read(file)?;
        let meta = metas.in_force().ok_or(BoltError::NoMeta)?;
        let (has, needs) = (file.size()?, meta.size());
        if meta.high_water > MAX_PAGES {
            let pages = meta.high_water;
            return Err(BoltError::Large { pages });
        }
        if has < needs {
            return Err(BoltError::Cut { has, needs });
        }
        Ok(Self { file, metas, meta })
    }

    /// The meta page in force.
    pub fn meta(&self) -> Meta {
        self.meta
    }

    pub(super) fn metas(&self) -> Metas {
        self.metas
    }

    pub(super) fn pages(&self) -> Pages<'f> {
        Pages::new(self.file, self.meta)
    }

    /// The value of one key of a bucket; `None` when there is no such bucket or key.
    ///
    /// Reads one page of each level, so its cost does not grow with the file.
    pub fn get(&self, bucket: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, BoltError> {
        let Some(root) = self.bucket(bucket)? else {
            return Ok(None);
        };
        let found = self.descend(
            &root,
            |page| place(page, key),
            |entry| (entry.key == key && !entry.is_bucket).then(|| entry.value.to_vec()),
        )?;
        Ok(found.flatten())
    }

    /// The greatest key of a bucket; `None` when there is no such bucket or it is empty.
    ///
    /// Reads one page of each level, so its cost does not grow with the file.
    pub fn last_key(&self, bucket: &[u8]) -> Result<Option<Vec<u8>>, BoltError> {
        let Some(root) = self.bucket(bucket)? else {
            return Ok(None);
        };
        let last = |page: &Page<'_>| page.count().checked_sub(1);
        self.descend(&root, last, |entry| entry.key.to_vec())
    }

    /// Where the pairs of a bucket begin.
    fn bucket(&self, name: &[u8]) -> Result<Option<Root>, BoltError> {
        let broken = BoltError::Page {
            page: self.meta.root,
            what: "has a bucket whose header is cut",
        };
        let found = self.descend(
            &Root::Page(self.meta.root),
            |page| place(page, name),
            |entry| (entry.key == name && entry.is_bucket).then(|| Root::parse(entry.value)),
        )?;
        found.flatten().map(|root| root.ok_or(broken)).transpose()
    }

    /// Goes down to one entry of a leaf: `choose` names the element of each page on the way.
    fn descend<T>(
        &self,
        root: &Root,
        choose: impl Fn(&Page<'_>) -> Option<usize>,
        take: impl Fn(Entry<'_>) -> T,
    ) -> Result<Option<T>, BoltError> {
        let broken = |page, what| BoltError::Page { page, what };
        let mut id = match root {
            Root::Page(id) => *id,
            Root::Inline(bytes) => {
                let cut = broken(self.meta.root, "has an inline bucket that is cut");
                let page = Page::parse(bytes).ok_or(cut)?;
                return entry_of(&page, &choose, take);
            }
        };
        let mut pages = self.pages();
        for _ in 0..MAX_DEPTH {
            let page = pages.read(id, id)?;
            match page.header().kind {
                Some(Kind::Leaf) => return entry_of(&page, &choose, take),
                Some(Kind::Branch) => {
                    let child = choose(&page).and_then(|index| page.child(index));
                    let cut = broken(id, "has a branch element outside the page");
                    id = child.ok_or(cut)?.id;
                }
                _ => return Err(broken(id, "is neither a branch nor a leaf")),
            }
        }
        Err(broken(id, "lies too deep: the tree has no end"))
    }
}

impl fmt::Debug for Database<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({:?})", self.meta)
    }
}

/// The chosen entry of a leaf; `None` where the leaf has none to choose.
fn entry_of<T>(
    page: &Page<'_>,
    choose: impl Fn(&Page<'_>) -> Option<usize>,
    take: impl Fn(Entry<'_>) -> T,
) -> Result<Option<T>, BoltError> {
    let Some(index) = choose(page).filter(|index| *index < page.count()) else {
        return Ok(None);
    };
    let entry = page.entry(index).ok_or(BoltError::Page {
        page: page.header().id,
        what: "has a leaf element outside the page",
    })?;
    Ok(Some(take(entry)))
}

/// The last element whose key is not greater than `key`: in a branch the child that may have it,
/// in a leaf the key itself if it is there. The first where all are greater; `None` where the page
/// has none, or an element lies outside it.
fn place(page: &Page<'_>, key: &[u8]) -> Option<usize> {
    let is_leaf = page.header().kind == Some(Kind::Leaf);
    let (mut low, mut high) = (0, page.count());
    while low < high {
        let middle = low.midpoint(high);
        let found = if is_leaf {
            page.entry(middle)?.key
        } else {
            page.child(middle)?.key
        };
        if found <= key {
            low = middle.checked_add(1)?;
        } else {
            high = middle;
        }
    }
    (page.count() > 0).then(|| low.saturating_sub(1))
}
