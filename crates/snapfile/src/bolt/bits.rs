//! One bit for each of a known number of things.

/// Bits, all clear at first. Memory: an eighth of a byte each.
#[derive(Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(count: u64) -> Self {
        let mut bits = Self::default();
        bits.grow(count);
        bits
    }

    /// Makes room for `count` in all; new ones are clear.
    pub(crate) fn grow(&mut self, count: u64) {
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(usize::MAX);
        self.0.resize(words.max(self.0.len()), 0);
    }

    /// Sets up to `len` bits from `first` on, and tells whether all of them were there and clear.
    /// Ends at the first that was not: whatever is asked for, the time is that of the bits set.
    pub(crate) fn take(&mut self, first: u64, len: u64) -> bool {
        (first..first.saturating_add(len)).all(|bit| self.set(bit))
    }

    /// Sets a bit, and tells whether it was there and clear.
    pub(crate) fn set(&mut self, bit: u64) -> bool {
        let (index, mask) = place(bit);
        match self.0.get_mut(index) {
            Some(word) => {
                let clear = *word & mask == 0;
                *word |= mask;
                clear
            }
            None => false,
        }
    }

    /// Whether a bit is set.
    pub(crate) fn has(&self, bit: u64) -> bool {
        let (index, mask) = place(bit);
        self.0.get(index).is_some_and(|word| word & mask != 0)
    }
}

fn place(bit: u64) -> (usize, u64) {
    let index = usize::try_from(bit >> 6).unwrap_or(usize::MAX);
    (index, 1_u64 << (bit & 63))
}
