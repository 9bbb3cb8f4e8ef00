//! Any bytes as RKE's `cluster.yml`, and any text as a duration.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollsnap_rke::{cluster_yml, duration};

fuzz_target!(|data: &[u8]| {
    let (_, faults) = cluster_yml::read("cluster.yml", data);
    if let Some(faults) = &faults {
        assert!(!faults.to_string().is_empty());
    }
    assert_eq!(
        cluster_yml::parse("cluster.yml", data).is_err(),
        faults.is_some()
    );
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = duration::parse(text);
    }
});
