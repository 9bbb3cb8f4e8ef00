//! Writes a database from pairs in ascending order, from the leaves up.
//!
//! Because nothing that is written is ever changed, there is no free list, no copy-on-write and
//! no second pass: pages get their numbers in the order in which they are filled, and the file is
//! written from its third page to its end, then the two metas.
//!
//! ```text
//! put ─▶ leaf ──full──▶ file          leaf     of the open bucket
//!         │ first key, page           branch   of the open bucket, one for each level
//!         ▼                           leaf     of the tree of buckets
//!       branch ──full──▶ file
//!         │ first key, page
//!         ▼
//!       branch …
//! ```
//!
//! The result is what bbolt itself would have left after a compaction, and bbolt's own check
//! accepts it: leaves and branches filled to nine tenths, as etcd fills the bucket `key`; a bucket
//! of one small leaf inline in its own value; a page that is too small for its pairs followed by
//! overflow; branches of two children or more (bbolt `node.go`, `bucket.go`, `compact.go`).

mod filling;
mod pages;
mod tree;

use std::io::{self, Read, Seek, Write};

use crate::Digest;

use filling::Filling;
use pages::Pages;
use tree::Tree;

/// Longest key or bucket name, in bytes (bbolt `bucket.go`, `MaxKeySize`).
const MAX_KEY: usize = 32 * 1024;
/// Longest value, in bytes: with its key it stays within the 256 MiB of a page that the reader
/// believes. bbolt itself takes 2 GiB; etcd's requests end at 1.5 MiB unless an operator raises
/// that.
const MAX_VALUE: usize = 255 << 20;
/// The page of every host on which etcd is common.
const PAGE_SIZE: u32 = 4096;

/// Writes a bbolt database in one go.
///
/// Buckets come in ascending order of their names, and pairs in ascending order of their keys, in
/// bytes. Buckets are not nested, and their sequence is 0, as in every file of etcd. The free list
/// is not persisted, as etcd on Linux leaves it.
///
/// ```
/// use std::io::Cursor;
/// use rollsnap_snapfile::bolt::Builder;
///
/// let mut database = Builder::new(Cursor::new(Vec::new()))?;
/// database.bucket(b"cluster")?;
/// database.put(b"clusterVersion", b"3.5.0")?;
/// database.bucket(b"key")?;
/// let (file, digest) = database.finish_with_trailer()?;
/// assert!(file.into_inner().ends_with(&digest.0));
/// # Ok::<(), rollsnap_snapfile::bolt::BuildError>(())
/// ```
///
/// Memory: one open page for each level of the open tree (nine tenths of a page, or two keys, or two
/// pairs of seven pages together, or one pair if that is larger), those of the tree of buckets, and
/// a write buffer of 256 KiB. It does not grow with the file.
///
/// After a [`BuildError::Write`] the file is useless and cannot be finished. Any other error
/// leaves the builder as it was before the call.
#[derive(Debug)]
pub struct Builder<W: Write + Seek> {
    pages: Pages<W>,
    buckets: Tree,
    open: Option<(Vec<u8>, Tree)>,
}

/// Why a pair or a bucket is not taken, or a file not written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The file cannot be written, or not be read back for its digest.
    #[error("write database")]
    Write(#[from] io::Error),
    /// No host has such pages.
    #[error("page size {0}: must be a power of two from 1024 to 65536")]
    PageSize(u32),
    /// A key is not above the one before it, or a bucket's name is not.
    #[error("{} does not come after {}", key.escape_ascii(), last.escape_ascii())]
    Order {
        /// The one before.
        last: Vec<u8>,
        /// The one that was to follow.
        key: Vec<u8>,
    },
    /// A key or a bucket's name without bytes, which bbolt does not know.
    #[error("a key must not be empty")]
    EmptyKey,
    /// A pair before the first bucket.
    #[error("a pair belongs in a bucket")]
    NoBucket,
    /// A key or a bucket's name beyond what bbolt takes, or a value beyond 255 MiB.
    #[error("{size} bytes are too many: a key has at most {MAX_KEY}, a value at most {MAX_VALUE}")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
}

impl<W: Write + Seek> Builder<W> {
    /// Begins a database of 4 KiB pages. `out` is empty and stands at its start; it need not be
    /// buffered.
    pub fn new(out: W) -> Result<Self, BuildError> {
        Self::with_page_size(out, PAGE_SIZE)
    }

    /// Begins a database of pages of this many bytes: a power of two from 1024 to 65536. etcd on
    /// any host opens all of these.
    pub fn with_page_size(out: W, page_size: u32) -> Result<Self, BuildError> {
        let pages = Pages::begin(out, page_size)?;
        let buckets = Tree::new(pages.layout());
        Ok(Self {
            pages,
            buckets,
            open: None,
        })
    }

    /// Ends the bucket before and begins the next one, whose name is above all before.
    pub fn bucket(&mut self, name: &[u8]) -> Result<(), BuildError> {
        check_key(self.open.as_ref().map(|(last, _)| &**last), name)?;
        self.end_bucket()?;
        self.open = Some((name.to_vec(), Tree::new(self.pages.layout())));
        Ok(())
    }

    /// Puts a pair into the bucket that was begun last. Its key is above all before in there.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), BuildError> {
        let (_, bucket) = self.open.as_mut().ok_or(BuildError::NoBucket)?;
        check_key(bucket.last_key(), key)?;
        if value.len() > MAX_VALUE {
            return Err(BuildError::TooLarge { size: value.len() });
        }
        bucket.put(&mut self.pages, key, value)
    }

    /// Writes what is left and the metas, and gives the file back, flushed but not synced to disk.
    ///
    /// Its size is the number of its pages times their size, as in a snapshot without trailer.
    pub fn finish(mut self) -> Result<W, BuildError> {
        self.close()?;
        Ok(self.pages.into_file()?)
    }

    fn close(&mut self) -> Result<(), BuildError> {
        self.end_bucket()?;
        let buckets = std::mem::replace(&mut self.buckets, Tree::new(self.pages.layout()));
        let root = buckets.close(&mut self.pages)?;
        self.pages.write_metas(root)?;
        Ok(())
    }

    /// Writes the open bucket's last pages and enters it in the tree of buckets.
    fn end_bucket(&mut self) -> Result<(), BuildError> {
        let Some((name, bucket)) = self.open.take() else {
            return Ok(());
        };
        // The value of a bucket: root page u64, sequence u64, and for root 0 a leaf right behind.
        let mut value = vec![0; 16];
        if let Some(leaf) = bucket.inline() {
            leaf.write_to(0, 0, &mut value)?;
        } else {
            let root = bucket.close(&mut self.pages)?;
            value.splice(..8, root.to_le_bytes());
        }
        self.buckets.put_bucket(&mut self.pages, &name, &value)
    }
}

impl<W: Read + Write + Seek> Builder<W> {
    /// As [`finish`](Self::finish), and appends the SHA-256 that etcd sends at the end of a
    /// snapshot. Reads the file once from its start, because the metas come first and are written
    /// last.
    pub fn finish_with_trailer(mut self) -> Result<(W, Digest), BuildError> {
        self.close()?;
        let mut file = self.pages.into_file()?;
        let digest = pages::append_trailer(&mut file)?;
        Ok((file, digest))
    }
}

fn check_key(last: Option<&[u8]>, key: &[u8]) -> Result<(), BuildError> {
    if key.is_empty() {
        return Err(BuildError::EmptyKey);
    }
    if key.len() > MAX_KEY {
        return Err(BuildError::TooLarge { size: key.len() });
    }
    match last {
        Some(last) if key <= last => Err(BuildError::Order {
            last: last.to_vec(),
            key: key.to_vec(),
        }),
        _ => Ok(()),
    }
}
