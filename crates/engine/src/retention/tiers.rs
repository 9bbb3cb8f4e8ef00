//! The last of an hour, a day, a week, a month.
//!
//! Hours, days, weeks and months count only where there is a snapshot in them, so that an outage
//! empties no history. Snapshots stand in their order, and one is the last of its day if the next
//! newer one is of another: a clock that was set back begins a day anew, and takes the place of
//! none that was taken before.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};

use super::{Ages, Reason};
use crate::schedule::Zone;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A length of time of which the last snapshot is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// An hour.
    Hourly,
    /// A day.
    Daily,
    /// A week from Monday on.
    Weekly,
    /// A month.
    Monthly,
}

impl Tier {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly];

    /// The word for it in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Hourly => HOUR,
            Self::Daily => DAY,
            Self::Weekly => 7 * DAY,
            Self::Monthly => 31 * DAY,
        })
    }

    /// Which hour, day, week or month there it is: equal for two moments of one.
    fn of(self, zone: Zone, at: DateTime<Utc>) -> (i64, i64) {
        let (there, offset) = zone.local(at);
        let day = there.date();
        match self {
            // Where the clocks are put back, an hour comes twice.
            Self::Hourly => (
                there.and_utc().timestamp().div_euclid(3600),
                i64::from(offset),
            ),
            Self::Daily => (day.num_days_from_ce().into(), 0),
            Self::Weekly => (day.iso_week().year().into(), day.iso_week().week().into()),
            Self::Monthly => (day.year().into(), day.month().into()),
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many are kept of each tier, and whose days they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiers {
    /// The number of each of [`Tier::ALL`].
    pub counts: [usize; 4],
    /// Where days, weeks and months begin.
    pub zone: Zone,
}

impl Tiers {
    /// How long the last snapshot of the longest tier stays.
    pub fn span(&self) -> Duration {
        let spans = Tier::ALL.into_iter().zip(self.counts);
        let spans = spans.map(|(tier, count)| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            tier.length().saturating_mul(count)
        });
        spans.max().unwrap_or_default()
    }

    /// Why it stays, if a tier keeps it: the shortest that does. While ages are doubted, each tier
    /// keeps twice as many: a clock that was set makes days that were none.
    pub(super) fn judge(&self, places: &Places, ages: Ages) -> Option<Reason> {
        let of_tiers = || Tier::ALL.into_iter().zip(self.counts).zip(places.0);
        let within = of_tiers().find_map(|((tier, count), rank)| {
            let rank = rank.filter(|rank| *rank <= count)?;
            Some(Reason::OfTier { tier, rank, count })
        });
        let in_doubt = || {
            let mut of_tiers = of_tiers();
            ages == Ages::Doubted
                && of_tiers.any(|((_, count), rank)| {
                    rank.is_some_and(|rank| rank <= count.saturating_mul(2))
                })
        };
        within.or_else(|| in_doubt().then_some(Reason::DoubtedAge))
    }
}

/// As settings have it: `daily=7,weekly=4`.
impl fmt::Display for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = Tier::ALL.into_iter().zip(self.counts);
        let kept = kept.filter(|(_, count)| *count > 0);
        for (place, (tier, count)) in kept.enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{tier}={count}")?;
        }
        Ok(())
    }
}

/// For each tier the rank of the hour, day, week or month that a snapshot is the last of.
pub(super) struct Places([Option<usize>; 4]);

/// What stands there so far, from the newest on.
#[derive(Default)]
pub(super) struct Shelf {
    last: [Option<(i64, i64)>; 4],
    filled: [usize; 4],
}

impl Shelf {
    /// Puts the next older one there.
    pub(super) fn put(&mut self, tiers: &Tiers, at: DateTime<Utc>) -> Places {
        let mut places = [None; 4];
        for (index, tier) in Tier::ALL.into_iter().enumerate() {
            let place = Some(tier.of(tiers.zone, at));
            if self.last[index] != place {
                self.last[index] = place;
                self.filled[index] += 1;
                places[index] = Some(self.filled[index]);
            }
        }
        Places(places)
    }
}

#[cfg(test)]
#[path = "tiers_tests.rs"]
mod tests;
