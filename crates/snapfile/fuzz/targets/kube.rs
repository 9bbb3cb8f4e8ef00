//! Any bytes as a value and as a key of Kubernetes, and any text as words for a resource.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollsnap_kube::{Keys, clean, decode, redact, to_yaml};

fuzz_target!(|data: &[u8]| {
    if let Some(mut value) = decode(data).into_value() {
        assert!(to_yaml(&value).ends_with('\n'));
        redact(&mut value);
        clean(&mut value);
        assert!(to_yaml(&value).ends_with('\n'));
    }
    let keys = Keys::default();
    if let Some(key) = keys.parse(data) {
        assert!(!key.name.is_empty());
    }
    // As long as somebody types: words like it are looked for among all resources.
    if let Some(text) = std::str::from_utf8(data)
        .ok()
        .filter(|text| text.len() < 64)
    {
        let mut words = text.splitn(3, '\n');
        let resource = words.next().unwrap_or_default();
        if let Ok(selection) = keys.select(resource, words.next(), words.next()) {
            assert!(selection.prefix.starts_with(b"/registry/"));
            if let Some(key) = keys.parse(&selection.prefix).filter(|_| selection.exact) {
                assert!(selection.matches(&key), "{selection:?} {key:?}");
            }
        }
    }
});
