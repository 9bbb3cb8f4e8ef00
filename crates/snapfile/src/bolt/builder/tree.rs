//! The tree of one bucket, grown from its leaves.

use std::io::{Seek, Write};
use std::iter::once;
use std::mem;

use super::BuildError;
use super::filling::{Child, Filling};
use super::pages::{Layout, Pages};

/// Most pages that two pairs may take before they share a leaf: to change one is to write both.
const TOGETHER: usize = 8;

/// The open page of each level. Keys come in ascending order; the caller has checked that.
#[derive(Debug)]
pub(super) struct Tree {
    layout: Layout,
    leaf: Filling,
    last_key: Vec<u8>,
    /// The branches, those right above the leaves first. One exists from the first page on that
    /// was written below it, and another page always follows, so none ends with one child.
    branches: Vec<Branch>,
}

impl Tree {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            leaf: Filling::default(),
            last_key: Vec::new(),
            branches: Vec::new(),
        }
    }

    /// The key that was put last.
    pub(super) fn last_key(&self) -> Option<&[u8]> {
        (!self.last_key.is_empty()).then_some(&*self.last_key)
    }

    pub(super) fn put(
        &mut self,
        pages: &mut Pages<impl Write + Seek>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), BuildError> {
        self.make_room(pages, key, value)?;
        self.leaf.push_value(key, value);
        Ok(())
    }

    pub(super) fn put_bucket(
        &mut self,
        pages: &mut Pages<impl Write + Seek>,
        name: &[u8],
        value: &[u8],
    ) -> Result<(), BuildError> {
        self.make_room(pages, name, value)?;
        self.leaf.push_bucket(name, value);
        Ok(())
    }

    fn make_room(
        &mut self,
        pages: &mut Pages<impl Write + Seek>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), BuildError> {
        let len = key.len().saturating_add(value.len());
        if self.leaf.count() > 0 && !self.joins(len) {
            let id = pages.write(&self.leaf)?;
            let child = self.leaf.as_child(id);
            self.leaf.clear(self.layout.page);
            self.enter(pages, 0, child)?;
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        Ok(())
    }

    /// Whether a pair of this many bytes goes to those on the leaf.
    ///
    /// Of pairs of half a page and more, as most of Kubernetes' are, hardly two fit nine tenths of
    /// one. bbolt then has two on a leaf all the same, with overflow (`node.go`, `splitIndex`);
    /// here they are together where that takes a page less.
    fn joins(&self, len: usize) -> bool {
        let pages = |size: usize| size.div_ceil(self.layout.page.max(1));
        let together = self.leaf.size_with(len);
        let apart =
            pages(self.leaf.size()).saturating_add(pages(Filling::default().size_with(len)));
        together <= self.layout.full
            || self.leaf.count() == 1 && pages(together) < apart && apart <= TOGETHER
    }

    /// Enters a page in the branch `height` levels above the leaves, and that one in the branch
    /// above it when it is full.
    fn enter(
        &mut self,
        pages: &mut Pages<impl Write + Seek>,
        height: usize,
        child: Child,
    ) -> Result<(), BuildError> {
        let mut rising = child;
        for height in height.. {
            if height >= self.branches.len() {
                self.branches.push(Branch::default());
            }
            let full = self
                .branches
                .get_mut(height)
                .and_then(|branch| branch.push(rising, self.layout.full));
            let Some(full) = full else { break };
            rising = full.as_child(pages.write(&full)?);
        }
        Ok(())
    }

    /// The only leaf of a tree that is small enough to live in its bucket's value.
    pub(super) fn inline(&self) -> Option<&Filling> {
        let fits = self.branches.is_empty() && self.leaf.size() <= self.layout.inline;
        fits.then_some(&self.leaf)
    }

    /// Writes the open pages of all levels and tells the number of the root.
    pub(super) fn close(mut self, pages: &mut Pages<impl Write + Seek>) -> Result<u64, BuildError> {
        let mut top = pages.write(&self.leaf)?;
        if self.branches.is_empty() {
            return Ok(top);
        }
        let child = self.leaf.as_child(top);
        self.enter(pages, 0, child)?;
        let mut height = 0_usize;
        while let Some(branch) = self.branches.get_mut(height).map(mem::take) {
            height = height.saturating_add(1);
            let (page, rest) = branch.close(self.layout.page);
            let is_root = rest.is_none() && height == self.branches.len();
            for page in once(page).chain(rest) {
                top = pages.write(&page)?;
                if !is_root {
                    self.enter(pages, height, page.as_child(top))?;
                }
            }
        }
        Ok(top)
    }
}

/// The open branch of one level.
///
/// Of the children beyond a full page the first is held back until a second one comes: so each
/// page that is written leaves two for the next.
#[derive(Debug, Default)]
struct Branch {
    page: Filling,
    held: Option<Child>,
}

impl Branch {
    /// Takes a child; gives the page that is full by it.
    fn push(&mut self, child: Child, full: usize) -> Option<Filling> {
        if let Some(held) = self.held.take() {
            let done = mem::take(&mut self.page);
            self.page.push_child(&held);
            self.page.push_child(&child);
            return Some(done);
        }
        if self.page.count() < 2 || self.page.size_with(child.first_key.len()) <= full {
            self.page.push_child(&child);
        } else {
            self.held = Some(child);
        }
        None
    }

    /// The last page of the level, or the last two.
    fn close(mut self, page_size: usize) -> (Filling, Option<Filling>) {
        let Some(held) = self.held else {
            return (self.page, None);
        };
        // The reserve of a tenth is there to be used; three children cannot be parted.
        if self.page.count() < 3 || self.page.size_with(held.first_key.len()) <= page_size {
            self.page.push_child(&held);
            return (self.page, None);
        }
        let mut rest = Filling::default();
        if let Some(last) = self.page.pop_child() {
            rest.push_child(&last);
        }
        rest.push_child(&held);
        (self.page, Some(rest))
    }
}
