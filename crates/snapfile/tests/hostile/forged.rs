//! Database files that no etcd would write, of any size: what is not told of is zeros.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rollsnap_snapfile::ReadAt;

const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const FREE_LIST: u16 = 16;
/// The value is a bucket.
pub(crate) const BUCKET: u32 = 1;

/// Pages by what they begin with, and a count of all bytes that were read.
pub(crate) struct Forged {
    page_size: u64,
    pages: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
    read: AtomicU64,
}

/// An element of a leaf, wherever its bytes lie: flags, position, length of key and of value.
pub(crate) type Element = [u32; 4];

impl Forged {
    /// So many pages. Page 2 is a leaf that names the bucket `name`, whose root is page 3.
    pub(crate) fn new(page_size: u64, pages: u64, name: &[u8]) -> Self {
        let mut forged = Self::with_free_list(page_size, pages, u64::MAX);
        let root = [3_u64.to_le_bytes(), [0; 8]].concat();
        forged.leaf(2, 0, &[(BUCKET, name, &root)]);
        forged
    }

    /// Without any bucket, and with a free list.
    pub(crate) fn with_free_list(page_size: u64, pages: u64, free_list: u64) -> Self {
        let mut forged = Self {
            page_size,
            pages,
            pieces: BTreeMap::new(),
            read: AtomicU64::new(0),
        };
        for page in [0, 1] {
            let mut meta = Vec::new();
            for field in [0xED0C_DAED, 2, page_size as u32, 0] {
                meta.extend(field.to_le_bytes());
            }
            for field in [2, 0, free_list, pages, page] {
                meta.extend(field.to_le_bytes());
            }
            let sum = meta.iter().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
                (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            meta.extend(sum.to_le_bytes());
            forged.page(page, 4, 0, 0, &meta);
        }
        forged
    }

    pub(crate) fn size_in_bytes(&self) -> u64 {
        self.pages * self.page_size
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many pages these bytes take beyond the first.
    pub(crate) fn overflow(&self, bytes: u64) -> u32 {
        (bytes.div_ceil(self.page_size) - 1) as u32
    }

    /// A page by its header and what follows that.
    pub(crate) fn page(&mut self, id: u64, flags: u16, count: u16, overflow: u32, body: &[u8]) {
        let mut bytes = id.to_le_bytes().to_vec();
        bytes.extend(flags.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(overflow.to_le_bytes());
        bytes.extend(body);
        self.pieces.insert(id * self.page_size, bytes);
    }

    pub(crate) fn branch(&mut self, id: u64, overflow: u32, children: &[(Vec<u8>, u64)]) {
        let mut elements = Vec::new();
        let mut data: Vec<u8> = Vec::new();
        for (index, (key, child)) in children.iter().enumerate() {
            let pos = (children.len() - index) * 16 + data.len();
            elements.extend((pos as u32).to_le_bytes());
            elements.extend((key.len() as u32).to_le_bytes());
            elements.extend(child.to_le_bytes());
            data.extend(key);
        }
        elements.extend(data);
        self.page(id, BRANCH, children.len() as u16, overflow, &elements);
    }

    /// A branch whose keys are the numbers of its children's places.
    pub(crate) fn branch_to(
        &mut self,
        id: u64,
        overflow: u32,
        children: impl Iterator<Item = u64>,
    ) {
        let children: Vec<_> = (0_u32..)
            .zip(children)
            .map(|(place, child)| (place.to_be_bytes().to_vec(), child))
            .collect();
        self.branch(id, overflow, &children);
    }

    pub(crate) fn leaf(&mut self, id: u64, overflow: u32, pairs: &[(u32, &[u8], &[u8])]) {
        let body = leaf_body(pairs);
        self.page(id, LEAF, pairs.len() as u16, overflow, &body);
    }

    pub(crate) fn leaf_of(&mut self, id: u64, overflow: u32, elements: &[Element], data: &[u8]) {
        let mut body = words(elements);
        body.extend(data);
        self.page(id, LEAF, elements.len() as u16, overflow, &body);
    }

    pub(crate) fn free_list(&mut self, id: u64, overflow: u32, count: u64) {
        self.page(id, FREE_LIST, u16::MAX, overflow, &count.to_le_bytes());
    }
}

/// The value of a bucket that is one leaf in it.
pub(crate) fn inline(elements: &[Element], data: &[u8]) -> Vec<u8> {
    let mut value = vec![0; 16 + 8];
    value.extend(LEAF.to_le_bytes());
    value.extend((elements.len() as u16).to_le_bytes());
    value.extend([0; 4]);
    value.extend(words(elements));
    value.extend(data);
    value
}

fn words(elements: &[Element]) -> Vec<u8> {
    elements
        .iter()
        .flatten()
        .flat_map(|word| word.to_le_bytes())
        .collect()
}

fn leaf_body(pairs: &[(u32, &[u8], &[u8])]) -> Vec<u8> {
    let mut elements = Vec::new();
    let mut data = Vec::new();
    for (index, (flags, key, value)) in pairs.iter().enumerate() {
        let pos = (pairs.len() - index) * 16 + data.len();
        elements.push([*flags, pos as u32, key.len() as u32, value.len() as u32]);
        data.extend_from_slice(key);
        data.extend_from_slice(value);
    }
    let mut body = words(&elements);
    body.extend(data);
    body
}

impl ReadAt for Forged {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size_in_bytes())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        if end > self.size_in_bytes() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        buf.fill(0);
        // Of those that begin before only the last can reach up to here: they lie apart.
        for (start, piece) in self.pieces.range(..end).rev() {
            let from = offset.max(*start);
            let to = end.min(start + piece.len() as u64);
            if from < to {
                let here = &piece[(from - start) as usize..(to - start) as usize];
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(here);
            }
            if *start <= offset {
                break;
            }
        }
        Ok(())
    }
}
