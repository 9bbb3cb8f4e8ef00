//! What there is at this moment, as gauges. What is not known is not there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prometheus::GaugeVec;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use rollsnap_engine::Manifest;
use rollsnap_engine::catalog::{Catalog, Entry, Standing};
use rollsnap_engine::manifest::{Class, Method, Outcome, Verdict};
use rollsnap_engine::retention::Guard;

use super::family::{Family, TABLE};
use super::{number, table};
use crate::http::health;
use crate::http::shared::{InForce, Remote, Shared};

/// The gauges of one answer.
#[derive(Default)]
struct Gauges(BTreeMap<&'static str, GaugeVec>);

impl Gauges {
    fn set(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        let gauge = self.0.entry(family.name).or_insert_with(|| family.gauge());
        let gauge = gauge.get_metric_with_label_values(labels).expect(TABLE);
        gauge.set(value);
    }

    fn at(&mut self, family: &'static Family, labels: &[&str], at: Option<DateTime<Utc>>) {
        if let Some(at) = at {
            self.set(family, labels, seconds(at));
        }
    }

    fn count(&mut self, family: &'static Family, labels: &[&str], count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.set(family, labels, number(count));
    }
}

/// Since 1970, to the millisecond: exact for longer than anybody lives.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    (now - at).to_std().unwrap_or_default().as_secs_f64()
}

/// Everything that is known now.
pub(super) async fn gather(shared: &Shared) -> Vec<MetricFamily> {
    let mut gauges = Gauges::default();
    let now = shared.now();
    gauges.set(&table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    gauges.at(&table::START, &[], Some(shared.metrics.since));
    let ready = health::reasons(shared).await.is_empty();
    gauges.set(&table::READY, &[], f64::from(u8::from(ready)));
    gauges.at(&table::NEXT, &[], shared.next());
    let remote = shared.remote();
    if let Some(in_force) = shared.in_force() {
        let active = f64::from(u8::from(in_force.is_active));
        gauges.set(&table::ACTIVE, &[], active);
        let interval = in_force.schedule.longest().as_secs_f64();
        gauges.set(&table::INTERVAL, &[], interval);
        let here = match shared.local_catalog().await {
            Some(Ok(here)) => Some(here),
            _ => None,
        };
        if let Some(here) = &here {
            of_store(&mut gauges, "local", here, now, now);
            let newest = health::newest_rolling(here, now).filter(|_| in_force.is_active);
            let overdue = newest.map(|newest| in_force.schedule.late_from(newest));
            gauges.at(&table::OVERDUE, &[], overdue);
        }
        if in_force.has_bucket {
            of_bucket(&mut gauges, &in_force, here.as_ref(), &remote, now);
        }
        let there = remote.catalog.as_ref().map(|(there, _)| &**there);
        of_drills(&mut gauges, here.as_ref(), there, now);
        if let Ok(aside) = shared.quarantined(&in_force).await {
            gauges.count(&table::QUARANTINED, &[], aside.entries.len());
        }
    }
    of_surroundings(&mut gauges, shared);
    gauges.0.into_values().flat_map(|it| it.collect()).collect()
}

fn of_store(
    gauges: &mut Gauges,
    store: &str,
    catalog: &Catalog,
    listed: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    let labels = &[store];
    gauges.at(&table::LISTED, labels, Some(listed));
    let whole = || {
        let manifests = catalog.manifests();
        manifests.filter(|manifest| manifest.verdict() != Some(Verdict::Corrupt))
    };
    let newest = whole().map(|manifest| manifest.finished_at).max();
    gauges.at(&table::SUCCESS, labels, newest);
    if let Some(newest) = newest {
        gauges.set(&table::AGE, labels, age(newest, now));
    }
    let proved = catalog.proved().filter(|it| it.is_verified(Method::Deep));
    let proved = proved.map(|manifest| manifest.finished_at).max();
    gauges.at(&table::PROVED, labels, proved);
    let size = catalog.entries.iter().map(|entry| entry.size).sum();
    gauges.set(&table::STORED, labels, number(size));
    for state in table::STATE.values {
        let entries = catalog.entries.iter();
        let count = entries.filter(|entry| state_of(entry) == *state).count();
        gauges.count(&table::SNAPSHOTS, &[store, state], count);
    }
}

fn state_of(entry: &Entry) -> &'static str {
    match &entry.standing {
        Standing::Proved(manifest) | Standing::Disputed(manifest) => match manifest.class {
            Class::Rolling => "rolling",
            Class::OneOff => "pinned",
        },
        other => other.as_str(),
    }
}

fn of_bucket(
    gauges: &mut Gauges,
    in_force: &InForce,
    here: Option<&Catalog>,
    remote: &Remote,
    now: DateTime<Utc>,
) {
    let is_up = remote.down.is_none();
    gauges.set(&table::REMOTE_UP, &[], f64::from(u8::from(is_up)));
    let Some((there, listed)) = &remote.catalog else {
        return;
    };
    of_store(gauges, "s3", there, *listed, now);
    let readings = || {
        there
            .manifests()
            .map(|manifest| manifest.read_back.as_ref())
    };
    let last = readings().flatten().map(|reading| reading.at).max();
    gauges.at(&table::READ_BACK, &[], last);
    let unread = readings().filter(Option::is_none).count();
    gauges.count(&table::UNREAD, &[], unread);
    let Some((here, newest)) = here.and_then(|here| Some((here, here.newest()?))) else {
        gauges.count(&table::DEBT, &[], 0);
        gauges.count(&table::DEBT_BYTES, &[], 0);
        return;
    };
    let debt = in_force.rules.debt(Guard::of(newest), here, there);
    let owed = debt.owed();
    gauges.count(&table::DEBT, &[], owed.len());
    let bytes = owed.iter().map(|entry| entry.size).sum();
    gauges.set(&table::DEBT_BYTES, &[], number(bytes));
}

fn of_drills(
    gauges: &mut Gauges,
    here: Option<&Catalog>,
    there: Option<&Catalog>,
    now: DateTime<Utc>,
) {
    let manifests = here.into_iter().chain(there).flat_map(Catalog::manifests);
    let drills = manifests.filter_map(|manifest: &Manifest| manifest.drill.as_ref());
    let Some(last) = drills.max_by_key(|drill| drill.at) else {
        return;
    };
    gauges.at(&table::DRILL, &[], Some(last.at));
    gauges.set(&table::DRILL_AGE, &[], age(last.at, now));
    gauges.set(&table::DRILL_SECONDS, &[], last.took.as_secs_f64());
    for result in [Outcome::Held, Outcome::Corrupt, Outcome::Failed] {
        let is_it = f64::from(u8::from(last.result == result));
        gauges.set(&table::DRILL_RESULT, &[result.as_str()], is_it);
    }
}

fn of_surroundings(gauges: &mut Gauges, shared: &Shared) {
    let seen = shared.surroundings();
    if let Some(space) = seen.space {
        gauges.set(&table::FREE, &[], number(space.free));
        gauges.set(&table::ALL, &[], number(space.all));
    }
    if let Some(member) = &seen.member {
        gauges.set(&table::ETCD_UP, &[], f64::from(u8::from(member.is_ok())));
        if let Ok(status) = member {
            gauges.set(&table::ETCD_SIZE, &[], number(status.db_size));
            gauges.set(&table::ETCD_IN_USE, &[], number(status.db_in_use));
            gauges.set(&table::ETCD_REVISION, &[], number(status.revision));
        }
    }
    for (certificate, end) in &seen.certificates {
        gauges.set(&table::CERTIFICATE_END, &[certificate], number(*end));
    }
}
