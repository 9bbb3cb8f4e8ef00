//! When the next snapshot is due. Pure: every moment is an argument.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

mod timetable;
mod zone;

pub use timetable::{Timetable, TimetableError};
pub use zone::{UnknownZone, Zone};

/// When snapshots are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// A fixed time from the start of one to the start of the next, at least a second, anchored at
    /// the last success.
    Every(Duration),
    /// At set times of the day, by the wall clock of a zone.
    At(Timetable),
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
        last.map_or(Duration::ZERO, |last| self.wait_since(last, now))
    }

    /// How long it is from `now` until the next is due, the last having begun at `last`; zero when
    /// it is overdue, however many were missed.
    pub fn wait_since(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
        (self.after(last) - now).to_std().unwrap_or_default()
    }

    /// When the one after a snapshot is due that began at this moment.
    pub fn after(&self, last: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Every(interval) => TimeDelta::from_std(*interval)
                .ok()
                .and_then(|interval| last.checked_add_signed(interval))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            Self::At(timetable) => timetable.after(last),
        }
    }

    /// How long to wait after a snapshot that was due `late` ago and began at `began`.
    ///
    /// The phase is kept as long as no whole interval was missed; after an outage there is one
    /// snapshot, not one for each that was missed.
    pub fn next_wait(&self, late: Duration, began: DateTime<Utc>) -> Duration {
        match self {
            Self::Every(interval) if late < *interval => interval.saturating_sub(late),
            Self::Every(interval) => *interval,
            Self::At(_) => self.wait_since(began, began),
        }
    }

    /// From when the newest snapshot, which began at `last`, is too old: half of the shortest time
    /// between two after the next was due. For a fixed interval that is one and a half of it.
    pub fn late_from(&self, last: DateTime<Utc>) -> DateTime<Utc> {
        let patience = TimeDelta::from_std(self.shortest() / 2).unwrap_or(TimeDelta::MAX);
        let due = self.after(last);
        due.checked_add_signed(patience)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The shortest time from one to the next.
    pub fn shortest(&self) -> Duration {
        match self {
            Self::Every(interval) => *interval,
            Self::At(timetable) => timetable.shortest(),
        }
    }

    /// The longest time from one to the next, if none is missed.
    pub fn longest(&self) -> Duration {
        match self {
            Self::Every(interval) => *interval,
            Self::At(timetable) => timetable.longest(),
        }
    }
}

/// How long one member waits that found its snapshot's name taken in the bucket by another's, until
/// it takes another and with it another phase: at least a second, which names tell, and at most a
/// tenth of the interval or half a minute. Members that collide once more wait differently.
///
/// `None` where there is no second between two snapshots.
pub fn step_aside(interval: Duration, member: u64, times: u32) -> Option<Duration> {
    if interval < Duration::from_secs(2) {
        return None;
    }
    let most = (interval.as_secs() / 10).clamp(1, 30);
    // Ids that differ in any bit give other waits (Knuth's multiplicative hashing).
    let mixed = (member ^ u64::from(times)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Some(Duration::from_secs(1 + mixed % most))
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
        assert_eq!(Schedule::Every(HOUR).first_wait([], at(0)), Duration::ZERO);
    }

    #[test]
    fn a_restart_never_postpones() {
        let schedule = Schedule::Every(HOUR);
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
        let schedule = Schedule::Every(HOUR);
        assert_eq!(schedule.first_wait([at(9_999_999)], at(0)), Duration::ZERO);
        let both = schedule.first_wait([at(9_999_999), at(-600)], at(0));
        assert_eq!(both, Duration::from_secs(3000));
    }

    #[test]
    fn an_outage_is_followed_by_one_snapshot_and_a_whole_interval() {
        let schedule = Schedule::Every(HOUR);
        let wait = |late| schedule.next_wait(late, at(0));
        assert_eq!(wait(Duration::ZERO), HOUR);
        assert_eq!(wait(Duration::from_secs(600)), Duration::from_secs(3000));
        assert_eq!(wait(HOUR * 7), HOUR);
    }

    #[test]
    fn the_newest_is_too_old_soon_after_one_was_missed() {
        let time = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let every = Schedule::Every(HOUR);
        assert_eq!(every.late_from(at(0)), at(5400));
        // Two hours apart by day, fourteen by night, and none on Saturday and Sunday.
        let days = Timetable::new("0 8-18/2 * * 1-5", Zone::default()).unwrap();
        let days = Schedule::At(days);
        for (last, late) in [
            ("2026-11-24T08:00:00Z", "2026-11-24T11:00:00Z"),
            ("2026-11-24T18:00:00Z", "2026-11-25T09:00:00Z"),
            ("2026-11-27T18:00:00Z", "2026-11-30T09:00:00Z"),
            // By hand, between two.
            ("2026-11-24T09:30:00Z", "2026-11-24T11:00:00Z"),
        ] {
            assert_eq!(days.late_from(time(last)), time(late), "{last}");
        }
        let never = Schedule::Every(Duration::MAX);
        assert_eq!(never.late_from(at(0)), DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn where_every_second_is_taken_nobody_steps_aside() {
        assert_eq!(step_aside(Duration::from_secs(1), 1, 0), None);
    }

    #[test]
    fn members_that_stepped_aside_alike_part_the_next_time() {
        for (one, other) in [(1, 2), (0x8211_f1d0_f64f_3269, 0x91bc_3c39_8fb3_c146)] {
            let waits = |times| {
                let wait = |member| step_aside(HOUR, member, times);
                wait(one) != wait(other)
            };
            assert!((0..5).any(waits));
        }
    }

    proptest! {
        #[test]
        fn stepping_aside_is_a_matter_of_seconds(
            interval in 2u64..10_000_000, member: u64, times: u32,
        ) {
            let interval = Duration::from_secs(interval);
            let wait = step_aside(interval, member, times).unwrap();
            prop_assert!(wait >= Duration::from_secs(1) && wait < interval);
            prop_assert_eq!(wait.subsec_nanos(), 0);
            prop_assert!(wait <= Duration::from_secs(30));
        }

        #[test]
        fn a_wait_is_never_longer_than_the_interval(
            interval in 1u64..10_000_000, last in -10_000_000i64..10_000_000, late in 0u64..10_000_000,
        ) {
            let interval = Duration::from_secs(interval);
            let schedule = Schedule::Every(interval);
            let next = schedule.next_wait(Duration::from_secs(late), at(0));
            prop_assert!(schedule.first_wait([at(last)], at(0)) <= interval);
            prop_assert!(next <= interval);
            prop_assert!(next > Duration::ZERO);
        }
    }
}
