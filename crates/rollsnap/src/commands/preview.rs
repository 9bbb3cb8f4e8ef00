//! `rollsnap schedule preview`: the next snapshots, and what will be kept.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::catalog::{Catalog, Reader};
use rollsnap_engine::manifest::{Class, Id};
use rollsnap_engine::outlook::{Rules, Scarcity, Stage};
use rollsnap_engine::retention::{Guard, Retention, Tier};
use rollsnap_engine::schedule::{Schedule, Zone};
use rollsnap_engine::{Kind, Manifest};
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::output::{self, Table, coarse, moment};
use crate::report::Failure;

/// So many of the next are shown.
const NEXT: usize = 8;

#[derive(Serialize)]
struct Report {
    /// In the words of the settings.
    schedule: String,
    zone: String,
    retention: String,
    /// Whether the daemon would take any.
    active: bool,
    /// When the next are due, if none is missed.
    next: Vec<String>,
    stages: Vec<Row>,
    /// Why that is too little; absent where it is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// What will be there at one moment.
#[derive(Serialize)]
struct Row {
    at: String,
    #[serde(skip)]
    ahead: Duration,
    kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<String>,
    #[serde(skip)]
    history: Duration,
    newest: usize,
    hourly: usize,
    daily: usize,
    weekly: usize,
    monthly: usize,
}

pub(super) async fn run(context: &Context, days: u32) -> Result<(), Failure> {
    let settings = context.settings()?;
    let here = match assembly::local_to_read(&settings) {
        Ok(local) => Reader::default().read(&local).await?,
        // Before the first snapshot there may be no directory.
        Err(failure) if failure.kind == Kind::Config => Catalog::default(),
        Err(failure) => return Err(failure),
    };
    let now = context.clock.now();
    let said = &settings.schedule;
    let nobody = Guard {
        cluster: Id(0),
        member: Id(0),
        fellows: rollsnap_engine::retention::Fellows::default(),
    };
    let guard = here.newest().map_or(nobody, Guard::of);
    let rules = Rules {
        schedule: &said.when.value,
        retention: &said.retention.value,
        demand: settings.making.verify.value,
        guard,
    };
    let ours = |it: &&Manifest| guard.owns(it) && it.class == Class::Rolling;
    let started = here.manifests().filter(ours).map(|it| it.started_at);
    let last = started.filter(|at| *at <= now).max();
    let zone = said.zone.value;
    let ahead = [1, 7, 30, days].into_iter().filter(|ahead| *ahead <= days);
    let mut ahead: Vec<_> = ahead.collect();
    ahead.sort_unstable();
    ahead.dedup();
    let moments: Vec<_> = ahead
        .iter()
        .map(|days| now + TimeDelta::days(i64::from(*days)))
        .collect();
    let stages = rules.stages(&here.entries, now, &moments);
    let scarcity = rules.scarcity(now);
    let next: Vec<_> = rules.runs(last, now).take(NEXT).collect();
    let report = Report {
        schedule: match &said.when.value {
            Schedule::Every(interval) => format!("every {}", GoDuration(*interval)),
            Schedule::At(timetable) => timetable.text().to_owned(),
        },
        zone: zone.to_string(),
        retention: words(&said.retention.value),
        active: said.active.value,
        next: next.iter().copied().map(moment).collect(),
        stages: stages.iter().map(|stage| Row::of(stage, now)).collect(),
        warning: scarcity.map(warning),
    };
    output::tell(context.format, &report, || {
        render(&report, &next, zone, now)
    })?;
    let Some(warning) = report.warning else {
        return Ok(());
    };
    let message = format!("schedule and retention keep too little: {warning}");
    Err(Failure::new(Kind::Config, message)
        .with_hint("keep more with --retention, or some of each day with --retention-tiers"))
}

/// What is kept, in a line.
fn words(retention: &Retention) -> String {
    match retention {
        Retention::Count(count) => format!("the newest {count}"),
        Retention::Age { limit, floor } => {
            format!("{}, and the newest {floor}", GoDuration(*limit))
        }
        Retention::Tiered { count, tiers } => format!("the newest {count}, {tiers}"),
    }
}

fn warning(scarcity: Scarcity) -> String {
    match scarcity {
        Scarcity::One => "there is never more than one snapshot".to_owned(),
        Scarcity::ShortHistory(history) => {
            format!("they go back {} at most, less than a day", coarse(history))
        }
    }
}

impl Row {
    fn of(stage: &Stage, now: DateTime<Utc>) -> Self {
        let [hourly, daily, weekly, monthly] = stage.tiers;
        let since = |at: DateTime<Utc>| (stage.at - at).to_std().unwrap_or_default();
        Self {
            at: moment(stage.at),
            ahead: since(now),
            kept: stage.kept,
            oldest: stage.oldest.map(moment),
            history: stage.oldest.map(since).unwrap_or_default(),
            newest: stage.newest,
            hourly,
            daily,
            weekly,
            monthly,
        }
    }

    /// By what they are kept.
    fn why(&self) -> String {
        let tiers = [self.hourly, self.daily, self.weekly, self.monthly];
        let tiers = Tier::ALL.into_iter().zip(tiers);
        let tiers = tiers.filter(|(_, count)| *count > 0);
        let tiers = tiers.map(|(tier, count)| format!("{count} {tier}"));
        let newest = std::iter::once(format!("{} newest", self.newest));
        newest.chain(tiers).collect::<Vec<_>>().join(", ")
    }
}

fn render(report: &Report, next: &[DateTime<Utc>], zone: Zone, now: DateTime<Utc>) -> String {
    let mut text = format!(
        "Schedule   {} ({})\nRetention  {}\n",
        report.schedule, report.zone, report.retention
    );
    if !report.active {
        text.push_str("Switched off: the daemon takes none\n");
    }
    let mut runs = Table::new(&["NEXT", "IN"]);
    for run in next {
        let wait = (*run - now).to_std().unwrap_or_default();
        runs.push(vec![zone.minute(*run), coarse(wait)]);
    }
    let mut stages = Table::new(&["IN", "SNAPSHOTS", "GOING BACK", "KEPT AS"]);
    for row in &report.stages {
        stages.push(vec![
            coarse(row.ahead),
            row.kept.to_string(),
            coarse(row.history),
            row.why(),
        ]);
    }
    text.push('\n');
    text.push_str(&runs.render());
    text.push('\n');
    text.push_str(&stages.render());
    text
}
