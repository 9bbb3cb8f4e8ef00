//! Any text as a snapshot's name, and what is made of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollsnap_engine::name::Part;
use rollsnap_engine::{Codec, SnapshotName};

fuzz_target!(|text: &str| {
    let Ok(name) = SnapshotName::new(text) else {
        return;
    };
    let _ = name.rolling_time();
    assert!(!name.as_str().contains('/'));
    assert_eq!(
        Part::of(&name.manifest()),
        Some(Part::Manifest(name.clone()))
    );
    assert_eq!(Part::of(&name.index()), Some(Part::Index(name.clone())));
    for codec in Codec::ALL {
        assert_eq!(
            Part::of(&name.stored(codec)),
            Some(Part::Stored(name.clone(), codec))
        );
    }
});
