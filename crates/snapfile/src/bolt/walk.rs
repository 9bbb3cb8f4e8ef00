//! Every page once, in the order of the keys, checked on the way.
//!
//! What bbolt demands of a file (`tx_check.go`) and a little more: each page is named once, every
//! one carries its own number and type, keys ascend within a page and between pages, a child has
//! no key outside the range that its parent names, and the free list names exactly what is left.

mod free;
mod leaf;

use std::ops::ControlFlow;

use crate::Finding;

use super::bits::Bits;
use super::db::{BoltError, Database, MAX_DEPTH, Root};
use super::page::{Child, Kind, Page};
use super::pages::Pages;
use leaf::{Leaf, Span};

/// Pages between neighbours that are still read in one go: what lies between is their overflow,
/// or cheaper to read than to skip.
const NEAR: u64 = 4;

/// Most bytes of the pages above the one that is read. bbolt's branches are one page, or four keys
/// (`node.go`, `splitTwo`) of at most 32 KiB; so are the buckets' leaves, and no tree is as deep.
const MAX_HELD: usize = 32 << 20;

/// Longest key (bbolt `bucket.go`, `MaxKeySize`).
const MAX_KEY: usize = 32 << 10;

const TOO_MUCH: &str = "holds more than bbolt puts above other pages: 32 MiB with those above it";

/// Hears what a walk meets. Everything may say to stop.
pub(crate) trait Visitor {
    /// A bucket begins. Its pairs follow, in ascending order.
    fn bucket(&mut self, name: &[u8]) -> ControlFlow<()>;

    /// A pair of the bucket that was named last.
    fn pair(&mut self, page: u64, key: &[u8], value: &[u8]) -> ControlFlow<()>;

    /// A bucket within the bucket that was named last: a pair with an empty value to whoever
    /// counts as etcdutl does.
    fn nested(&mut self, page: u64, name: &[u8]) -> ControlFlow<()> {
        self.pair(page, name, &[])
    }

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
        held: 0,
        was_leaf: false,
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
    /// Pages that were named, and those that belong to them. None is read again.
    seen: Bits,
    /// How many hold something.
    count: u64,
    page_size: u64,
    high_water: u64,
    only: Option<&'v [u8]>,
    /// The bucket that is being walked.
    bucket: Option<Vec<u8>>,
    /// Whether the visitor hears of pairs: not of those of a bucket within a bucket.
    is_told: bool,
    /// Bytes that are kept of the pages above.
    held: usize,
    /// Whether the page that was looked at last had no pages below.
    was_leaf: bool,
    /// The failure to read that ended it.
    read: Option<std::io::Error>,
    visitor: &'v mut V,
}

/// What is left to do with a page once the window it was read through may move on, in bytes that
/// are kept until it is done.
enum Rest {
    /// A branch, whose children follow.
    Branch(Vec<u8>),
    /// A leaf of the root tree, whose entries are buckets.
    Buckets(Vec<u8>),
    /// A leaf whose pairs were told. The buckets among them follow.
    Nested(Vec<Vec<u8>>),
}

impl Rest {
    fn len(&self) -> usize {
        match self {
            Self::Branch(bytes) | Self::Buckets(bytes) => bytes.len(),
            Self::Nested(buckets) => buckets.iter().map(Vec::len).sum(),
        }
    }
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
        let Some(rest) = self.look(id, ahead, span)? else {
            return ControlFlow::Continue(());
        };
        self.go_on(id, &rest, span, depth)
    }

    /// What hangs on a page.
    fn go_on(&mut self, id: u64, rest: &Rest, span: Span<'_>, depth: usize) -> ControlFlow<()> {
        let len = rest.len();
        self.held = self.held.saturating_add(len);
        match rest {
            Rest::Branch(bytes) => self.branch(id, bytes, span, depth)?,
            Rest::Buckets(bytes) => self.buckets(id, bytes, span, depth)?,
            Rest::Nested(buckets) => self.nested(id, buckets, depth)?,
        }
        self.held = self.held.saturating_sub(len);
        self.was_leaf = !matches!(rest, Rest::Branch(_));
        ControlFlow::Continue(())
    }

    /// Reads a page, and tells its pairs if it is a leaf of a bucket.
    fn look(&mut self, id: u64, ahead: u64, span: Span<'_>) -> ControlFlow<(), Option<Rest>> {
        if self.seen.has(id) {
            return self.passed_over(id, "is named twice");
        }
        let run = match self.pages.run(id, ahead) {
            Ok(run) => run,
            Err(error) => {
                self.seen.set(id);
                return self.unreadable(id, error);
            }
        };
        if !self.seen.take(id, run) {
            return self.passed_over(id, "has overflow that is another page's");
        }
        self.count = self.count.saturating_add(run);
        self.visitor
            .seen(self.count.saturating_mul(self.page_size))?;
        let room = MAX_HELD.saturating_sub(self.held);
        let page = match self.pages.read(id, ahead) {
            Ok(page) => page,
            Err(error) => return self.unreadable(id, error),
        };
        let rest = match (page.header().kind, &self.bucket) {
            (Some(Kind::Leaf), Some(bucket)) => {
                let leaf = Leaf {
                    id,
                    page,
                    bucket,
                    span,
                    room,
                };
                Rest::Nested(leaf.tell(self.visitor, self.is_told)?)
            }
            (Some(Kind::Branch | Kind::Leaf), _) if page.bytes().len() > room => {
                return self.passed_over(id, TOO_MUCH);
            }
            (Some(Kind::Branch), _) => Rest::Branch(page.bytes().to_vec()),
            (Some(Kind::Leaf), None) => Rest::Buckets(page.bytes().to_vec()),
            _ => return self.passed_over(id, "is neither a branch nor a leaf"),
        };
        ControlFlow::Continue(Some(rest))
    }

    fn branch(&mut self, id: u64, bytes: &[u8], span: Span<'_>, depth: usize) -> ControlFlow<()> {
        let Some(page) = Page::parse(bytes).filter(|page| page.count() > 0) else {
            return self.fault(self.at(id, "is a branch without children"));
        };
        let mut together = 0..0;
        let mut layout = page.layout();
        self.was_leaf = false;
        for index in 0..page.count() {
            let Some(child) = page.child(index) else {
                return self.fault(self.at(id, "has a branch element outside the page"));
            };
            if !layout.has_room_for_child(&child) {
                return self.fault(self.at(id, "has branch elements that share bytes"));
            }
            let next = index.checked_add(1).and_then(|next| page.child(next));
            if !span.has(child.key) || next.is_some_and(|next| next.key <= child.key) {
                let finding = self.at(id, "has a branch key out of order");
                self.fault(finding.at_key(child.key))?;
                continue;
            }
            if !together.contains(&child.id) {
                together = child.id..end_of_run(&page, index, child);
            }
            let span = Span {
                from: Some(child.key),
                below: next.map(|next| next.key).or(span.below),
            };
            // Pages below the child would drive out what was read ahead.
            let ahead = if self.was_leaf {
                together.end
            } else {
                child.id
            };
            self.tree(child.id, ahead, span, depth.saturating_add(1))?;
        }
        ControlFlow::Continue(())
    }

    /// A leaf of the tree of buckets.
    fn buckets(&mut self, id: u64, bytes: &[u8], span: Span<'_>, depth: usize) -> ControlFlow<()> {
        let Some(page) = Page::parse(bytes) else {
            return ControlFlow::Continue(());
        };
        let mut last = None;
        let mut layout = page.layout();
        for index in 0..page.count() {
            let Some(entry) = page.entry(index) else {
                return self.fault(self.at(id, "has a leaf element outside the page"));
            };
            if !layout.has_room_for(&entry) {
                return self.fault(self.at(id, "has leaf elements that share bytes"));
            }
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
            } else if entry.key.len() > MAX_KEY {
                let finding = self.at(id, "has a bucket with a name of more than 32 KiB");
                self.fault(finding.in_bucket(entry.key))?;
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
        let leaf = Leaf {
            id,
            page,
            bucket,
            span: Span::default(),
            room: MAX_HELD.saturating_sub(self.held),
        };
        let rest = Rest::Nested(leaf.tell(self.visitor, self.is_told)?);
        self.go_on(id, &rest, Span::default(), depth)
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

    /// Ends the walk: the bytes cannot be read.
    fn unread<T>(&mut self, error: std::io::Error) -> ControlFlow<(), T> {
        self.read = Some(error);
        ControlFlow::Break(())
    }

    /// Tells why a page cannot be read.
    fn unreadable(&mut self, id: u64, error: BoltError) -> ControlFlow<(), Option<Rest>> {
        match error {
            BoltError::Read(error) => self.unread(error),
            BoltError::Page { what, .. } => self.passed_over(id, what),
            other => self.passed_over(id, &other.to_string()),
        }
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

/// One past the last page that lies together with child `index` and those after it.
fn end_of_run(page: &Page<'_>, index: usize, child: Child<'_>) -> u64 {
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
