//! Every field of a sound database that anything hangs on: a parser of its own, that trusts what
//! it reads.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::pairs::{Buckets, Pairs};

pub(crate) const META: usize = 16;

/// What some bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    PageId,
    PageFlags,
    Count,
    Overflow,
    /// Of a branch element.
    ChildPos,
    ChildKeySize,
    Child,
    ChildKey,
    /// Of a leaf element.
    Flags,
    Pos,
    KeySize,
    ValueSize,
    Key,
    Value,
    /// Of a bucket, and of the leaf that may lie in it.
    BucketSize,
    BucketRoot,
    BucketSequence,
    InlineId,
    InlineOverflow,
}

/// Where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) what: What,
    pub(crate) at: Range<usize>,
}

pub(crate) struct Anatomy<'i> {
    image: &'i [u8],
    pub(crate) page_size: usize,
    pub(crate) fields: Vec<Field>,
}

impl<'i> Anatomy<'i> {
    /// Of an image, with or without a digest behind it.
    pub(crate) fn of(image: &'i [u8]) -> Self {
        let page_size = number(image, META + 8, 4);
        let metas = [META, page_size + META];
        let in_force = metas
            .into_iter()
            .max_by_key(|meta| number(image, meta + 48, 8));
        let root = number(image, in_force.unwrap() + 16, 8);
        let mut anatomy = Self {
            image,
            page_size,
            fields: Vec::new(),
        };
        anatomy.page(root * page_size);
        anatomy
    }

    /// All pairs. The keys of the fields come right before their values.
    pub(crate) fn buckets(&self) -> Buckets {
        let mut buckets = Buckets::new();
        let (mut name, mut key) = (Vec::new(), Vec::new());
        for field in &self.fields {
            let bytes = self.image[field.at.clone()].to_vec();
            match field.what {
                What::Key => key = bytes,
                What::BucketRoot => {
                    name.clone_from(&key);
                    buckets.insert(name.clone(), Pairs::new());
                }
                What::Value => {
                    let bucket = buckets.get_mut(&name).unwrap();
                    bucket.insert(key.clone(), bytes);
                }
                _ => {}
            }
        }
        buckets
    }

    fn field(&mut self, what: What, at: usize, len: usize) -> usize {
        self.fields.push(Field {
            what,
            at: at..at + len,
        });
        if len <= 8 {
            number(self.image, at, len)
        } else {
            0
        }
    }

    fn page(&mut self, at: usize) {
        self.field(What::PageId, at, 8);
        self.field(What::Overflow, at + 12, 4);
        let is_branch = number(self.image, at + 8, 2) == 1;
        if !is_branch {
            return self.leaf(at);
        }
        self.field(What::PageFlags, at + 8, 2);
        for index in 0..self.field(What::Count, at + 10, 2) {
            let element = at + 16 + index * 16;
            let pos = self.field(What::ChildPos, element, 4);
            let len = self.field(What::ChildKeySize, element + 4, 4);
            let child = self.field(What::Child, element + 8, 8);
            self.field(What::ChildKey, element + pos, len);
            self.page(child * self.page_size);
        }
    }

    /// A leaf, in a page or in a bucket.
    fn leaf(&mut self, at: usize) {
        self.field(What::PageFlags, at + 8, 2);
        for index in 0..self.field(What::Count, at + 10, 2) {
            let element = at + 16 + index * 16;
            let is_bucket = self.field(What::Flags, element, 4) == 1;
            let pos = self.field(What::Pos, element + 4, 4);
            let key_len = self.field(What::KeySize, element + 8, 4);
            let size = if is_bucket {
                What::BucketSize
            } else {
                What::ValueSize
            };
            let value_len = self.field(size, element + 12, 4);
            let key = element + pos;
            self.field(What::Key, key, key_len);
            let value = key + key_len;
            if !is_bucket {
                self.field(What::Value, value, value_len);
                continue;
            }
            self.field(What::BucketSequence, value + 8, 8);
            match self.field(What::BucketRoot, value, 8) {
                0 => {
                    self.field(What::InlineId, value + 16, 8);
                    self.field(What::InlineOverflow, value + 28, 4);
                    self.leaf(value + 16);
                }
                root => self.page(root * self.page_size),
            }
        }
    }
}

/// A number of the format.
pub(crate) fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    let mut wide = [0; 8];
    wide[..len].copy_from_slice(&bytes[at..at + len]);
    usize::try_from(u64::from_le_bytes(wide)).unwrap()
}

/// Makes the checksum of the meta on the page at `page` anew.
pub(crate) fn seal_meta(image: &mut [u8], page: usize) {
    let meta = page + META;
    let sum = image[meta..meta + 56]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    image[meta + 56..meta + 64].copy_from_slice(&sum.to_le_bytes());
}

/// Makes the digest at the end anew.
pub(crate) fn seal(snapshot: &mut [u8]) {
    let (image, digest) = snapshot.split_last_chunk_mut::<32>().unwrap();
    *digest = Sha256::digest(image).into();
}
