//! What schedule and retention come to: the next snapshots, and what will be kept. Pure.
//!
//! Snapshots that are not there yet are judged by the plan that will judge them once they are. It
//! is made once for each moment, for what goes one by one is what goes at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_snapfile::Digest;

use crate::catalog::{Entry, Standing};
use crate::manifest::{Class, Content, FORMAT, Stored, Verdict as Found, Verification};
use crate::name::TimeStyle;
use crate::retention::{Ages, Foreign, Guard, Reason, Retention, Tier};
use crate::schedule::Schedule;
use crate::{Codec, Manifest, SnapshotName, manifest};

/// More than so many snapshots are not looked ahead.
const MOST: usize = 50_000;

/// Less history than this is too little.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// What an outlook is made from.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// When snapshots are taken.
    pub schedule: &'a Schedule,
    /// What is kept.
    pub retention: &'a Retention,
    /// How deep a snapshot must have been verified to make an older one go.
    pub demand: manifest::Method,
    /// Whose they are.
    pub guard: Guard,
}

/// What is kept at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The moment.
    pub at: DateTime<Utc>,
    /// How many are kept in all, of this member and by the schedule.
    pub kept: usize,
    /// When the oldest of them was taken.
    pub oldest: Option<DateTime<Utc>>,
    /// How many are kept for being among the newest, or not too old.
    pub newest: usize,
    /// How many are kept by each of [`Tier::ALL`].
    pub tiers: [usize; 4],
}

/// What is to be warned of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scarcity {
    /// Less than a day lies between the oldest and now, at the best of times.
    ShortHistory(Duration),
    /// If the one that is kept is broken, there is no other.
    One,
}

impl Rules<'_> {
    /// When the next snapshots are due, if none is missed. `last` is the last success.
    pub fn runs(
        self,
        last: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> {
        let wait = TimeDelta::from_std(self.schedule.first_wait(last, now)).unwrap_or_default();
        let first = now.checked_add_signed(wait);
        let runs = std::iter::successors(first, move |run| {
            let next = self.schedule.after(*run);
            (next > *run && next < DateTime::<Utc>::MAX_UTC).then_some(next)
        });
        runs.take(MOST)
    }

    /// What is kept at these moments, by what is there and what comes until then. Fewer than were
    /// asked for where that were too many snapshots.
    pub fn stages(
        self,
        entries: &[Entry],
        now: DateTime<Utc>,
        moments: &[DateTime<Utc>],
    ) -> Vec<Stage> {
        let last = self.own(entries).map(|manifest| manifest.started_at);
        let last = last.filter(|at| *at <= now).max();
        let mut order = self.own(entries).map(|manifest| manifest.order).max();
        let mut runs = self.runs(last, now).peekable();
        let mut all = entries.to_vec();
        let mut stages = Vec::new();
        for at in moments {
            while let Some(run) = runs.next_if(|run| run <= at) {
                let next = order.map_or(0, |order| order + 1);
                order = Some(next);
                all.push(self.to_come(run, next));
            }
            if runs.peek().is_none() {
                break;
            }
            stages.push(self.stage(&all, *at));
        }
        stages
    }

    /// Whether too little is kept in the long run, even if nothing is missed.
    pub fn scarcity(self, now: DateTime<Utc>) -> Option<Scarcity> {
        let few = self.retention.count().saturating_add(2);
        let three_days = now + TimeDelta::days(3);
        let mut all = Vec::new();
        let mut end = now;
        for (order, run) in (0..).zip(self.runs(None, now)) {
            end = run;
            if all.len() >= few && run > three_days {
                break;
            }
            all.push(self.to_come(run, order));
        }
        // Just before the next one: then the oldest is as old as it gets.
        let stage = self.stage(&all, end);
        let oldest = stage.oldest.unwrap_or(end);
        let history = (end - oldest).to_std().unwrap_or_default();
        if stage.kept < 2 {
            Some(Scarcity::One)
        } else if history < A_DAY {
            Some(Scarcity::ShortHistory(history))
        } else {
            None
        }
    }

    fn own(self, entries: &[Entry]) -> impl Iterator<Item = &Manifest> {
        let manifests = entries.iter().filter_map(Entry::manifest);
        manifests
            .filter(move |manifest| self.guard.owns(manifest) && manifest.class == Class::Rolling)
    }

    fn stage(self, entries: &[Entry], at: DateTime<Utc>) -> Stage {
        let plan = self.retention.plan(
            entries,
            self.guard,
            self.demand,
            at,
            Ages::Trusted,
            Foreign::Keep,
        );
        let mut stage = Stage {
            at,
            kept: 0,
            oldest: None,
            newest: 0,
            tiers: [0; 4],
        };
        let times: std::collections::BTreeMap<_, _> = entries
            .iter()
            .map(|entry| (&entry.name, entry.taken_at()))
            .collect();
        for verdict in plan.iter().filter(|verdict| !verdict.fate.is_delete()) {
            match verdict.fate.reason() {
                Reason::Newest | Reason::WithinCount { .. } | Reason::WithinAge { .. } => {
                    stage.newest += 1;
                }
                Reason::OfTier { tier, .. } => {
                    let place = Tier::ALL.iter().position(|it| *it == tier);
                    stage.tiers[place.unwrap_or_default()] += 1;
                }
                // What no rule of the schedule's keeps: one-offs, others' and what is broken.
                _ => continue,
            }
            stage.kept += 1;
            let taken = times.get(&verdict.name).copied().flatten();
            stage.oldest = [stage.oldest, taken].into_iter().flatten().min();
        }
        stage
    }

    /// A snapshot that will be taken then, and held.
    fn to_come(self, at: DateTime<Utc>, order: u64) -> Entry {
        let name = SnapshotName::rolling(at, TimeStyle::Rfc3339);
        let content = Content {
            digest: Digest([0; 32]),
            size: 0,
        };
        let held = Verification::new(at, self.demand, Found::Held, &[], Duration::ZERO);
        let manifest = Manifest {
            format: FORMAT,
            name: name.clone(),
            class: Class::Rolling,
            order,
            cluster_id: self.guard.cluster,
            member_id: self.guard.member,
            member_name: None,
            etcd_version: String::new(),
            revision: 0,
            raft_term: 0,
            raft_applied_index: 0,
            database: content,
            stored: Stored {
                codec: Codec::None,
                content,
            },
            started_at: at,
            finished_at: at,
            tool: String::new(),
            verification: Some(held),
            contents: None,
            members: Vec::new(),
            read_back: None,
            drill: None,
        };
        Entry {
            name,
            codec: Codec::None,
            size: 0,
            modified: None,
            standing: Standing::Proved(Box::new(manifest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Id, Method};
    use crate::retention::Tiers;
    use crate::schedule::{Timetable, Zone};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn rules<'a>(schedule: &'a Schedule, retention: &'a Retention) -> Rules<'a> {
        Rules {
            schedule,
            retention,
            demand: Method::Deep,
            guard: Guard {
                cluster: Id(1),
                member: Id(2),
                fellows: crate::retention::Fellows::default(),
            },
        }
    }

    #[test]
    fn the_next_are_due_when_the_schedule_says() {
        let schedule = Schedule::At(Timetable::new("0 */6 * * *", Zone::UTC).unwrap());
        let retention = Retention::Count(6);
        let rules = rules(&schedule, &retention);
        let now = at("2026-05-01T07:30:00Z");
        let runs: Vec<_> = rules
            .runs(Some(at("2026-05-01T06:00:00Z")), now)
            .take(2)
            .collect();
        assert_eq!(
            runs,
            [at("2026-05-01T12:00:00Z"), at("2026-05-01T18:00:00Z")]
        );
        // The first is overdue: it is taken now.
        let runs: Vec<_> = rules
            .runs(Some(at("2026-05-01T00:00:00Z")), now)
            .take(2)
            .collect();
        assert_eq!(runs, [now, at("2026-05-01T12:00:00Z")]);
    }

    #[test]
    fn what_will_be_kept_is_what_the_plan_keeps_then() {
        let schedule = Schedule::Every(HOUR);
        let tiers = Tiers {
            counts: [0, 7, 4, 0],
            zone: Zone::UTC,
        };
        let retention = Retention::Tiered { count: 6, tiers };
        let now = at("2026-05-01T00:00:00Z");
        let moments = [now + TimeDelta::days(1), now + TimeDelta::days(30)];
        let stages = rules(&schedule, &retention).stages(&[], now, &moments);
        assert_eq!((stages[0].newest, stages[0].kept), (6, 6));
        assert_eq!((stages[1].newest, stages[1].tiers), (6, [0, 5, 3, 0]));
        assert!(stages[1].oldest.unwrap() < now + TimeDelta::days(10));
        // What is there already counts, until newer ones take its place.
        let there = rules(&schedule, &retention).to_come(now - TimeDelta::days(1), 0);
        let stages = rules(&schedule, &retention).stages(&[there], now, &moments);
        assert_eq!(stages[0].oldest, Some(now - TimeDelta::days(1)));
    }

    #[test]
    fn too_little_is_told() {
        let scarcity = |schedule: &Schedule, retention| {
            rules(schedule, &retention).scarcity(at("2026-05-01T00:30:00Z"))
        };
        let hourly = Schedule::Every(HOUR);
        assert_eq!(
            scarcity(&hourly, Retention::Count(6)),
            Some(Scarcity::ShortHistory(6 * HOUR))
        );
        assert_eq!(scarcity(&hourly, Retention::Count(1)), Some(Scarcity::One));
        assert_eq!(scarcity(&hourly, Retention::Count(24)), None);
        assert_eq!(
            scarcity(&Schedule::Every(12 * HOUR), Retention::Count(6)),
            None
        );
        let tiers = Tiers {
            counts: [0, 7, 0, 0],
            zone: Zone::UTC,
        };
        assert_eq!(
            scarcity(&hourly, Retention::Tiered { count: 6, tiers }),
            None
        );
        // As people write "every three hours", and mean it.
        let every_three_minutes = Schedule::At(Timetable::new("*/3 * * * *", Zone::UTC).unwrap());
        assert!(matches!(
            scarcity(&every_three_minutes, Retention::Count(72)),
            Some(Scarcity::ShortHistory(history)) if history < 4 * HOUR
        ));
    }
}
