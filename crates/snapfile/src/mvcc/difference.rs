//! How far two databases differ, in numbers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::bolt::Database;
use crate::{ReadAt, SnapshotError};

use super::latest::Latest;
use super::scan::{Row, scan};

/// Most keys of both that are remembered at a time: with 41 bytes each in a table of 2^18 about
/// 11 MiB, and half as much again while it grows.
const MOST: usize = 225_000;

/// Keys of one class in two databases, here and there, as they are at the last revision of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Keys alive here.
    pub here: u64,
    /// Keys alive there.
    pub there: u64,
    /// Those alive there alone.
    pub only_there: u64,
    /// Those alive here alone.
    pub only_here: u64,
    /// Those alive in both with another value.
    pub changed: u64,
    /// Those that were created in both at one revision: of databases that went their own ways it
    /// tells that they have a past in common.
    pub kin: u64,
}

/// A key on one side; of one that is not alive everything is 0, which a revision never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Side {
    create_revision: u64,
    /// Checksum and length of the value.
    value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sides {
    here: Side,
    there: Side,
    class: u32,
}

/// Compares two databases key by key, and counts by class: that of a key is what `class` calls it.
///
/// A key is known by 64 bits, its value by its length and 32 bits: of two million keys two are
/// taken for one with a chance of 1 in 10^7, and of 4 billion changed values one is overlooked.
///
/// One pass over the records of each, and one more for each further quarter million keys; memory
/// about 18 MiB and the names of the classes.
pub fn difference(
    here: &dyn ReadAt,
    there: &dyn ReadAt,
    class: &dyn Fn(&[u8]) -> String,
) -> Result<BTreeMap<String, Difference>, SnapshotError> {
    compare(here, there, class, MOST)
}

fn compare(
    here: &dyn ReadAt,
    there: &dyn ReadAt,
    class: &dyn Fn(&[u8]) -> String,
    most: usize,
) -> Result<BTreeMap<String, Difference>, SnapshotError> {
    let (here, there) = (Database::open(here)?, Database::open(there)?);
    let mut counting = Counting {
        class,
        numbers: BTreeMap::new(),
        latest: Latest::of_at_most(most),
    };
    let mut found: BTreeMap<u32, Difference> = BTreeMap::new();
    loop {
        counting.read(&here, |sides| &mut sides.here)?;
        counting.read(&there, |sides| &mut sides.there)?;
        for (_, sides) in counting.latest.alive() {
            found.entry(sides.class).or_default().count(sides);
        }
        if !counting.latest.next_share() {
            break;
        }
    }
    let named = |(name, number)| Some((name, found.remove(&number)?));
    Ok(counting.numbers.into_iter().filter_map(named).collect())
}

struct Counting<'c> {
    class: &'c dyn Fn(&[u8]) -> String,
    /// The number of each class that was met.
    numbers: BTreeMap<String, u32>,
    latest: Latest<Sides>,
}

impl Counting<'_> {
    fn read(
        &mut self,
        database: &Database<'_>,
        side: fn(&mut Sides) -> &mut Side,
    ) -> Result<(), SnapshotError> {
        scan(database, &mut |row| {
            let now = Side::of(&row);
            let Self {
                class,
                numbers,
                latest,
            } = self;
            latest.amend(row.record.key, |known| {
                let mut sides = known.unwrap_or_else(|| Sides {
                    class: number(numbers, class(row.record.key)),
                    ..Sides::default()
                });
                *side(&mut sides) = now;
                let is_nowhere = (sides.here, sides.there) == Default::default();
                (!is_nowhere).then_some(sides)
            });
            ControlFlow::Continue(())
        })
    }
}

fn number(numbers: &mut BTreeMap<String, u32>, class: String) -> u32 {
    // Every key a class of its own would be four billion of them.
    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    *numbers.entry(class).or_insert(next)
}

impl Side {
    fn of(row: &Row<'_>) -> Self {
        if row.change.is_tombstone {
            return Self::default();
        }
        let record = &row.record;
        // What marks a jump of the revision is no key: it was created at none.
        let Ok(create_revision @ 1..) = u64::try_from(record.create_revision) else {
            return Self::default();
        };
        let len = u64::try_from(record.value.len()).unwrap_or(u64::MAX);
        Self {
            create_revision,
            value: len << 32 | u64::from(crc32c::crc32c(record.value)),
        }
    }

    fn is_alive(self) -> bool {
        self.create_revision > 0
    }
}

impl Difference {
    fn count(&mut self, sides: &Sides) {
        let (here, there) = (sides.here, sides.there);
        let add = |to: &mut u64, is_it: bool| *to = to.saturating_add(is_it.into());
        let both = here.is_alive() && there.is_alive();
        add(&mut self.here, here.is_alive());
        add(&mut self.there, there.is_alive());
        add(&mut self.only_here, here.is_alive() && !there.is_alive());
        add(&mut self.only_there, there.is_alive() && !here.is_alive());
        add(&mut self.changed, both && here.value != there.value);
        add(
            &mut self.kin,
            both && here.create_revision == there.create_revision,
        );
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            here: self.here.saturating_add(other.here),
            there: self.there.saturating_add(other.there),
            only_there: self.only_there.saturating_add(other.only_there),
            only_here: self.only_here.saturating_add(other.only_here),
            changed: self.changed.saturating_add(other.changed),
            kin: self.kin.saturating_add(other.kin),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn few_keys_at_a_time_give_what_all_at_once_give() {
        let read = |name| {
            let path = format!("{}/testdata/{name}.db.gz", env!("CARGO_MANIFEST_DIR"));
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path).unwrap();
            GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
            bytes
        };
        let (here, there) = (read("3.5.1.auth"), read("3.5.1"));
        let class = |key: &[u8]| format!("{:?}", key.last());
        let all = compare(&here, &there, &class, MOST).unwrap();
        assert!(all.len() > 1, "{all:?}");
        for most in [1, 2, 3, 7] {
            assert_eq!(compare(&here, &there, &class, most).unwrap(), all);
        }
    }
}
