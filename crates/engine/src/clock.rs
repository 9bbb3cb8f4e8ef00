//! The only file that asks the time of day.
//!
//! Waiting is done with tokio's clock, which is monotonic and which tests can move; the time of
//! day serves names, ages and nothing else.

use std::fmt;

use chrono::{DateTime, Utc};

/// Tells the time of day.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock, which may jump either way at any moment.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
