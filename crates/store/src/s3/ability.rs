//! What a server was found not to know, so that it is not asked for it again.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Fault;

/// What is asked for beyond plain puts. Everything is known until the server says otherwise.
#[derive(Debug, Default)]
pub(super) struct Abilities {
    no_conditions: AtomicBool,
    no_checksums: AtomicBool,
}

/// What one request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// `If-None-Match: *`: nobody has the name.
    pub(super) condition: bool,
    /// `x-amz-checksum-…`: the SHA-256 is checked and kept.
    pub(super) checksum: bool,
}

impl Abilities {
    /// What may be asked of what is wanted.
    pub(super) fn of(&self, wanted: Asked) -> Asked {
        Asked {
            condition: wanted.condition && !self.no_conditions.load(Ordering::Relaxed),
            checksum: wanted.checksum && !self.no_checksums.load(Ordering::Relaxed),
        }
    }

    /// After a request that asked so: whether the server refuses it for that and it is worth
    /// asking for less, which is remembered. Conditions go first: fewer servers know them.
    pub(super) fn learn(&self, asked: Asked, fault: &Fault) -> bool {
        if !fault.is_unknown_there() {
            return false;
        }
        if asked.condition {
            self.no_conditions.store(true, Ordering::Relaxed);
        } else if asked.checksum {
            self.no_checksums.store(true, Ordering::Relaxed);
        }
        asked.condition || asked.checksum
    }
}
