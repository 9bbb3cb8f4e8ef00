//! What a store was found to be able to do, tried out before trust is placed in it.

use crate::StoreError;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Reads only.
    Harmless,
    /// Writes, reads and deletes small objects of its own.
    Full,
}

/// One thing that was tried.
#[derive(Debug)]
pub struct Probe {
    /// What, in a word or two that never change: `list`, `conditional write`.
    pub what: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug)]
pub enum Outcome {
    /// It is as it should be; the text tells more: `ext4, 12.3 GB free`.
    Held(String),
    /// It works, but something will not be as good as it could be.
    Weak {
        /// What.
        message: String,
        /// The cure.
        hint: String,
    },
    /// It does not work. The error has the reason and the cure.
    Failed(StoreError),
    /// It was not tried; the text says why.
    Untried(String),
}
