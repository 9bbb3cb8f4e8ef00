//! A zip, hostile or one of ours with bytes changed: the snapshot in it and the state beside it.
#![no_main]

use std::ops::ControlFlow;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rollsnap_engine::image::{Access, Image, ImageError, Scratch, state_in};
use rollsnap_snapfile::ReadAt;

/// The heed is told of every 256 KiB: a bomb is stopped after 1 MiB.
const TOLD: usize = 4;

/// Bounds of `engine::enclosure`.
const MOST_ENCLOSED: usize = 16 << 20;

fuzz_target!(|data: &[u8]| {
    let scratch = Scratch::new("/dev/shm");
    let stored: Arc<dyn ReadAt> = Arc::new(data.to_vec());
    for want in [Access::Few.of("n.zip"), Access::All.of("mysnapshot.zip")] {
        let mut left = TOLD;
        let mut patience = |_, _| match left.checked_sub(1) {
            Some(fewer) => {
                left = fewer;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        };
        match Image::open(Arc::clone(&stored), want, &scratch, &mut patience) {
            Ok(image) => read(&image),
            Err(error) => told(&error),
        }
    }
    match state_in(&*stored) {
        Ok(state) => assert!(state.is_none_or(|state| state.len() <= MOST_ENCLOSED)),
        Err(error) => told(&error),
    }
});

fn read(image: &Image) {
    let size = image.len();
    for at in [0, size / 2, size.saturating_sub(7)] {
        let len = size.saturating_sub(at).min(4096);
        let mut buf = vec![0; len as usize];
        let _ = image.read_at(at, &mut buf);
    }
    assert!(image.read_at(size, &mut [0]).is_err());
}

fn told(error: &ImageError) {
    assert!(!error.to_string().is_empty());
    let _ = (error.kind(), error.hint());
    assert!(!matches!(error, ImageError::Scratch { .. }), "{error}");
}
