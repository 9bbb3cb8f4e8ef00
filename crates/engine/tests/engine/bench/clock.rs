//! A wall clock that runs with tokio's and can be set.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::Clock;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct WallClock {
    began: Instant,
    skew: Mutex<TimeDelta>,
}

impl WallClock {
    /// Runs from noon on 2026-05-01 on.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            skew: Mutex::default(),
        }
    }

    /// Sets the clock, forward where positive.
    pub(crate) fn jump(&self, by: TimeDelta) {
        let mut skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        *skew += by;
    }
}

impl Clock for WallClock {
    fn now(&self) -> DateTime<Utc> {
        let base = DateTime::from_timestamp(1_777_636_800, 0).expect("a time");
        let skew = *self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        base + self.began.elapsed() + skew
    }
}
