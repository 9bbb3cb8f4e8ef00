//! Sound databases, damaged behind their seals.
//!
//! With `FORGED=FILE` in the environment the database that an input stands for is written there.
#![no_main]

use std::ffi::OsString;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use rollsnap_fuzz::forge::forge;
use rollsnap_fuzz::questions::ask;
use rollsnap_fuzz::seeds;

static FORGED: LazyLock<Option<OsString>> = LazyLock::new(|| std::env::var_os("FORGED"));
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds::all);

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
