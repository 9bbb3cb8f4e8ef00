//! The last change of every key, in bounded memory.
//!
//! Records lie in the order of time, so a key's fate is known only at the end, and keys may be
//! more than memory holds. Keys are therefore known by a fingerprint, and when they become too
//! many, half of all fingerprints are put off to a pass of their own. A database of up to half a
//! million keys takes one pass.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;

use siphasher::sip::SipHasher13;

/// Most keys remembered at a time: with 17 bytes each in a table of 2^19 about 9 MiB, and half as
/// much again while it grows.
const MOST: usize = 450_000;

/// A key as 64 bits. Two keys share one with a chance of about 1 in 10^8 for a million keys; of
/// such a pair one is not counted. SipHash-1-3 with a key of zeros: the same on every host and in
/// every release.
pub(crate) fn fingerprint(key: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(key);
    hasher.finish()
}

/// Those fingerprints whose first bits are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    bits: u32,
    first: u64,
}

impl Share {
    const ALL: Self = Self { bits: 0, first: 0 };

    fn has(self, fingerprint: u64) -> bool {
        fingerprint
            .checked_shr(64_u32.saturating_sub(self.bits))
            .unwrap_or(0)
            == self.first
    }

    /// What it has, in order: eight parts, or fewer where it is hardly more than one fingerprint.
    fn eighths(self) -> Vec<Self> {
        let mut parts = vec![self];
        for _ in 0..3 {
            let halves = |part: Self| match part.bits {
                64.. => vec![part],
                _ => <[Self; 2]>::from(part.split()).to_vec(),
            };
            parts = parts.into_iter().flat_map(halves).collect();
        }
        parts
    }

    /// Its two halves.
    fn split(self) -> (Self, Self) {
        let bits = self.bits.saturating_add(1);
        let first = self.first << 1;
        (
            Self { bits, first },
            Self {
                bits,
                first: first | 1,
            },
        )
    }
}

/// A fingerprint needs no hash.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

/// What is known of the last change of every key of one share, if that was no deletion.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    share: Share,
    put_off: Vec<Share>,
    most: usize,
    alive: HashMap<u64, T, BuildHasherDefault<Same>>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self::of_at_most(MOST)
    }
}

impl<T> Latest<T> {
    /// One that remembers at most so many keys at a time.
    pub(crate) fn of_at_most(most: usize) -> Self {
        Self {
            share: Share::ALL,
            put_off: Vec::new(),
            most,
            alive: HashMap::default(),
        }
    }

    /// A key was written or deleted. Of one that was written, `what` is all that is known from now
    /// on.
    pub(crate) fn change(&mut self, key: &[u8], is_tombstone: bool, what: T) {
        let fingerprint = fingerprint(key);
        if is_tombstone {
            self.alive.remove(&fingerprint);
        } else {
            self.put(fingerprint, what);
        }
    }

    /// Replaces what is known of a key by what `amend` makes of it; `None` is a key that is not
    /// alive.
    pub(crate) fn amend(&mut self, key: &[u8], amend: impl FnOnce(Option<T>) -> Option<T>) {
        let fingerprint = fingerprint(key);
        if self.share.has(fingerprint)
            && let Some(what) = amend(self.alive.remove(&fingerprint))
        {
            self.put(fingerprint, what);
        }
    }

    fn put(&mut self, fingerprint: u64, what: T) {
        if !self.share.has(fingerprint) {
            return;
        }
        self.alive.insert(fingerprint, what);
        // A share of one fingerprint cannot be split, nor can it have more than one.
        while self.alive.len() > self.most && self.share.bits < 64 {
            let (now, later) = self.share.split();
            self.share = now;
            self.put_off.push(later);
            self.keep(now);
        }
    }

    /// Forgets all others, into a table of its own: what is merely removed leaves marks in the old
    /// one, which would double it.
    fn keep(&mut self, share: Share) {
        let alive = HashMap::with_capacity_and_hasher(self.most / 2, BuildHasherDefault::default());
        let all = mem::replace(&mut self.alive, alive);
        let kept = all
            .into_iter()
            .filter(|(fingerprint, _)| share.has(*fingerprint));
        self.alive.extend(kept);
    }

    /// The keys of this share that are alive, in no order.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (u64, &T)> {
        self.alive
            .iter()
            .map(|(fingerprint, what)| (*fingerprint, what))
    }

    /// The same in the order of their fingerprints, an eighth at a time. Each share's come before
    /// those of the next.
    pub(crate) fn in_order(&self, tell: &mut dyn FnMut(u64, &T)) {
        for part in self.share.eighths() {
            let mut some: Vec<_> = self.alive().filter(|(it, _)| part.has(*it)).collect();
            some.sort_unstable_by_key(|(fingerprint, _)| *fingerprint);
            for (fingerprint, what) in some {
                tell(fingerprint, what);
            }
        }
    }

    /// How many that are.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.alive.len()).unwrap_or(u64::MAX)
    }

    /// Forgets this share and begins the next; `false` when all were seen. All records must then
    /// be told once more.
    pub(crate) fn next_share(&mut self) -> bool {
        self.alive.clear();
        match self.put_off.pop() {
            Some(share) => {
                self.share = share;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn shares_of_any_size_give_what_one_table_gives(
            changes in prop::collection::vec((0_u8..40, any::<bool>()), 0..200), most in 1_usize..9,
        ) {
            let mut expected = BTreeMap::new();
            for (time, (key, is_tombstone)) in changes.iter().enumerate() {
                if *is_tombstone {
                    expected.remove(&fingerprint(&[*key]));
                } else {
                    expected.insert(fingerprint(&[*key]), time);
                }
            }
            let mut seen = BTreeMap::new();
            let mut in_order = Vec::new();
            let mut latest = Latest::of_at_most(most);
            loop {
                for (time, (key, is_tombstone)) in changes.iter().enumerate() {
                    latest.change(&[*key], *is_tombstone, time);
                    prop_assert!(latest.count() <= most as u64);
                }
                for (fingerprint, time) in latest.alive() {
                    prop_assert_eq!(seen.insert(fingerprint, *time), None);
                }
                latest.in_order(&mut |fingerprint, time| in_order.push((fingerprint, *time)));
                if !latest.next_share() {
                    break;
                }
            }
            prop_assert_eq!(&seen, &expected);
            prop_assert_eq!(in_order, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
