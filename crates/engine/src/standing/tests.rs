use super::*;
use crate::catalog::Standing as Worth;
use crate::manifest::{Boot, Drill, Verification};
use crate::retention::tests::{GUARD, at, entry};
use crate::retention::{Ages, Foreign, Retention};
use crate::schedule::{Timetable, Zone};

const HOUR: Duration = Duration::from_secs(3600);
const NOW: i64 = 1000 * 3600;

/// Taken so many hours ago, verified deep.
fn taken(hours: i64) -> Entry {
    with(entry(NOW - hours * 3600), |manifest| {
        let (method, verdict) = (Method::Deep, Found::Held);
        let took = Duration::from_secs(1);
        let done = Verification::new(manifest.finished_at, method, verdict, &[], took);
        manifest.verification = Some(done);
    })
}

fn with(mut entry: Entry, change: impl FnOnce(&mut Manifest)) -> Entry {
    match &mut entry.standing {
        Worth::Proved(manifest) | Worth::Corrupt(manifest) | Worth::Disputed(manifest) => {
            change(manifest);
        }
        Worth::Foreign | Worth::Suspect(_) => {}
    }
    entry
}

fn drilled(entry: Entry, hours: i64, result: Outcome) -> Entry {
    let boot = Boot {
        etcd_version: "3.5.1".to_owned(),
        took: Duration::from_secs(5),
    };
    let took = Duration::from_secs(40);
    let finding = (result != Outcome::Held).then_some("etcd ended");
    let done = Drill::new(at(NOW - hours * 3600), result, finding, took, Some(boot));
    with(entry, |manifest| manifest.drill = Some(done))
}

fn catalog(entries: impl IntoIterator<Item = Entry>) -> Catalog {
    Catalog {
        entries: entries.into_iter().collect(),
        ..Catalog::default()
    }
}

fn facts<'a>(here: &'a Catalog, there: There<'a>) -> Facts<'a> {
    Facts {
        here,
        there,
        quarantined: 0,
        plan_here: &[],
        plan_there: &[],
        demand: Method::Deep,
        schedule: Some(&Schedule::Every(HOUR)),
        next: Some(at(NOW + 1800)),
        room: Some(Room {
            free: 1 << 40,
            total: 1 << 41,
        }),
        troubles: &[],
        now: at(NOW),
    }
}

fn texts(standing: &Standing) -> Vec<&str> {
    let texts = standing.findings.iter().map(|it| it.text.as_str());
    texts.collect()
}

#[test]
fn without_a_snapshot_nothing_can_be_restored_and_the_cure_is_told() {
    let none = Catalog::default();
    let told = standing(&facts(&none, There::Known(&none)));
    assert_eq!(told.headline.state, State::Failed);
    assert_eq!(
        told.headline.text,
        "Nothing can be restored: there is no snapshot."
    );
    assert_eq!(told.failed(), Some(Kind::Store));
    assert_eq!(told.findings.len(), 1, "{:?}", texts(&told));
    assert!(told.findings[0].cure.contains("rollsnap save"));
    let json = serde_json::to_value(&told).unwrap();
    assert!(json["headline"].get("snapshot").is_none(), "{json}");
    assert_eq!(json["findings"][0]["kind"], "store");
}

#[test]
fn where_all_is_well_nothing_is_found_and_a_drill_tells_the_time() {
    let one = drilled(taken(0), 72, Outcome::Held);
    let here = catalog([one, taken(1)]);
    let told = standing(&facts(&here, There::Known(&here)));
    assert_eq!(texts(&told), Vec::<&str>::new());
    assert_eq!(told.headline.state, State::Held);
    assert_eq!(told.failed(), None);
    assert_eq!(
        told.headline.text,
        "The cluster can be restored now, to a second ago, in about 45 seconds."
    );
    assert_eq!(
        told.headline.detail,
        "That is 2020-10-25T04:26:40Z_etcd, taken 2020-10-25 04:26 UTC at revision 1, in the \
         directory and the bucket. The time is that of the drill 3 days ago."
    );
    assert_eq!(told.headline.restore_seconds, Some(45));
    assert_eq!(told.headline.measured, Some(true));
    assert_eq!(told.snapshots.len(), 2);
    assert_eq!(told.snapshots[0].stores, ["local", "remote"]);
}

#[test]
fn what_a_restore_takes_grows_with_the_size_and_is_estimated_without_a_drill() {
    let sized = |entry, size| with(entry, |it| it.database.size = size);
    let old = sized(drilled(taken(5), 5, Outcome::Held), 1 << 30);
    let here = catalog([old, sized(taken(0), 3 << 30)]);
    let told = standing(&facts(&here, There::Nowhere));
    assert_eq!(told.headline.restore_seconds, Some(3 * 40 + 5));

    let one = catalog([sized(taken(0), 2_000_000_000)]);
    let none = Catalog::default();
    for (here, there, seconds) in [(&one, &none, 21), (&none, &one, 41)] {
        let told = standing(&facts(here, There::Known(there)));
        assert_eq!(told.headline.restore_seconds, Some(seconds));
        assert_eq!(told.headline.measured, Some(false));
        let detail = &told.headline.detail;
        assert!(detail.contains("no drill has measured it"), "{detail}");
    }
}

#[test]
fn only_what_was_proved_counts_for_the_headline_while_there_is_any() {
    let waiting = entry(NOW);
    let broken = drilled(taken(1), 0, Outcome::Corrupt);
    let here = catalog([waiting.clone(), broken, taken(2)]);
    let told = standing(&facts(&here, There::Known(&here)));
    assert_eq!(told.headline.age_seconds, Some(2 * 3600));
    let only = catalog([waiting]);
    let told = standing(&facts(&only, There::Known(&only)));
    assert!(told.headline.text.contains("perhaps"), "{told:?}");
    assert!(texts(&told)[0].contains("verified as deep"), "{told:?}");
    // Where no more is demanded, the digest will do.
    let mut facts = facts(&only, There::Known(&only));
    facts.demand = Method::Digest;
    assert!(standing(&facts).headline.text.contains("now"));
}

#[test]
fn a_snapshot_that_is_late_fails_by_half_an_interval() {
    for (minutes, is_late) in [(89, false), (91, true)] {
        let here = catalog([with(taken(0), |it| it.started_at = at(NOW - minutes * 60))]);
        let told = standing(&facts(&here, There::Known(&here)));
        assert_eq!(told.headline.text.contains("only"), is_late, "{told:?}");
        assert_eq!(told.failed().is_some(), is_late);
    }
}

#[test]
fn a_snapshot_of_a_clock_that_was_ahead_hides_nothing() {
    let late = with(taken(0), |it| it.started_at = at(NOW - 91 * 60));
    let ahead = with(taken(-24), |it| it.started_at = at(NOW + 24 * 3600));
    let here = catalog([late, ahead]);
    let told = standing(&facts(&here, There::Known(&here)));
    assert!(
        told.headline.text.contains("only to 91 minutes ago"),
        "{told:?}"
    );
    assert_eq!(told.failed(), Some(Kind::Source));
}

#[test]
fn after_a_weekend_a_snapshot_is_late_as_soon_as_on_any_day() {
    let friday: DateTime<Utc> = "2026-11-27T18:00:00Z".parse().unwrap();
    let here = catalog([with(taken(0), |it| it.started_at = friday)]);
    let weekdays = Timetable::new("0 */6 * * 1-5", Zone::default()).unwrap();
    let weekdays = Schedule::At(weekdays);
    let mut facts = facts(&here, There::Known(&here));
    facts.schedule = Some(&weekdays);
    for (now, found) in [
        ("2026-11-30T03:00:00Z", None),
        (
            "2026-11-30T03:00:01Z",
            Some(
                "The newest snapshot that will do is 2 days old, and one was due at 2026-11-30 00:00 UTC.",
            ),
        ),
    ] {
        facts.now = now.parse().unwrap();
        let told = standing(&facts);
        let text = texts(&told).into_iter().find(|it| it.contains("due"));
        assert_eq!(text, found, "{now}");
    }
}

#[test]
fn each_thing_that_is_wrong_is_found_once_and_the_worst_is_first() {
    let corrupt = |hours| {
        let mut entry = taken(hours);
        if let Worth::Proved(manifest) = &entry.standing {
            entry.standing = Worth::Corrupt(manifest.clone());
        }
        entry
    };
    let other = with(taken(9), |it| it.cluster_id = Id(77));
    let sized = Entry {
        size: 1 << 39,
        ..drilled(taken(0), 1, Outcome::Failed)
    };
    let here = catalog([sized, corrupt(1), corrupt(2), other]);
    let trouble = Trouble {
        work: "upload",
        at: at(NOW - 600),
        kind: Kind::Denied,
        message: "put x: access denied".to_owned(),
        cure: Some("give the right to it".to_owned()),
    };
    let mut facts = facts(&here, There::Unseen("nobody answers"));
    let troubles = [trouble];
    facts.troubles = &troubles;
    facts.quarantined = 1;
    let told = standing(&facts);
    let expected = [
        "The last upload failed 10 minutes ago: put x: access denied.",
        "2 copies are broken, such as that of 2020-10-25T03:26:40Z_etcd.",
        "The bucket cannot be read: nobody answers.",
        "The last drill, of 2020-10-25T04:26:40Z_etcd, failed 60 minutes ago: etcd ended.",
        "One snapshot was broken and moved aside.",
        "The directory has room for two more snapshots.",
        "One snapshot here is of another cluster.",
    ];
    assert_eq!(texts(&told), expected);
    assert_eq!(told.failed(), Some(Kind::Denied));
    assert!(told.findings.iter().all(|it| !it.cure.is_empty()));
    assert_eq!(told.headline.state, State::Failed);
    // That it can be restored is true all the same.
    assert!(told.headline.text.contains("can be restored now"));
}

#[test]
fn a_bucket_may_be_one_interval_behind_and_no_more() {
    let here = catalog((0..8).map(taken));
    for (newest, text) in [
        (0, None),
        (1, None),
        (3, Some("The bucket is 3 hours behind.")),
        (8, Some("The bucket has no snapshot.")),
    ] {
        let there = catalog((newest..8).map(taken));
        let told = standing(&facts(&here, There::Known(&there)));
        let found = texts(&told).into_iter().find(|it| it.contains("bucket"));
        assert_eq!(found, text, "{newest}");
    }
}

#[test]
fn a_thousand_are_rows_with_the_fate_that_retention_gives_them() {
    let here = catalog((0..1000).map(taken));
    let there = catalog((0..500).map(taken));
    let plan = |catalog: &Catalog, count| {
        let entries = &catalog.entries;
        let (retention, now) = (Retention::Count(count), at(NOW));
        retention.plan(
            entries,
            GUARD,
            Method::Deep,
            now,
            Ages::Trusted,
            Foreign::Keep,
        )
    };
    let (ours, remote) = (plan(&here, 100), plan(&there, 500));
    let mut facts = facts(&here, There::Known(&there));
    (facts.plan_here, facts.plan_there) = (&ours, &remote);
    let told = standing(&facts);
    assert_eq!(told.snapshots.len(), 1000);
    assert!(told.snapshots.is_sorted_by(|a, b| a.taken_at > b.taken_at));
    // What goes here and stays there, stays.
    let expected = Retained {
        keep: 500,
        delete: 500,
    };
    assert_eq!(told.retention, expected);
    assert_eq!(told.snapshots[0].fate, Some("keep"));
    assert!(told.snapshots[999].reason.is_some());
}

#[test]
fn times_are_said_in_the_greatest_unit_of_which_there_are_two() {
    for (seconds, expected) in [
        (0, "a second"),
        (1, "a second"),
        (59, "59 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_199, "119 minutes"),
        (7_200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
    ] {
        assert_eq!(words::span(Duration::from_secs(seconds)), expected);
    }
    assert_eq!(words::every(HOUR), "hour");
    assert_eq!(words::every(6 * HOUR), "6 hours");
}
