//! The small parsers: records, revisions, digests, and a stream cut into pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollsnap_snapfile::mvcc::{Change, Record, Revision};
use rollsnap_snapfile::{Digest, TrailerHasher};

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = Record::parse(data) {
        assert!(record.key.len() + record.value.len() <= data.len());
    }
    if let Some(change) = Change::parse(data) {
        assert_eq!(&data[..17], change.revision.to_bytes());
        assert!(!change.to_string().is_empty());
    }
    if let Some(revision) = Revision::parse(data) {
        assert_eq!(data, revision.to_bytes());
    }
    if let Some(digest) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse::<Digest>().ok())
    {
        assert_eq!(
            digest.to_string(),
            String::from_utf8_lossy(data).to_lowercase()
        );
    }
    // The first byte cuts: the verdict must not depend on where.
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let mut whole = TrailerHasher::default();
    whole.push(stream);
    let mut parts = TrailerHasher::default();
    for part in stream.chunks(usize::from(*cut).max(1)) {
        parts.push(part);
    }
    assert_eq!(whole.finish(), parts.finish());
});
