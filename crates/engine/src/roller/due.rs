//! When the next snapshot is due, on the clock that nobody sets.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::schedule::Schedule;

/// Clocks that part by less have not parted.
const TREMBLING: Duration = Duration::from_millis(50);

/// When the next snapshot is due, and when to try again if it failed.
pub(super) struct Due {
    /// When it is due.
    at: Instant,
    /// When to try; later than it is due after a failure.
    attempt_at: Instant,
    attempts: u32,
    /// When the last began, by the wall clock; none where the next is due whatever that says.
    since: Option<DateTime<Utc>>,
}

impl Due {
    /// The first of a run, with earlier successes in any order. Both moments are one.
    pub(super) fn first(
        schedule: &Schedule,
        successes: impl Iterator<Item = DateTime<Utc>>,
        (began, now): (Instant, DateTime<Utc>),
    ) -> (Self, Duration) {
        let since = successes.filter(|success| *success <= now).max();
        let wait = schedule.first_wait(since, now);
        let due = Self {
            at: began + wait,
            attempt_at: began + wait,
            attempts: 0,
            since,
        };
        (due, wait)
    }

    /// When to try.
    pub(super) fn attempt_at(&self) -> Instant {
        self.attempt_at
    }

    /// Notes a failure, and waits before the next attempt. Returns its number.
    pub(super) fn fail(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    /// Tries again then.
    pub(super) fn retry_at(&mut self, at: Instant) {
        self.attempt_at = at;
    }

    /// A snapshot stands whose attempt began then; both moments are one.
    pub(super) fn done(&mut self, schedule: &Schedule, (began, wall): (Instant, DateTime<Utc>)) {
        let late = began.saturating_duration_since(self.at);
        self.at = began + schedule.next_wait(late, wall);
        self.attempt_at = self.at;
        self.attempts = 0;
        self.since = Some(wall);
    }

    /// It is due now, whatever was said before.
    pub(super) fn hurry(&mut self) {
        let now = Instant::now();
        self.at = self.at.min(now);
        self.attempt_at = self.attempt_at.min(now);
        self.since = None;
    }

    /// Another is due at that moment, whatever the wall clock says, unless one is due sooner or is
    /// being tried again. Returns whether that is so.
    pub(super) fn earlier(&mut self, at: Instant) -> bool {
        let is_earlier = at < self.at;
        if is_earlier {
            (self.at, self.attempt_at) = (at, at);
            self.since = None;
        }
        is_earlier
    }

    /// Times of the day are the wall clock's, wherever it is set to.
    pub(super) fn follow(&mut self, schedule: &Schedule, (now, wall): (Instant, DateTime<Utc>)) {
        let (Schedule::At(_), Some(since)) = (schedule, self.since) else {
            return;
        };
        // A clock that was set back must not wait for a day that it had been in.
        let since = since.min(wall);
        self.since = Some(since);
        let at = now + schedule.wait_since(since, wall);
        // What lies between the two clocks being read is no news.
        if at.max(self.at) - at.min(self.at) < TREMBLING {
            return;
        }
        self.at = at;
        if self.attempts == 0 {
            self.attempt_at = at;
        }
    }

    /// The wall clock was set by so much. Forward may mean that the machine slept: what was due by
    /// then is due now.
    pub(super) fn jumped(&mut self, schedule: &Schedule, by: TimeDelta) {
        if let (Schedule::Every(_), Ok(slept)) = (schedule, by.to_std()) {
            let now = Instant::now();
            self.at = self.at.checked_sub(slept).unwrap_or(now).max(now);
            self.attempt_at = self.attempt_at.min(self.at);
        }
    }
}
