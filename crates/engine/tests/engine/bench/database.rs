//! Snapshots: a real one of etcd's, and small ones that are built here.

use std::io::Read;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The smallest page that bbolt has.
const PAGE: usize = 1024;

/// What etcd 3.5.1 sent, trailer and all: 1.4 MB.
pub(crate) fn golden() -> Bytes {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../snapfile/testdata/3.5.1.db.gz"
    );
    let file = std::fs::File::open(path).expect("a golden file");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .expect("a gzip file");
    bytes.into()
}

/// The revision that etcdutl tells of [`golden`].
pub(crate) const GOLDEN_REVISION: u64 = 172;

/// A database of three pages with one record of this revision, and its trailer: no two alike.
///
/// ```text
/// meta 0 | meta 1 | leaf: "key" -> inline bucket: revision -> value
/// ```
pub(crate) fn small(revision: u64) -> Bytes {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&revision.to_be_bytes());
    key[8] = b'_';
    let mut bucket = vec![0; 16];
    bucket.extend(leaf(0, 0, &key, b"value"));
    let mut root = leaf(2, 1, b"key", &bucket);
    root.resize(PAGE, 0);

    let mut image = [meta(0), meta(1), root].concat();
    let trailer = Sha256::digest(&image);
    image.extend_from_slice(&trailer);
    image.into()
}

/// A leaf page with one element.
fn leaf(id: u64, flags: u32, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut page = Vec::new();
    page.extend(id.to_le_bytes());
    page.extend(2_u16.to_le_bytes());
    page.extend(1_u16.to_le_bytes());
    page.extend(0_u32.to_le_bytes());
    for number in [flags, 16, length(key), length(value)] {
        page.extend(number.to_le_bytes());
    }
    page.extend(key);
    page.extend(value);
    page
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a small page")
}

fn meta(id: u64) -> Vec<u8> {
    let mut page = Vec::new();
    page.extend(id.to_le_bytes());
    page.extend(4_u32.to_le_bytes());
    page.extend(0_u32.to_le_bytes());
    let mut meta = Vec::new();
    for number in [0xED0C_DAED, 2, length(&[0; PAGE]), 0_u32] {
        meta.extend(number.to_le_bytes());
    }
    // Root page and its sequence, free list, high water, transaction.
    for number in [2, 0, u64::MAX, 3, id] {
        meta.extend(number.to_le_bytes());
    }
    let checksum = meta.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    meta.extend(checksum.to_le_bytes());
    page.extend(meta);
    page.resize(PAGE, 0);
    page
}
