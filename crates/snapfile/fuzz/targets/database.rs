//! Any bytes as a snapshot, as they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollsnap_fuzz::questions::ask;

fuzz_target!(|data: &[u8]| {
    ask(&data);
});
