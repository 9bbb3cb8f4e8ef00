//! A database file, read page by page.

use std::io;

use crate::ReadAt;

use super::Meta;
use super::page::{HEADER, Kind, Page, u32_at, u64_at};

/// Longest run of pages that is read at once. etcd's requests end at 1.5 MiB by default and an
/// operator may raise that; what is larger than this is not believed.
const MAX_RUN: u64 = 256 << 20;

/// Deeper trees do not exist: with two entries a branch this is every page of the largest file.
const MAX_DEPTH: usize = 64;

/// A bbolt database that is not being written.
///
/// Memory: one page (with its overflow) of each level that is being looked at.
#[derive(Debug)]
pub struct Database<R> {
    file: R,
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
    /// A page is not what it should be.
    #[error("page {page}: {what}")]
    Page {
        /// The page's number.
        page: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl<R: ReadAt> Database<R> {
    /// Finds the meta page in force. Reads nothing else.
    pub fn open(file: R) -> Result<Self, BoltError> {
        let meta = Meta::find(&file)?;
        Ok(Self { file, meta })
    }

    /// The meta page in force.
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// The greatest key of a bucket; `None` when there is no such bucket or it is empty.
    ///
    /// Reads one page of each level, so its cost does not grow with the file.
    pub fn last_key(&self, bucket: &[u8]) -> Result<Option<Vec<u8>>, BoltError> {
        let Some(value) = self.bucket(bucket)? else {
            return Ok(None);
        };
        let root = u64_at(&value, 0).ok_or(BoltError::Page {
            page: self.meta.root,
            what: "bucket header is cut",
        })?;
        // A small bucket lives in its own value: root 0, then a leaf page.
        if root == 0 {
            let inline = value.get(16..).unwrap_or_default();
            return last_of_leaf(&Page::parse(self.meta.root, inline)?);
        }
        let mut id = root;
        for _ in 0..MAX_DEPTH {
            let bytes = self.page(id)?;
            let page = Page::parse(id, &bytes)?;
            match (page.kind(), page.count().checked_sub(1)) {
                (Kind::Leaf, _) => return last_of_leaf(&page),
                (Kind::Branch, Some(last)) => id = page.child(last)?,
                (Kind::Branch, None) => {
                    return Err(BoltError::Page {
                        page: id,
                        what: "branch without children",
                    });
                }
            }
        }
        Err(BoltError::Page {
            page: root,
            what: "tree has no end",
        })
    }

    /// The header (and inline page) of a bucket of the root tree.
    fn bucket(&self, name: &[u8]) -> Result<Option<Vec<u8>>, BoltError> {
        // etcd has ten buckets: the root is one leaf, but a branch is allowed by the format.
        let mut stack = vec![self.meta.root];
        let mut visited = 0_usize;
        while let Some(id) = stack.pop() {
            visited = visited.saturating_add(1);
            if visited > 4096 {
                return Err(BoltError::Page {
                    page: id,
                    what: "tree of buckets has no end",
                });
            }
            let bytes = self.page(id)?;
            let page = Page::parse(id, &bytes)?;
            for index in 0..page.count() {
                if page.kind() == Kind::Branch {
                    stack.push(page.child(index)?);
                    continue;
                }
                let entry = page.entry(index)?;
                if entry.key == name && entry.is_bucket {
                    return Ok(Some(entry.value.to_vec()));
                }
            }
        }
        Ok(None)
    }

    /// The bytes of a page and its overflow.
    fn page(&self, id: u64) -> Result<Vec<u8>, BoltError> {
        let broken = |what| BoltError::Page { page: id, what };
        if !(2..self.meta.high_water).contains(&id) {
            return Err(broken("lies outside the file"));
        }
        let page_size = u64::from(self.meta.page_size);
        let offset = id
            .checked_mul(page_size)
            .ok_or(broken("lies outside the file"))?;
        let mut header = [0; HEADER];
        self.file.read_at(offset, &mut header)?;
        if u64_at(&header, 0) != Some(id) {
            return Err(broken("carries another page's number"));
        }
        let run = u64::from(u32_at(&header, 12).unwrap_or_default()).saturating_add(1);
        let len = run.saturating_mul(page_size);
        if len > MAX_RUN || id.saturating_add(run) > self.meta.high_water {
            return Err(broken("overflow lies outside the file"));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| broken("is too long"))?];
        self.file.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

fn last_of_leaf(page: &Page<'_>) -> Result<Option<Vec<u8>>, BoltError> {
    match page.count().checked_sub(1) {
        Some(last) if page.kind() == Kind::Leaf => Ok(Some(page.entry(last)?.key.to_vec())),
        _ => Ok(None),
    }
}
