//! The leases that live keys hang on.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::mvcc::{Change, Record};

/// The live keys with a lease, as the records go by in the order of time.
///
/// Keys are known by 128 bits, of which no two share one: to take one for another would leave a
/// key without its lease. Memory: about 70 bytes for each live key with a lease, at most.
#[derive(Debug, Default)]
pub(super) struct Leased(HashMap<Print, Hold, BuildHasherDefault<Half>>);

#[derive(Debug, Clone, Copy)]
struct Hold {
    lease: i64,
    /// The place of the record among all.
    ordinal: u64,
}

impl Leased {
    pub(super) fn see(&mut self, ordinal: u64, change: Change, record: &Record<'_>) {
        let print = Print::of(record.key);
        if record.lease == 0 || change.is_tombstone {
            self.0.remove(&print);
        } else {
            let lease = record.lease;
            self.0.insert(print, Hold { lease, ordinal });
        }
    }

    /// The leases, each once.
    pub(super) fn leases(&self) -> BTreeSet<i64> {
        self.0.values().map(|hold| hold.lease).collect()
    }

    /// The records that hold a key with a lease now, in the order of time.
    pub(super) fn ordinals(&self) -> Vec<u64> {
        let mut ordinals: Vec<_> = self.0.values().map(|hold| hold.ordinal).collect();
        ordinals.sort_unstable();
        ordinals
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print(u128);

impl Print {
    fn of(key: &[u8]) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(key);
        Self(hasher.finish128().as_u128())
    }
}

impl std::hash::Hash for Print {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, second] = split(self.0);
        state.write_u64(first ^ second);
    }
}

fn split(print: u128) -> [u64; 2] {
    let (first, second) = (print >> 64, print & u128::from(u64::MAX));
    [first, second].map(|half| u64::try_from(half).unwrap_or(0))
}

/// A fingerprint needs no hash.
#[derive(Default)]
struct Half(u64);

impl Hasher for Half {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
}
