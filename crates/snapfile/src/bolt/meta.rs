//! The two pages that say where everything begins.
//!
//! ```text
//! page header 16 | magic u32 | version u32 | page size u32 | flags u32 | root page u64 |
//! root sequence u64 | free list u64 | high-water page u64 | transaction u64 | checksum u64
//! ```
//! The checksum is FNV-1a 64 over the 56 bytes before it (bbolt `internal/common/meta.go`).

use crate::ReadAt;

use super::db::BoltError;
use super::page::{HEADER, u32_at, u64_at};

pub(super) const MAGIC: u32 = 0xED0C_DAED;
pub(super) const VERSION: u32 = 2;
const LEN: usize = 64;
const CHECKED: usize = 56;
pub(super) const MIN_PAGE: u32 = 1024;
const MAX_PAGE: u32 = 1024 << 14;
/// Stands where the page of the free list would, when it is not kept.
pub(super) const NO_FREE_LIST: u64 = u64::MAX;

/// One valid meta page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Bytes of a page.
    pub page_size: u32,
    /// The page at the root of the tree of buckets.
    pub root: u64,
    /// The page of the free list. `None` where it is not kept, as in every file that etcd wrote
    /// on Linux: then what cannot be reached is free.
    pub free_list: Option<u64>,
    /// One past the highest page in use.
    pub high_water: u64,
    /// The transaction that wrote it.
    pub txid: u64,
}

/// Both meta pages, as far as they are valid. At least one is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metas {
    pub(super) first: Option<Meta>,
    pub(super) second: Option<Meta>,
}

impl Metas {
    /// Reads both.
    ///
    /// The page size stands only in the metas themselves. Where page 0 is broken, page 1 is
    /// looked for at every size a host may have had, 1 KiB to 16 MiB.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self, BoltError> {
        let first = Meta::read(file, 0)?;
        let sizes: Vec<u32> = match first {
            Some(meta) => vec![meta.page_size],
            None => (0..=14).map(|shift| MIN_PAGE << shift).collect(),
        };
        let mut second = None;
        for size in sizes {
            if second.is_none() {
                second = Meta::read(file, u64::from(size))?.filter(|meta| meta.page_size == size);
            }
        }
        match (first, second) {
            (None, None) => Err(BoltError::NoMeta),
            _ => Ok(Self { first, second }),
        }
    }

    /// The one in force: of the valid ones that with the higher transaction id.
    pub(super) fn in_force(&self) -> Option<Meta> {
        let valid = self.first.into_iter().chain(self.second);
        valid.max_by_key(|meta| meta.txid)
    }
}

impl Meta {
    /// Bytes of all pages.
    pub fn size(&self) -> u64 {
        self.high_water.saturating_mul(u64::from(self.page_size))
    }

    /// The meta on the page at `offset`, if there is a valid one.
    fn read(file: &dyn ReadAt, offset: u64) -> Result<Option<Self>, BoltError> {
        let mut bytes = [0; HEADER + LEN];
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if end > file.size()? {
            return Ok(None);
        }
        file.read_at(offset, &mut bytes)?;
        Ok(Self::parse(bytes.get(HEADER..).unwrap_or_default()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let checksum = fnv1a(bytes.get(..CHECKED)?);
        let page_size = u32_at(bytes, 8)?;
        let valid = u32_at(bytes, 0)? == MAGIC
            && u32_at(bytes, 4)? == VERSION
            && u64_at(bytes, CHECKED)? == checksum
            && (MIN_PAGE..=MAX_PAGE).contains(&page_size)
            && page_size.is_power_of_two();
        valid.then_some(Self {
            page_size,
            root: u64_at(bytes, 16)?,
            free_list: Some(u64_at(bytes, 32)?).filter(|page| *page != NO_FREE_LIST),
            high_water: u64_at(bytes, 40)?,
            txid: u64_at(bytes, 48)?,
        })
    }
}

/// FNV-1a 64.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
