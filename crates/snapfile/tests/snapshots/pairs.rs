//! Databases as plain maps, and files built from them.

use std::collections::BTreeMap;
use std::io::Cursor;

use rollsnap_snapfile::bolt::Builder;

pub(crate) type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;
pub(crate) type Buckets = BTreeMap<Vec<u8>, Pairs>;

/// The file of these buckets, with its digest.
pub(crate) fn build(buckets: &Buckets, page_size: u32) -> Vec<u8> {
    let mut database = Builder::with_page_size(Cursor::new(Vec::new()), page_size).unwrap();
    for (name, pairs) in buckets {
        database.bucket(name).unwrap();
        for (key, value) in pairs {
            database.put(key, value).unwrap();
        }
    }
    let (file, _) = database.finish_with_trailer().unwrap();
    file.into_inner()
}

/// etcd's hash of the contents, whatever the pages: each bucket's name, keys and values.
pub(crate) fn hash(buckets: &Buckets) -> u32 {
    buckets.iter().fold(0, |hash, (name, pairs)| {
        let hash = crc32c::crc32c_append(hash, name);
        pairs.iter().fold(hash, |hash, (key, value)| {
            crc32c::crc32c_append(crc32c::crc32c_append(hash, key), value)
        })
    })
}
