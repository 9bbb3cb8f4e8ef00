//! Stored bytes as a snapshot: raw, zip, gzip, zstd with and without a table.
#![no_main]

use std::ops::ControlFlow;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rollsnap_engine::image::{Access, Image, ImageError, Scratch};
use rollsnap_snapfile::ReadAt;

/// The heed is told of every 256 KiB: a bomb is stopped after 1 MiB.
const TOLD: usize = 4;

fuzz_target!(|data: &[u8]| {
    let scratch = Scratch::new("/dev/shm");
    let stored: Arc<dyn ReadAt> = Arc::new(data.to_vec());
    let few = Image::open(Arc::clone(&stored), Access::Few, &scratch, &mut patience());
    let all = Image::open(stored, Access::All, &scratch, &mut patience());
    let stream = Image::of_stream(&mut &data[..], None, &scratch, &mut patience());
    let images = [few, all, stream];
    for image in images.iter().flatten() {
        let size = image.len();
        for at in [0, size / 2, size.saturating_sub(7)] {
            let len = size.saturating_sub(at).min(4096);
            let mut buf = vec![0; len as usize];
            let _ = image.read_at(at, &mut buf);
        }
        let beyond = image.read_at(size, &mut [0]);
        assert!(beyond.is_err());
    }
    for error in images.iter().filter_map(|image| image.as_ref().err()) {
        assert!(!error.to_string().is_empty());
        let _ = (error.kind(), error.hint());
        assert!(!matches!(error, ImageError::Scratch { .. }), "{error}");
    }
});

fn patience() -> impl FnMut(u64, u64) -> ControlFlow<()> {
    let mut left = TOLD;
    move |_, _| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    }
}
