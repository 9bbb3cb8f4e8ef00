//! One test's share of the engine: all of it, for as long as the test runs.

use std::fs::File;
use std::path::Path;

use crate::docker::{Network, remove_leftovers};

/// The network of one test. Holds off other tests until dropped.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) network: Network,
    _turn: Turn,
}

impl World {
    pub(crate) fn enter() -> Self {
        let turn = Turn::take();
        Self {
            network: Network::create("rollsnap-e2e"),
            _turn: turn,
        }
    }
}

/// The right to use the engine, with nothing left on it by those before. Tests are processes of
/// their own, so it is a lock on a file, which no way of dying leaves held.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, never used")] File);

impl Turn {
    pub(crate) fn take() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("containers.lock");
        let file = File::create(&path).expect("a lock file can be made");
        file.lock().expect("a file can be locked");
        remove_leftovers();
        Self(file)
    }
}
