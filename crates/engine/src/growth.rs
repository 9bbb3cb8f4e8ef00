//! What a paced stream may cost etcd. Pure.
//!
//! While a snapshot's stream is open etcd can reuse no page that was in use when it began: what is
//! freed meanwhile stays in the file, and what is written makes it grow, for good (until a
//! defragmentation). A slow reader makes that last long.
//!
//! How much is too much is measured in the database's own terms, for etcd tells its quota only
//! since 3.6: a tenth of what it was when the stream began, and at least 64 MiB, which is 3 % of
//! etcd's usual quota of 2 GiB. A small database grows by some MiB in any case, since etcd's file
//! grows in steps. Both bounds together can cost a fifth of the database, or 128 MiB.

/// The least growth that matters.
const LEAST: u64 = 64 << 20;
/// The part of the database that matters where that is more.
const PART: u64 = 10;

/// How a database has grown since a stream on it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Its bytes then.
    opened: u64,
    /// Its bytes when the pace was let go; none while it is kept.
    let_go: Option<u64>,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Nothing.
    GoOn,
    /// Read on at full speed.
    LetGoOfPace,
    /// End the stream: full speed is not fast enough.
    LetGo,
}

impl Growth {
    /// A stream begins on a database of so many bytes.
    pub(crate) fn since(opened: u64) -> Self {
        Self {
            opened,
            let_go: None,
        }
    }

    /// By how much it may grow before something is done, and then once more.
    pub(crate) fn bound(self) -> u64 {
        LEAST.max(self.opened / PART)
    }

    /// What a size of so many bytes calls for.
    pub(crate) fn advice(self, now: u64) -> Advice {
        match self.let_go {
            None if self.by(now) > self.bound() => Advice::LetGoOfPace,
            Some(then) if now.saturating_sub(then) > self.bound() => Advice::LetGo,
            _ => Advice::GoOn,
        }
    }

    /// The pace was let go at this size.
    pub(crate) fn pace_is_gone(&mut self, now: u64) {
        self.let_go.get_or_insert(now);
    }

    /// How much it grew.
    pub(crate) fn by(self, now: u64) -> u64 {
        now.saturating_sub(self.opened)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_pace_goes_first_and_the_stream_after_as_much_again() {
        let mut growth = Growth::since(100 * MIB);
        assert_eq!(growth.bound(), 64 * MIB);
        assert_eq!(growth.advice(164 * MIB), Advice::GoOn);
        assert_eq!(growth.advice(164 * MIB + 1), Advice::LetGoOfPace);
        growth.pace_is_gone(170 * MIB);
        assert_eq!(growth.advice(234 * MIB), Advice::GoOn);
        assert_eq!(growth.advice(234 * MIB + 1), Advice::LetGo);
    }

    #[test]
    fn of_a_large_database_a_tenth_matters() {
        let growth = Growth::since(4000 * MIB);
        assert_eq!(growth.bound(), 400 * MIB);
        assert_eq!(growth.advice(4400 * MIB), Advice::GoOn);
        assert_eq!(growth.advice(4401 * MIB), Advice::LetGoOfPace);
    }

    #[test]
    fn a_pace_that_went_for_another_reason_leaves_the_whole_bound() {
        let mut growth = Growth::since(100 * MIB);
        growth.pace_is_gone(100 * MIB);
        assert_eq!(growth.advice(164 * MIB), Advice::GoOn);
        assert_eq!(growth.advice(165 * MIB), Advice::LetGo);
        // The first is what counts.
        growth.pace_is_gone(160 * MIB);
        assert_eq!(growth.advice(165 * MIB), Advice::LetGo);
    }

    proptest! {
        #[test]
        fn a_stream_never_ends_while_it_is_paced(opened: u64, now: u64) {
            prop_assert_ne!(Growth::since(opened).advice(now), Advice::LetGo);
        }

        #[test]
        fn more_growth_never_calls_for_less(opened: u64, let_go: Option<u64>, a: u64, b: u64) {
            let growth = Growth { opened, let_go };
            let (less, more) = (a.min(b), a.max(b));
            if growth.advice(less) != Advice::GoOn {
                prop_assert_eq!(growth.advice(less), growth.advice(more));
            }
        }

        #[test]
        fn what_a_run_costs_has_a_bound(opened in 0..1_u64 << 40, steps in prop::collection::vec(0..32 * MIB, 1..200)) {
            // The database grows by less than half the least bound between two looks.
            let (mut growth, mut now) = (Growth::since(opened), opened);
            for step in steps {
                now += step;
                match growth.advice(now) {
                    Advice::GoOn => {}
                    Advice::LetGoOfPace => growth.pace_is_gone(now),
                    Advice::LetGo => break,
                }
            }
            prop_assert!(growth.by(now) <= 2 * growth.bound() + 64 * MIB);
        }

        #[test]
        fn a_database_that_does_not_grow_calls_for_nothing(opened: u64, let_go: Option<u64>, now: u64) {
            let now = now.min(opened).min(let_go.unwrap_or(u64::MAX));
            prop_assert_eq!(Growth { opened, let_go }.advice(now), Advice::GoOn);
        }
    }
}
