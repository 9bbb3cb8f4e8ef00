//! Sound databases, damaged behind their seals.
//!
//! With `FORGED=FILE` in the environment the database that an input stands for is written there.
#![no_main]

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use rollsnap_fuzz::forge::forge;
use rollsnap_fuzz::questions::ask;
use rollsnap_fuzz::seeds;
use rollsnap_snapfile::verify;

static FORGED: LazyLock<Option<OsString>> = LazyLock::new(|| std::env::var_os("FORGED"));
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let seeds = seeds::all();
    for number in 0..seeds.len() {
        let sound = forge(&seeds, &[number as u8]).expect("a seed");
        let report = verify(&sound, &mut |_| ControlFlow::Continue(())).expect("memory");
        assert!(report.is_proved(), "{number}: {:?}", report.findings);
    }
    seeds
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(file) = forge(&SEEDS, data) else {
        return Corpus::Reject;
    };
    if let Some(path) = &*FORGED {
        std::fs::write(path, &file).expect("the file of FORGED can be written");
    }
    ask(&file);
    Corpus::Keep
});
