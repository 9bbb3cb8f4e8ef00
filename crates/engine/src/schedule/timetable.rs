//! Times of the day, as five fields of cron and a zone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::Zone;

/// A snapshot that began so much before its time is the one of that time: timers and clocks that
/// are slewed come a little early. Times are whole minutes apart.
const EARLY: TimeDelta = TimeDelta::seconds(5);

/// From 2026 on it is looked how far apart the times are.
const REFERENCE: i64 = 1_767_225_600;

/// So many times in a row are looked at, and each midnight of so many days.
const SAMPLE: (usize, i64) = (200, 400);

/// Times of the day, in a zone.
///
/// Where the clocks are put forward, a time that is left out counts at the first moment after;
/// where they are put back, a set time that comes twice counts once, the first time, and one of a
/// field with `*` or a step both times, for the hour is an hour more.
#[derive(Clone)]
pub struct Timetable {
    cron: Arc<Cron>,
    text: Arc<str>,
    zone: Zone,
    shortest: Duration,
    longest: Duration,
}

/// Why a text is no timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// It is not written as cron is.
    #[error("cannot be read as five fields of cron: {0}")]
    Pattern(String),
    /// None of its times ever comes again, such as a 30th of February.
    #[error("tells a time that does not come")]
    Never,
}

impl Timetable {
    /// Reads five fields: minute, hour, day of the month, month, day of the week.
    pub fn new(text: &str, zone: Zone) -> Result<Self, TimetableError> {
        let reference = DateTime::from_timestamp(REFERENCE, 0).unwrap_or_default();
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text);
        let cron = cron.map_err(|error| TimetableError::Pattern(reason(&error.to_string())))?;
        let mut timetable = Self {
            cron: Arc::new(cron),
            text: text.into(),
            zone,
            shortest: Duration::MAX,
            longest: Duration::ZERO,
        };
        let mut last = timetable.next(reference).ok_or(TimetableError::Never)?;
        for _ in 0..SAMPLE.0 {
            let next = timetable.next(last).ok_or(TimetableError::Never)?;
            timetable.note(last, next);
            last = next;
            // What comes seldom is looked for day by day.
            if last.year() > reference.year() + 12 {
                break;
            }
        }
        // Times that are close may have nights, weekends or months between them.
        let midnights = (0..SAMPLE.1).map(|day| reference + TimeDelta::days(day));
        for midnight in midnights.filter(|midnight| *midnight >= last) {
            let (before, next) = (timetable.last(midnight), timetable.next(midnight));
            if let (Some(before), Some(next)) = (before, next) {
                timetable.note(before, next);
            }
        }
        Ok(timetable)
    }

    /// Its five fields, as they were written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its zone.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    pub(super) fn shortest(&self) -> Duration {
        self.shortest
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// The first of its times after a snapshot that began at this moment.
    pub(super) fn after(&self, last: DateTime<Utc>) -> DateTime<Utc> {
        let last = last.checked_add_signed(EARLY).unwrap_or(last);
        // It was found to come again and again; at the end of the calendar it may not.
        self.next(last).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn note(&mut self, last: DateTime<Utc>, next: DateTime<Utc>) {
        let gap = (next - last).to_std().unwrap_or_default();
        self.shortest = self.shortest.min(gap);
        self.longest = self.longest.max(gap);
    }

    /// The last of its times that is not after this moment.
    fn last(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let there = at.with_timezone(&self.zone.0);
        let last = self.cron.find_previous_occurrence(&there, true).ok()?;
        Some(last.to_utc())
    }

    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let there = after.with_timezone(&self.zone.0);
        let next = self.cron.find_next_occurrence(&there, false).ok()?;
        Some(next.to_utc())
    }
}

/// The library's words as part of a sentence of ours.
fn reason(text: &str) -> String {
    let text = text.rsplit(": ").next().unwrap_or(text);
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.zone)
    }
}

impl fmt::Debug for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timetable({self})")
    }
}

/// Equal when they are written alike.
impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.zone) == (&other.text, other.zone)
    }
}

impl Eq for Timetable {}

#[cfg(test)]
mod tests {
    use super::super::Schedule;
    use super::*;
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn table(text: &str, zone: &str) -> Timetable {
        Timetable::new(text, zone.parse().unwrap()).unwrap()
    }

    /// The times from this moment on, as clocks in UTC show them.
    fn times(table: &Timetable, from: &str, many: usize) -> Vec<String> {
        let from = utc(from) - EARLY - TimeDelta::seconds(1);
        let next = |last: &DateTime<Utc>| Some(table.after(*last));
        let times = std::iter::successors(next(&from), next).take(many);
        times
            .map(|time| time.format("%dT%H:%M").to_string())
            .collect()
    }

    #[test]
    fn its_times_are_those_of_its_zone() {
        let berlin = table("0 */6 * * *", "Europe/Berlin");
        assert_eq!(
            times(&berlin, "2026-05-01T00:00:00Z", 4),
            ["01T04:00", "01T10:00", "01T16:00", "01T22:00"]
        );
        assert_eq!(
            times(&table("0 */6 * * *", "UTC"), "2026-05-01T00:00:00Z", 2),
            ["01T00:00", "01T06:00"]
        );
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_counts_right_after() {
        // On 2026-03-29 at 02:00 it is 03:00 in Berlin: 01:00 UTC.
        let set = table("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            times(&set, "2026-03-28T00:00:00Z", 3),
            ["28T01:30", "29T01:00", "30T00:30"]
        );
        let hourly = table("0 * * * *", "Europe/Berlin");
        assert_eq!(
            times(&hourly, "2026-03-29T00:00:00Z", 3),
            ["29T00:00", "29T01:00", "29T02:00"]
        );
    }

    #[test]
    fn a_set_time_that_comes_twice_counts_once_and_an_hour_twice() {
        // On 2026-10-25 at 03:00 it is 02:00 again in Berlin: 01:00 UTC.
        let set = table("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            times(&set, "2026-10-24T00:00:00Z", 3),
            ["24T00:30", "25T00:30", "26T01:30"]
        );
        let hourly = table("0 * * * *", "Europe/Berlin");
        assert_eq!(
            times(&hourly, "2026-10-25T00:00:00Z", 3),
            ["25T00:00", "25T01:00", "25T02:00"]
        );
    }

    #[test]
    fn a_missed_one_is_caught_up_once_and_an_early_one_is_not_repeated() {
        let schedule = Schedule::At(table("0 */6 * * *", "UTC"));
        let (last, now) = (utc("2026-05-01T06:00:01Z"), utc("2026-05-03T07:30:00Z"));
        assert_eq!(schedule.first_wait([last], now), Duration::ZERO);
        // Caught up at half past seven, the next is that of noon.
        let wait = schedule.next_wait(Duration::from_secs(999_999), now);
        assert_eq!(wait, Duration::from_secs(4 * 3600 + 1800));
        let early = utc("2026-05-01T05:59:59Z");
        assert_eq!(schedule.after(early), utc("2026-05-01T12:00:00Z"));
    }

    #[test]
    fn what_is_no_timetable_is_said_to_be_none() {
        let new = |text: &str| Timetable::new(text, Zone::UTC);
        for wrong in [
            "",
            "5",
            "* * * *",
            "0 0 0 * * *",
            "61 * * * *",
            "0 99 * * *",
            "x",
        ] {
            let error = new(wrong).unwrap_err();
            assert!(
                matches!(error, TimetableError::Pattern(_)),
                "{wrong}: {error}"
            );
        }
        assert_eq!(new("0 0 30 2 *").unwrap_err(), TimetableError::Never);
        assert!("Europe/berlim".parse::<Zone>().is_err());
    }

    #[test]
    fn it_knows_how_far_apart_its_times_are() {
        let gaps = |text| {
            let table = table(text, "UTC");
            (
                table.shortest().as_secs() / 3600,
                table.longest().as_secs() / 3600,
            )
        };
        assert_eq!(gaps("0 */6 * * *"), (6, 6));
        assert_eq!(gaps("0 3,5 * * 1-5"), (2, 70));
        let berlin = table("0 3 * * *", "Europe/Berlin");
        assert_eq!(berlin.longest().as_secs() / 3600, 25);
        assert_eq!(gaps("0 0 29 2 *").1, 24 * (4 * 365 + 1));
        // Every minute of the first twenty days of a month.
        assert_eq!(gaps("* * 1-20 * *"), (0, 24 * 11));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_next_is_always_later_and_never_further_than_the_longest(
            minute in 0u32..60, hours in 1u32..13, days in 0i64..3000, seconds in 0i64..86_400,
        ) {
            let table = table(&format!("{minute} */{hours} * * *"), "America/New_York");
            let last = utc("2026-01-01T00:00:00Z") + TimeDelta::days(days % 365) + TimeDelta::seconds(seconds);
            let next = table.after(last);
            prop_assert!(next > last);
            prop_assert!((next - last - EARLY).to_std().unwrap_or_default() <= table.longest());
        }
    }
}
