//! `rollsnap coverage`: hour by hour, what could be restored and from where.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::coverage::{Coverage, Gap, Hour, Trust, coverage};
use rollsnap_engine::schedule::Zone;
use serde::Serialize;

use super::Context;
use crate::output::{self, coarse, moment};
use crate::report::Failure;
use crate::sight::Sight;

#[derive(Serialize)]
struct Report {
    from: String,
    to: String,
    /// Hours in which a snapshot was taken that can be restored.
    covered: usize,
    hours: Vec<HourRow>,
    gaps: Vec<GapRow>,
    /// Why copies in the bucket are not among them; absent where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<String>,
}

/// An hour that has a snapshot.
#[derive(Serialize)]
struct HourRow {
    from: String,
    /// `proved`, `unproved` or `disputed`; absent where the directory has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'static str>,
}

#[derive(Serialize)]
struct GapRow {
    from: String,
    to: String,
    seconds: u64,
}

pub(super) async fn run(context: &Context, days: u32) -> Result<(), Failure> {
    let settings = context.settings()?;
    let sight = Sight::of(&settings).await?;
    let (here, there) = (&sight.here, sight.bucket());
    let now = context.clock.now();
    let zone = settings.schedule.zone.value;
    let from = zone.midnight(now - TimeDelta::days(i64::from(days) - 1));
    let cluster = here.newest().or(there.newest()).map(|it| it.cluster_id);
    let every = settings.schedule.when.value.longest();
    let span = (from, now);
    let coverage = coverage(&here.entries, &there.entries, cluster, span, every);
    let report = Report::of(&coverage, span, sight.why_unseen());
    output::tell(context.format, &report, || {
        let marks = if output::is_seen() { &DRAWN } else { &PLAIN };
        render(&coverage, zone, marks)
    })?;
    sight.unseen.map_or(Ok(()), Err)
}

impl Report {
    fn of(
        coverage: &Coverage,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        unseen: Option<&str>,
    ) -> Self {
        let has = |hour: &&Hour| hour.best().is_some();
        let hours = coverage.hours.iter().filter(has);
        Self {
            from: moment(from),
            to: moment(to),
            covered: hours.clone().count(),
            hours: hours
                .map(|hour| HourRow {
                    from: moment(hour.from),
                    local: hour.here.map(Trust::as_str),
                    remote: hour.there.map(Trust::as_str),
                })
                .collect(),
            gaps: coverage
                .gaps
                .iter()
                .map(|gap| GapRow {
                    from: moment(gap.from),
                    to: moment(gap.to),
                    seconds: gap.length().as_secs(),
                })
                .collect(),
            unseen: unseen.map(str::to_owned),
        }
    }
}

/// What stands for an hour.
struct Marks {
    none: char,
    /// Proved: in both, here alone, in the bucket alone.
    proved: [char; 3],
    /// The same of what is not.
    unproved: [char; 3],
    disputed: char,
    legend: &'static str,
}

const DRAWN: Marks = Marks {
    none: '·',
    proved: ['█', '▀', '▄'],
    unproved: ['▓', '▔', '▁'],
    disputed: '?',
    legend: "█ here and in the bucket  ▀ here  ▄ in the bucket  ▓▔▁ not proved  ? disputed",
};

const PLAIN: Marks = Marks {
    none: '.',
    proved: ['B', 'L', 'R'],
    unproved: ['b', 'l', 'r'],
    disputed: '?',
    legend: "B both  L local  R remote  small letters: not proved  ? disputed",
};

impl Marks {
    fn of(&self, hour: &Hour) -> char {
        let Some(best) = hour.best() else {
            return self.none;
        };
        let place = match (hour.here == Some(best), hour.there == Some(best)) {
            (true, true) => 0,
            (true, false) => 1,
            _ => 2,
        };
        match best {
            Trust::Disputed => self.disputed,
            Trust::Unproved => self.unproved[place],
            Trust::Proved => self.proved[place],
        }
    }
}

/// A line a day: its hours, two columns each. A day has 23 hours or 25 where clocks are changed.
fn render(coverage: &Coverage, zone: Zone, marks: &Marks) -> String {
    let mut days: BTreeMap<String, String> = BTreeMap::new();
    let mut covered = 0;
    for hour in &coverage.hours {
        let at = zone.minute(hour.from);
        let (day, _) = at.split_at(10);
        let line = days.entry(day.to_owned()).or_default();
        line.push(marks.of(hour));
        line.push(' ');
        covered += usize::from(hour.best().is_some());
    }
    let mut text = " ".repeat(12);
    for hour in (0..24).step_by(3) {
        let _ = write!(text, "{hour:02}    ");
    }
    text = format!("{}\n", text.trim_end());
    for (day, hours) in &days {
        let _ = writeln!(text, "{day}  {}", hours.trim_end());
    }
    let _ = writeln!(text, "\n{}", marks.legend);
    let all = coverage.hours.len();
    let _ = writeln!(
        text,
        "{covered} of {all} hours have a snapshot; times are {zone}"
    );
    match &coverage.gaps[..] {
        [] => text.push_str("No gaps: no two are further apart than the schedule wants\n"),
        gaps => {
            let _ = writeln!(text, "Gaps longer than the schedule wants:");
            for gap in gaps {
                let _ = writeln!(text, "  {}", line(gap, zone));
            }
        }
    }
    text
}

fn line(gap: &Gap, zone: Zone) -> String {
    let (from, to) = (zone.minute(gap.from), zone.minute(gap.to));
    format!("{from} to {to}, {}", coarse(gap.length()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_a_line_of_eighty_columns_at_most() {
        let hour = |from, here, there| Hour { from, here, there };
        let proved = Some(Trust::Proved);
        let begin = at("2026-10-24T22:00:00Z");
        let hours = (0..26).map(|number| {
            let from = begin + TimeDelta::hours(number);
            match number {
                0 => hour(from, proved, proved),
                1 => hour(from, proved, Some(Trust::Unproved)),
                2 => hour(from, None, proved),
                3 => hour(from, Some(Trust::Unproved), None),
                4 => hour(from, Some(Trust::Disputed), None),
                _ => hour(from, None, None),
            }
        });
        let gap = Gap {
            from: begin,
            to: begin + TimeDelta::hours(30),
        };
        let coverage = Coverage {
            hours: hours.collect(),
            gaps: vec![gap],
        };
        let zone = "Europe/Berlin".parse().unwrap();
        let plain = render(&coverage, zone, &PLAIN);
        let lines: Vec<_> = plain.lines().collect();
        // The day on which clocks are put back has 25 hours.
        assert!(lines[1].starts_with("2026-10-25  B L R l ? . ."), "{plain}");
        assert_eq!(lines[1].len(), 12 + 25 * 2 - 1);
        assert_eq!(lines[2], "2026-10-26  .");
        assert_eq!(
            lines.last(),
            Some(&"  2026-10-25 00:00 to 2026-10-26 05:00, 1d6h")
        );
        for text in [plain, render(&coverage, zone, &DRAWN)] {
            assert!(
                text.lines().all(|line| line.chars().count() <= 80),
                "{text}"
            );
        }
    }
}
