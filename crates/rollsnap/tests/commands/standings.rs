//! How backups may stand: nothing there, one snapshot, a thousand, everything wrong.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_engine::catalog::{Catalog, Entry, Standing as Worth};
use rollsnap_engine::manifest::{Drill, Method, Outcome, Verdict, Verification};
use rollsnap_engine::retention::{Ages, Foreign, Guard, Retention};
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::standing::{Facts, Room, Standing, There, Trouble, standing};
use rollsnap_engine::{Codec, Kind, Manifest, SnapshotName};

const HOUR: i64 = 3600;

fn now() -> DateTime<Utc> {
    "2026-05-20T12:20:00Z".parse().unwrap()
}

/// Taken so many hours ago, proved and about 1.2 GiB.
fn taken(hours: i64) -> Entry {
    let at = now() - TimeDelta::seconds(hours * HOUR + 1200);
    let text = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let name = SnapshotName::new(&format!("{text}_etcd")).unwrap();
    // It grows, and shrinks with each defragmentation.
    let size = 1_300_000_000 - u64::try_from(hours % 170).unwrap() * 2_000_000;
    let (digest, done) = ("ab".repeat(32), at + TimeDelta::milliseconds(8_400));
    let manifest = format!(
        r#"{{"format": 1, "name": "{name}", "class": "rolling", "order": 7,
        "cluster_id": "c1", "member_id": "31", "etcd_version": "3.5.1", "revision": 4810233,
        "raft_term": 2, "raft_applied_index": 11,
        "database": {{"digest": "{digest}", "size": {size}}},
        "stored": {{"codec": "none", "digest": "{digest}", "size": {size}}},
        "started_at": "{text}", "finished_at": "{}", "tool": "test"}}"#,
        done.to_rfc3339()
    );
    let mut manifest = Manifest::read(&name, manifest.as_bytes()).unwrap();
    let (took, held) = (Duration::from_secs(9), Verdict::Held);
    manifest.verification = Some(Verification::new(done, Method::Deep, held, &[], took));
    Entry {
        name,
        codec: Codec::None,
        size,
        modified: None,
        standing: Worth::Proved(Box::new(manifest)),
    }
}

fn changed(mut entry: Entry, change: impl FnOnce(&mut Manifest)) -> Entry {
    if let Worth::Proved(manifest) = &mut entry.standing {
        change(manifest);
    }
    entry
}

fn drilled(entry: Entry, hours: i64, result: Outcome) -> Entry {
    let at = now() - TimeDelta::hours(hours);
    let finding = (result != Outcome::Held).then_some("etcd ended before it answered");
    let drill = Drill::new(at, result, finding, Duration::from_secs(42), None);
    changed(entry, |manifest| manifest.drill = Some(drill))
}

fn catalog(entries: impl IntoIterator<Item = Entry>) -> Catalog {
    Catalog {
        entries: entries.into_iter().collect(),
        ..Catalog::default()
    }
}

fn told(here: &Catalog, there: There<'_>, quarantined: usize, troubles: &[Trouble]) -> Standing {
    let plan = |catalog: &Catalog, count| {
        let Some(guard) = catalog.newest().map(Guard::of) else {
            return Vec::new();
        };
        let (entries, retention) = (&catalog.entries, Retention::Count(count));
        retention.plan(
            entries,
            guard,
            Method::Deep,
            now(),
            Ages::Trusted,
            Foreign::Keep,
        )
    };
    let plan_there = match there {
        There::Known(there) => plan(there, 997),
        _ => Vec::new(),
    };
    standing(&Facts {
        here,
        there,
        quarantined,
        plan_here: &plan(here, 997),
        plan_there: &plan_there,
        demand: Method::Deep,
        schedule: Some(&Schedule::Every(Duration::from_secs(3600))),
        next: Some(now() + TimeDelta::minutes(40)),
        room: Some(Room {
            free: if troubles.is_empty() {
                81 << 30
            } else {
                2 << 30
            },
            total: 200 << 30,
        }),
        troubles,
        now: now(),
    })
}

pub(crate) fn none() -> Standing {
    let none = Catalog::default();
    told(&none, There::Known(&none), 0, &[])
}

pub(crate) fn one() -> Standing {
    let here = catalog([taken(0)]);
    told(&here, There::Known(&here), 0, &[])
}

/// As everybody wants it: a day and a half, here and in the bucket, a restore rehearsed.
pub(crate) fn day() -> Standing {
    well(0..36)
}

pub(crate) fn thousand() -> Standing {
    // An outage of two days.
    well((0..1048).filter(|hours| !(400..448).contains(hours)))
}

fn well(hours: impl Iterator<Item = i64>) -> Standing {
    let all = |hours| match hours {
        30 => drilled(taken(30), 29, Outcome::Held),
        _ => taken(hours),
    };
    let here = catalog(hours.map(all));
    told(&here, There::Known(&here), 0, &[])
}

pub(crate) fn failures() -> Standing {
    let corrupt = |hours| {
        let mut entry = taken(hours);
        if let Worth::Proved(manifest) = &entry.standing {
            entry.standing = Worth::Corrupt(manifest.clone());
        }
        entry
    };
    let waiting = |hours| changed(taken(hours), |manifest| manifest.verification = None);
    let foreign = Entry {
        name: SnapshotName::new("rke_etcd_snapshot_2026-05-18T01:02:03Z").unwrap(),
        standing: Worth::Foreign,
        ..taken(50)
    };
    let mut entries: Vec<_> = (9..20).map(taken).collect();
    entries.extend([waiting(4), waiting(6), corrupt(7), corrupt(12), foreign]);
    entries.push(drilled(taken(8), 3, Outcome::Failed));
    let troubles = [
        Trouble {
            work: "save",
            at: now() - TimeDelta::minutes(4),
            kind: Kind::Source,
            message: "save 2026-05-20T12:16:00Z_etcd: status of https://10.0.0.1:2379: nobody \
                      answers <script>alert(1)</script>"
                .to_owned(),
            cure: Some("look whether etcd runs, and whether --endpoints names it".to_owned()),
        },
        Trouble {
            work: "upload",
            at: now() - TimeDelta::minutes(30),
            kind: Kind::Denied,
            message: "put s3://backups/a: the server denies access".to_owned(),
            cure: None,
        },
    ];
    let here = catalog(entries);
    told(
        &here,
        There::Unseen("the server denies access"),
        1,
        &troubles,
    )
}
