//! Every page once, in the order of the keys, checked on the way.
//!
//! What bbolt demands of a file (`tx_check.go`) and a little more: each page is named once, every
//! one carries its own number and type, keys ascend within a page and between pages, a child has
//! no key outside the range that its parent names, and the free list names exactly what is left.

use std::ops::ControlFlow;

use crate::Finding;

use super::bits::Bits;
use super::db::{BoltError, Database, MAX_DEPTH, Root};
use super::page::{Child, Kind, Page};
use super::pages::Pages;

/// Pages between neighbours that are still read in one go: what lies between is their overflow,
/// or cheaper to read than to skip.
const NEAR: u64 = 4;

/// Hears what a walk meets. Everything may say to stop.
pub(crate) trait Visitor {
    /// A bucket begins. Its pairs follow, in ascending order.
    fn bucket(&mut self, name: &[u8]) -> ControlFlow<()>;

    /// A pair of the bucket that was named last. A bucket within it comes with an empty value.
    fn pair(&mut self, page: u64, key: &[u8], value: &[u8]) -> ControlFlow<()>;

    /// Something is wrong. What hangs on it is passed over.
    fn fault(&mut self, finding: Finding) -> ControlFlow<()>;

    /// So many bytes of pages were seen in all.
    fn seen(&mut self, bytes: u64) -> ControlFlow<()>;
}

/// What a walk that was not stopped knows at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walked {
    /// Bytes of the pages that hold something: metas, trees and free list.
    pub(crate) bytes_in_use: u64,
}

/// Why a walk has no end to tell of.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The visitor said so.
    Stopped,
    /// The bytes cannot be read.
    Read(std::io::Error),
}

/// Walks all buckets, or only those that are named. With `only`, pages that are not reached are
/// not judged.
pub(crate) fn walk<V: Visitor>(
    database: &Database<'_>,
    only: Option<&[u8]>,
    visitor: &mut V,
) -> Result<Walked, Ended> {
    let meta = database.meta();
    let mut walk = Walk {
        pages: database.pages(),
        seen: Bits::new(meta.high_water),
        count: 2,
        page_size: u64::from(meta.page_size),
        high_water: meta.high_water,
        only,
        bucket: None,
        is_told: true,
        read: None,
        visitor,
    };
    let flow = walk.run(database);
    let Walk {
        read,
        count,
        page_size,
        ..
    } = walk;
    match (flow, read) {
        (_, Some(error)) => Err(Ended::Read(error)),
        (ControlFlow::Break(()), None) => Err(Ended::Stopped),
        (ControlFlow::Continue(()), None) => Ok(Walked {
            bytes_in_use: count.saturating_mul(page_size),
        }),
    }
}

struct Walk<'f, 'v, V> {
    pages: Pages<'f>,
    /// Pages that were named.
    seen: Bits,
    /// How many.
    count: u64,
    page_size: u64,
    high_water: u64,
    only: Option<&'v [u8]>,
    /// The bucket that is being walked.
    bucket: Option<Vec<u8>>,
    /// Whether the visitor hears of pairs: not of those of a bucket within a bucket.
    is_told: bool,
    /// The failure to read that ended it.
    read: Option<std::io::Error>,
    visitor: &'v mut V,
}

/// Which keys a page may have: from the first on, and below the second.
#[derive(Debug, Clone, Copy, Default)]
struct Span<'k> {
    from: Option<&'k [u8]>,
    below: Option<&'k [u8]>,
}

impl Span<'_> {
    fn has(&self, key: &[u8]) -> bool {
        self.from.is_none_or(|from| from <= key) && self.below.is_none_or(|below| key < below)
    }
}

/// What is left to do with a page once the window it was read through may move on.
enum Rest {
    /// A branch, whose children follow.
    Branch(Vec<u8>),
    /// A leaf of the root tree, whose entries are buckets.
    Buckets(Vec<u8>),
    /// A leaf whose pairs were told. The buckets among them follow.
    Nested(Vec<Vec<u8>>),
}

impl<V: Visitor> Walk<'_, '_, V> {
    fn run(&mut self, database: &Database<'_>) -> ControlFlow<()> {
        let meta = database.meta();
        let metas = database.metas();
        if self.only.is_none() {
            for (page, meta) in [(0, metas.first), (1, metas.second)] {
                if meta.is_none() {
                    self.fault(Finding::of_page(page, "is no valid meta page"))?;
                }
            }
        }
        self.tree(meta.root, meta.root, Span::default(), 0)?;
        match self.only {
            None => self.free(meta.free_list),
            Some(_) => ControlFlow::Continue(()),
        }
    }

    /// A page and what hangs on it. Pages up to `ahead` follow soon.
    fn tree(&mut self, id: u64, ahead: u64, span: Span<'_>, depth: usize) -> ControlFlow<()> {
        if depth > MAX_DEPTH {
            return self.fault(self.at(id, "lies too deep: the tree has no end"));
        }
        match self.look(id, ahead, span)? {
            None => ControlFlow::Continue(()),
            Some(Rest::Branch(bytes)) => self.branch(id, &bytes, span, depth),
            Some(Rest::Buckets(bytes)) => self.buckets(id, &bytes, span, depth),
            Some(Rest::Nested(buckets)) => self.nested(id, &buckets, depth),
        }
    }

    /// Reads a page, and tells its pairs if it is a leaf of a bucket.
    fn look(&mut self, id: u64, ahead: u64, span: Span<'_>) -> ControlFlow<(), Option<Rest>> {
        let page = match self.pages.read(id, ahead) {
            Ok(page) => page,
            Err(BoltError::Read(error)) => {
                self.read = Some(error);
                return ControlFlow::Break(());
            }
            Err(BoltError::Page { what, .. }) => return self.passed_over(id, what),
            Err(other) => return self.passed_over(id, &other.to_string()),
        };
        let header = page.header();
        let run = u64::from(header.overflow).saturating_add(1);
        if !self.seen.take(id, run) {
            return self.passed_over(id, "is named twice");
        }
        self.count = self.count.saturating_add(run);
        self.visitor
            .seen(self.count.saturating_mul(self.page_size))?;
        let rest = match (header.kind, &self.bucket) {
            (Some(Kind::Branch), _) => Rest::Branch(page.bytes().to_vec()),
            (Some(Kind::Leaf), None) => Rest::Buckets(page.bytes().to_vec()),
            (Some(Kind::Leaf), Some(bucket)) => {
                let leaf = Leaf {
                    id,
                    page,
                    bucket,
                    span,
                };
                Rest::Nested(leaf.tell(self.visitor, self.is_told)?)
            }
            _ => return self.passed_over(id, "is neither a branch nor a leaf"),
        };
        ControlFlow::Continue(Some(rest))
    }

    fn branch(&mut self, id: u64, bytes: &[u8], span: Span<'_>, depth: usize) -> ControlFlow<()> {
        let Some(page) = Page::parse(bytes).filter(|page| page.count() > 0) else {
            return self.fault(self.at(id, "is a branch without children"));
        };
        let mut near = 0;
        for index in 0..page.count() {
            let Some(child) = page.child(index) else {
                return self.fault(self.at(id, "has a branch element outside the page"));
            };
            let next = index.checked_add(1).and_then(|next| page.child(next));
            if !span.has(child.key) || next.is_some_and(|next| next.key <= child.key) {
                let finding = self.at(id, "has a branch key out of order");
                self.fault(finding.at_key(child.key))?;
                continue;
            }
            if near <= child.id {
                near = together(&page, index, child);
            }
            let span = Span {
                from: Some(child.key),
                below: next.map(|next| next.key).or(span.below),
            };
            self.tree(child.id, near, span, depth.saturating_add(1))?;
        }
        ControlFlow::Continue(())
    }

    /// A leaf of the tree of buckets.
    fn buckets(&mut self, id: u64, bytes: &[u8], span: Span<'_>, depth: usize) -> ControlFlow<()> {
        let Some(page) = Page::parse(bytes) else {
            return ControlFlow::Continue(());
        };
        let mut last = None;
        for index in 0..page.count() {
            let Some(entry) = page.entry(index) else {
                return self.fault(self.at(id, "has a leaf element outside the page"));
            };
            if !span.has(entry.key) || last.is_some_and(|last| entry.key <= last) {
                self.fault(
                    self.at(id, "has a bucket out of order")
                        .in_bucket(entry.key),
                )?;
            }
            last = Some(entry.key);
            if !entry.is_bucket {
                let finding = self.at(id, "has a key among the buckets");
                self.fault(finding.at_key(entry.key))?;
            } else if self.only.is_none_or(|only| only == entry.key) {
                self.visitor.bucket(entry.key)?;
                self.bucket = Some(entry.key.to_vec());
                self.pairs(id, entry.value, depth)?;
                self.bucket = None;
            }
        }
        ControlFlow::Continue(())
    }

    /// The pairs of a bucket, by its value.
    fn pairs(&mut self, id: u64, value: &[u8], depth: usize) -> ControlFlow<()> {
        let depth = depth.saturating_add(1);
        let inline = match Root::parse(value) {
            Some(Root::Page(root)) => return self.tree(root, root, Span::default(), depth),
            Some(Root::Inline(bytes)) => bytes,
            None => return self.fault(self.at(id, "has a bucket whose header is cut")),
        };
        let page = Page::parse(&inline).filter(|page| page.header().kind == Some(Kind::Leaf));
        let (Some(page), Some(bucket)) = (page, &self.bucket) else {
            return self.fault(self.at(id, "has an inline bucket that is no leaf"));
        };
        let span = Span::default();
        let leaf = Leaf {
            id,
            page,
            bucket,
            span,
        };
        let buckets = leaf.tell(self.visitor, self.is_told)?;
        self.nested(id, &buckets, depth)
    }

    /// Buckets within a bucket: bbolt allows them and etcd makes none. Their pages are checked,
    /// their pairs are nobody's (etcdutl counts and hashes none of them either).
    fn nested(&mut self, id: u64, buckets: &[Vec<u8>], depth: usize) -> ControlFlow<()> {
        for value in buckets {
            if depth > MAX_DEPTH {
                return self.fault(self.at(id, "lies too deep: the buckets have no end"));
            }
            let is_told = std::mem::replace(&mut self.is_told, false);
            self.pairs(id, value, depth)?;
            self.is_told = is_told;
        }
        ControlFlow::Continue(())
    }

    /// The free list, where it is kept: exactly the pages that nothing else holds.
    fn free(&mut self, list: Option<u64>) -> ControlFlow<()> {
        let Some(id) = list else {
            return ControlFlow::Continue(());
        };
        let free = match self.pages.read(id, id) {
            Ok(page) if page.header().kind == Some(Kind::FreeList) => page.free(),
            Ok(_) => return self.fault(self.at(id, "is no free list")),
            Err(BoltError::Read(error)) => {
                self.read = Some(error);
                return ControlFlow::Break(());
            }
            Err(error) => return self.fault(self.at(id, error.to_string())),
        };
        let Some((run, free)) = free else {
            return self.fault(self.at(id, "is a free list that is cut"));
        };
        if !self.seen.take(id, run) {
            self.fault(self.at(id, "is the free list and in use"))?;
        }
        self.count = self.count.saturating_add(run);
        for page in free {
            if !(2..self.high_water).contains(&page) {
                self.fault(self.at(page, "is free and lies outside the file"))?;
            } else if !self.seen.take(page, 1) {
                self.fault(self.at(page, "is free and in use, or free twice"))?;
            }
        }
        for page in 2..self.high_water {
            if self.seen.take(page, 1) {
                self.fault(self.at(page, "is neither in use nor free"))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Tells a fault of a page of which nothing more can be said.
    fn passed_over(&mut self, id: u64, what: &str) -> ControlFlow<(), Option<Rest>> {
        self.fault(self.at(id, what))?;
        ControlFlow::Continue(None)
    }

    fn at(&self, page: u64, what: impl Into<String>) -> Finding {
        let finding = Finding::of_page(page, what);
        match &self.bucket {
            Some(bucket) => finding.in_bucket(bucket),
            None => finding,
        }
    }

    fn fault(&mut self, finding: Finding) -> ControlFlow<()> {
        self.visitor.fault(finding)
    }
}

/// A leaf of a bucket.
struct Leaf<'p, 's> {
    id: u64,
    page: Page<'p>,
    bucket: &'p [u8],
    span: Span<'s>,
}

impl Leaf<'_, '_> {
    /// Tells the pairs, and returns the buckets among them.
    fn tell<V: Visitor>(&self, visitor: &mut V, is_told: bool) -> ControlFlow<(), Vec<Vec<u8>>> {
        let mut buckets = Vec::new();
        let mut last: Option<&[u8]> = None;
        for index in 0..self.page.count() {
            let Some(entry) = self.page.entry(index) else {
                visitor.fault(self.at("has a leaf element outside the page"))?;
                break;
            };
            if entry.key.is_empty() {
                visitor.fault(self.at("has an empty key"))?;
            }
            if last.is_some_and(|last| entry.key <= last) {
                visitor.fault(self.at("is out of order").at_key(entry.key))?;
            } else if !self.span.has(entry.key) {
                let what = "lies outside the range that the page above names";
                visitor.fault(self.at(what).at_key(entry.key))?;
            }
            last = Some(entry.key);
            if is_told {
                let value = if entry.is_bucket { &[] } else { entry.value };
                visitor.pair(self.id, entry.key, value)?;
            }
            if entry.is_bucket {
                buckets.push(entry.value.to_vec());
            }
        }
        ControlFlow::Continue(buckets)
    }

    fn at(&self, what: &str) -> Finding {
        Finding::of_page(self.id, what).in_bucket(self.bucket)
    }
}

/// One past the last page that lies together with child `index` and those after it.
fn together(page: &Page<'_>, index: usize, child: Child<'_>) -> u64 {
    let mut end = child.id;
    let mut next = index;
    while let Some(after) = next.checked_add(1).and_then(|next| page.child(next)) {
        if after.id <= end || after.id.saturating_sub(end) > NEAR {
            break;
        }
        end = after.id;
        next = next.saturating_add(1);
    }
    end.saturating_add(1)
}
