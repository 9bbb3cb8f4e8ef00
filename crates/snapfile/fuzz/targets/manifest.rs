//! Any bytes as the manifest of the snapshot `n`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rollsnap_engine::{Manifest, SnapshotName};

static NAME: LazyLock<SnapshotName> = LazyLock::new(|| SnapshotName::new("n").expect("a name"));

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::read(&NAME, data) {
        let written = manifest.to_bytes();
        let again = Manifest::read(&NAME, &written).expect("what was written can be read");
        assert_eq!(again.to_bytes(), written);
    }
});
