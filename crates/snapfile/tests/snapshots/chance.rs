//! Disorder that a number gives back: what failed once fails again.

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn seeded(number: u64) -> Self {
        let mut chance = Self((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        chance.next();
        chance.next();
        chance
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 20) % limit
    }

    pub(crate) fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }

    /// One time in so many.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(len).collect()
    }

    /// Lengths as values have them: mostly small, sometimes none, seldom many pages.
    pub(crate) fn value(&mut self) -> Vec<u8> {
        let len = match self.below(40) {
            0..4 => 0,
            4..34 => self.index(120),
            34..39 => self.index(5000),
            _ => self.index(60_000),
        };
        self.bytes(len)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.index(end + 1));
        }
    }
}
