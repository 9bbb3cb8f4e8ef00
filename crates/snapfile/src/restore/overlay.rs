//! What is written into a bucket beside, or instead of, what it had.

use std::collections::BTreeMap;

/// Pairs for one bucket, which is told in ascending order.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    ours: BTreeMap<Vec<u8>, Ours>,
    /// Whether nothing of its own stays.
    is_all: bool,
}

#[derive(Debug)]
enum Ours {
    /// Written, whatever it had.
    Put(Vec<u8>),
    /// Written if it has no such key.
    Default(Vec<u8>),
    /// Not written.
    Absent,
}

/// What becomes of a pair of the bucket's own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Becomes(Vec<u8>),
    Goes,
}

impl Overlay {
    /// Instead of everything that it had.
    pub(super) fn instead() -> Self {
        Self {
            is_all: true,
            ..Self::default()
        }
    }

    pub(super) fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.ours.insert(key.into(), Ours::Put(value.into()));
    }

    pub(super) fn default_to(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.ours.insert(key.into(), Ours::Default(value.into()));
    }

    pub(super) fn remove(&mut self, key: impl Into<Vec<u8>>) {
        self.ours.insert(key.into(), Ours::Absent);
    }

    /// The next pair of ours that comes before `key`, or at all.
    pub(super) fn next_before(&mut self, key: Option<&[u8]>) -> Option<(Vec<u8>, Vec<u8>)> {
        loop {
            let first = self.ours.first_key_value()?.0;
            if key.is_some_and(|key| **first >= *key) {
                return None;
            }
            match self.ours.pop_first()? {
                (key, Ours::Put(value) | Ours::Default(value)) => return Some((key, value)),
                (_, Ours::Absent) => {}
            }
        }
    }

    /// What becomes of a pair that the bucket had.
    pub(super) fn fate(&mut self, key: &[u8]) -> Fate {
        match self.ours.remove(key) {
            Some(Ours::Put(value)) => Fate::Becomes(value),
            Some(Ours::Absent) => Fate::Goes,
            _ if self.is_all => Fate::Goes,
            _ => Fate::Stays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket of `a`, `c` and `e` after an overlay.
    fn laid_over(mut overlay: Overlay) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        for key in [b"a", b"c", b"e"] {
            while let Some(pair) = overlay.next_before(Some(key)) {
                all.push(pair);
            }
            match overlay.fate(key) {
                Fate::Stays => all.push((key.to_vec(), b"old".to_vec())),
                Fate::Becomes(value) => all.push((key.to_vec(), value)),
                Fate::Goes => {}
            }
        }
        while let Some(pair) = overlay.next_before(None) {
            all.push(pair);
        }
        all
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let owned =
            |(key, value): &(&str, &str)| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_is_laid_over_comes_in_order_and_takes_the_place_of_what_was_there() {
        let mut overlay = Overlay::default();
        overlay.put("b", "new");
        overlay.put("c", "new");
        overlay.default_to("d", "new");
        overlay.default_to("e", "new");
        overlay.remove("a");
        overlay.remove("x");
        overlay.put("z", "new");
        let expected = [
            ("b", "new"),
            ("c", "new"),
            ("d", "new"),
            ("e", "old"),
            ("z", "new"),
        ];
        assert_eq!(laid_over(overlay), pairs(&expected));
    }

    #[test]
    fn what_is_instead_of_all_leaves_nothing() {
        let mut overlay = Overlay::instead();
        overlay.put("c", "new");
        assert_eq!(laid_over(overlay), pairs(&[("c", "new")]));
    }
}
