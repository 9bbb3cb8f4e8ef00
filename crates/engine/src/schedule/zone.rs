//! A time zone by its name in the IANA database, which is part of the program: a container from
//! scratch has none, and two nodes with different ones would keep different snapshots.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub(super) Tz);

impl Zone {
    /// The zone without summer time, where none is named.
    pub const UTC: Self = Self(Tz::UTC);

    /// What the clocks there show, and their distance from UTC in seconds.
    pub(crate) fn local(self, at: DateTime<Utc>) -> (NaiveDateTime, i32) {
        let there = at.with_timezone(&self.0);
        (there.naive_local(), there.offset().fix().local_minus_utc())
    }

    /// The moment as people there write it: `2026-05-01 06:00`.
    pub fn minute(self, at: DateTime<Utc>) -> String {
        let (there, _) = self.local(at);
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}",
            there.year(),
            there.month(),
            there.day(),
            there.hour(),
            there.minute()
        )
    }

    /// The first moment of the day there in which this one is.
    pub fn midnight(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let (there, _) = self.local(at);
        let day = there.date();
        // Where the clocks are put forward at midnight, the day begins later.
        let begins = (0..4).find_map(|hour| {
            let time = day.and_hms_opt(hour, 0, 0)?;
            self.0.from_local_datetime(&time).earliest()
        });
        begins.map_or(at, |begins| begins.to_utc())
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// No zone has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no time zone has this name")]
pub struct UnknownZone;

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone)
    }
}
