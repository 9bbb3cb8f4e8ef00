//! Pages, read one at a time through a window that goes ahead where pages lie side by side.

use crate::ReadAt;

use super::db::BoltError;
use super::meta::Meta;
use super::page::{Header, Page};

/// Most bytes read ahead of what was asked for: large enough that a call costs little beside its
/// bytes, small enough to stay in the processor's cache until they are looked at.
const AHEAD: u64 = 256 << 10;

/// Longest run of pages that is read at once. etcd's requests end at 1.5 MiB by default and an
/// operator may raise that; what is larger than this is not believed.
const MAX_RUN: u64 = 256 << 20;

/// Reads the pages of one file.
///
/// Memory: 256 KiB, or the largest page with its overflow, at most 256 MiB.
pub(super) struct Pages<'f> {
    file: &'f dyn ReadAt,
    meta: Meta,
    window: Vec<u8>,
    /// The part of the file that the window holds.
    start: u64,
    end: u64,
}

impl<'f> Pages<'f> {
    pub(super) fn new(file: &'f dyn ReadAt, meta: Meta) -> Self {
        Self {
            file,
            meta,
            window: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    /// Reads a page and its overflow. Pages up to `ahead` are likely to be wanted next, and read
    /// with it.
    pub(super) fn read(&mut self, id: u64, ahead: u64) -> Result<Page<'_>, BoltError> {
        let broken = |what| BoltError::Page { page: id, what };
        let len = self.run(id, ahead)?.saturating_mul(self.page_size());
        self.hold(id, len, len)?;
        let bytes = self.bytes(id, len).ok_or(broken("is cut"))?;
        Page::parse(bytes).ok_or(broken("has no header"))
    }

    /// How many pages a page takes with its overflow: at most what the file has, and 256 MiB.
    /// Reads no more than [`read`](Self::read) would.
    pub(super) fn run(&mut self, id: u64, ahead: u64) -> Result<u64, BoltError> {
        let broken = |what| BoltError::Page { page: id, what };
        let high_water = self.meta.high_water;
        if !(2..high_water).contains(&id) {
            return Err(broken("lies outside the file"));
        }
        let soon = ahead.clamp(id.saturating_add(1), high_water);
        let wanted = soon.saturating_sub(id).saturating_mul(self.page_size());
        self.hold(id, self.page_size(), wanted.min(AHEAD))?;
        let header = self.bytes(id, self.page_size());
        let header = header.and_then(Header::parse);
        let header = header.ok_or(broken("has no header"))?;
        if header.id != id {
            return Err(broken("carries another page's number"));
        }
        let run = u64::from(header.overflow).saturating_add(1);
        if id.saturating_add(run) > high_water {
            return Err(broken("has overflow outside the file"));
        }
        if run.saturating_mul(self.page_size()) > MAX_RUN {
            return Err(broken("has more overflow than 256 MiB"));
        }
        Ok(run)
    }

    fn page_size(&self) -> u64 {
        u64::from(self.meta.page_size)
    }

    /// Sees to it that the window has the first `needed` bytes of a page; reads `wanted` of them
    /// if it has not.
    fn hold(&mut self, id: u64, needed: u64, wanted: u64) -> Result<(), BoltError> {
        let start = id.saturating_mul(self.page_size());
        if self.start <= start && start.saturating_add(needed) <= self.end {
            return Ok(());
        }
        let len = wanted.max(needed);
        let bytes = usize::try_from(len).map_err(|_| BoltError::Page {
            page: id,
            what: "is too long for this host",
        })?;
        self.end = self.start;
        // What one large value needed is not kept for the rest of the file.
        if len <= AHEAD && u64::try_from(self.window.len()).is_ok_and(|held| held > AHEAD) {
            self.window = Vec::new();
        }
        if self.window.len() < bytes {
            self.window.resize(bytes, 0);
        }
        let window = self.window.get_mut(..bytes).unwrap_or_default();
        self.file.read_at(start, window)?;
        (self.start, self.end) = (start, start.saturating_add(len));
        Ok(())
    }

    /// Bytes of a page that the window holds.
    fn bytes(&self, id: u64, len: u64) -> Option<&[u8]> {
        let start = id.checked_mul(self.page_size())?;
        if start.checked_add(len)? > self.end {
            return None;
        }
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        let len = usize::try_from(len).ok()?;
        self.window.get(from..from.checked_add(len)?)
    }
}
