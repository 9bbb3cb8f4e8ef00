//! When the next snapshot is due. Pure: every moment is an argument.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A fixed interval, anchored at the last success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Time from the start of one snapshot to the start of the next, at least a second.
    pub interval: Duration,
}

impl Schedule {
    /// How long to wait at start, given the moments of earlier successes in any order.
    ///
    /// Overdue means now. A success in the future was dated by a clock that has since been set
    /// back; it says nothing about how long ago it was and is left out.
    pub fn first_wait(
        &self,
        successes: impl IntoIterator<Item = DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Duration {
        let last = successes
            .into_iter()
            .filter(|success| *success <= now)
            .max();
        let Some(last) = last else {
            return Duration::ZERO;
        };
        let passed = (now - last).to_std().unwrap_or_default();
        self.interval.saturating_sub(passed)
    }

    /// How long to wait after a snapshot that was due `late` ago and has now been taken.
    ///
    /// The phase is kept as long as no whole interval was missed; after an outage there is one
    /// snapshot, not one for each that was missed.
    pub fn next_wait(&self, late: Duration) -> Duration {
        if late < self.interval {
            self.interval.saturating_sub(late)
        } else {
            self.interval
        }
    }
}

/// How far the wall clock moved against the monotonic one.
///
/// Positive: forward. Both arguments are what passed since the same earlier moment.
pub fn clock_jump(wall: TimeDelta, monotonic: Duration) -> TimeDelta {
    wall - TimeDelta::from_std(monotonic).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_600_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn nothing_taken_yet_means_now() {
        assert_eq!(
            Schedule { interval: HOUR }.first_wait([], at(0)),
            Duration::ZERO
        );
    }

    #[test]
    fn a_restart_never_postpones() {
        let schedule = Schedule { interval: HOUR };
        assert_eq!(
            schedule.first_wait([at(0)], at(1000)),
            Duration::from_secs(2600)
        );
        assert_eq!(
            schedule.first_wait([at(0)], at(2000)),
            Duration::from_secs(1600)
        );
        assert_eq!(schedule.first_wait([at(0)], at(999_999)), Duration::ZERO);
    }

    #[test]
    fn a_success_in_the_future_is_not_believed() {
        let schedule = Schedule { interval: HOUR };
        assert_eq!(schedule.first_wait([at(9_999_999)], at(0)), Duration::ZERO);
        let both = schedule.first_wait([at(9_999_999), at(-600)], at(0));
        assert_eq!(both, Duration::from_secs(3000));
    }

    #[test]
    fn an_outage_is_followed_by_one_snapshot_and_a_whole_interval() {
        let schedule = Schedule { interval: HOUR };
        assert_eq!(schedule.next_wait(Duration::ZERO), HOUR);
        assert_eq!(
            schedule.next_wait(Duration::from_secs(600)),
            Duration::from_secs(3000)
        );
        assert_eq!(schedule.next_wait(HOUR * 7), HOUR);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_interval(
            interval in 1u64..10_000_000, last in -10_000_000i64..10_000_000, late in 0u64..10_000_000,
        ) {
            let schedule = Schedule { interval: Duration::from_secs(interval) };
            prop_assert!(schedule.first_wait([at(last)], at(0)) <= schedule.interval);
            prop_assert!(schedule.next_wait(Duration::from_secs(late)) <= schedule.interval);
            prop_assert!(schedule.next_wait(Duration::from_secs(late)) > Duration::ZERO);
        }
    }
}
