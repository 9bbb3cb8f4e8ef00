//! What is saved is examined before anything counts on it, whatever the examination comes to.

use std::time::Duration;

use rollsnap_engine::catalog::Standing;
use rollsnap_engine::manifest::{Method, Verdict};
use rollsnap_engine::quarantine::{KEPT, move_aside};
use rollsnap_engine::retention::Retention;
use rollsnap_engine::{Codec, Kind, Manifest};
use rollsnap_store::Store;
use rollsnap_store::memory::Memory;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::bench::{Answer, FINDINGS, Finds, Told, World, catalog, quiet};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What was told, by a word each.
fn words(world: &World) -> Vec<&'static str> {
    world.diary.told().iter().filter_map(in_a_word).collect()
}

fn in_a_word(told: &Told) -> Option<&'static str> {
    Some(match told {
        Told::Saved(_) => "saved",
        Told::Verified(_) => "verified",
        Told::Quarantined { .. } => "quarantined",
        Told::ProofFailed { .. } => "unproved",
        Told::SaveFailed { .. } => "failed",
        Told::Uploaded(_) => "uploaded",
        Told::Deleted { location, .. } if location == "here" => "deleted here",
        Told::Deleted { .. } => "deleted there",
        _ => return None,
    })
}

async fn manifests(store: &Memory) -> Vec<Manifest> {
    catalog(store).await.manifests().cloned().collect()
}

/// A directory as a daemon left it that looked at digests alone.
async fn by_digest(saves: u32) -> World {
    let mut world = World::new();
    world.verify = Method::Digest;
    world.run(HOUR * (saves - 1) + MINUTE).await;
    assert_eq!(world.diary.saved().len(), saves as usize);
    world.diary.clear();
    world.verify = Method::Deep;
    world
}

#[tokio::test(start_paused = true)]
async fn nothing_is_rotated_or_uploaded_before_the_new_one_is_proved() {
    let mut world = World::new();
    world.retention = Retention::Count(1);
    world.run(HOUR + MINUTE).await;
    let round = ["saved", "verified", "uploaded"];
    let rest = [
        "saved",
        "verified",
        "deleted here",
        "uploaded",
        "deleted there",
    ];
    assert_eq!(words(&world), [&round[..], &rest[..]].concat());
    world.healed().await;
    for store in [&world.local, &world.remote] {
        let manifest = manifests(store).await.remove(0);
        let verification = manifest.verification.unwrap();
        assert_eq!(verification.method, Method::Deep);
        assert_eq!(verification.result, Verdict::Held);
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_digest_is_enough_nothing_is_examined_and_the_manifest_says_so() {
    let mut world = World::new();
    world.verify = Method::Digest;
    world.run(MINUTE).await;
    assert_eq!(words(&world), ["saved", "uploaded"]);
    assert!(world.examiner.begun().is_empty());
    let verification = manifests(&world.remote).await.remove(0).verification;
    assert_eq!(verification.unwrap().method, Method::Digest);
}

#[tokio::test(start_paused = true)]
async fn a_broken_snapshot_is_moved_aside_told_and_saved_again() {
    for codec in Codec::ALL {
        let mut world = World::new();
        world.codec = codec;
        world.examiner.then([Finds::Faults, Finds::Faults]);
        world.run(MINUTE).await;
        assert_eq!(
            words(&world),
            [
                "saved",
                "quarantined",
                "failed",
                "saved",
                "quarantined",
                "failed",
                "saved",
                "verified",
                "uploaded"
            ]
        );
        let told = world.diary.told();
        let retries: Vec<_> = told
            .iter()
            .filter_map(|told| match told {
                Told::SaveFailed {
                    error,
                    kind,
                    attempt,
                    retry_in,
                } => {
                    assert!(error.contains(FINDINGS[0]), "{error}");
                    assert_eq!(*kind, Kind::Corrupt);
                    Some((*attempt, retry_in.as_secs()))
                }
                Told::Quarantined { path, finding, .. } => {
                    assert!(path.starts_with("aside/2026"), "{path}");
                    assert_eq!(finding, FINDINGS[0]);
                    None
                }
                _ => None,
            })
            .collect();
        assert_eq!(retries, [(1, 1), (2, 2)]);
        world.healed().await;

        let aside = catalog(&world.aside).await;
        assert_eq!(aside.entries.len(), 2);
        for entry in &aside.entries {
            assert_eq!(entry.codec, codec);
            let Standing::Corrupt(manifest) = &entry.standing else {
                panic!("{entry:?}");
            };
            let verification = manifest.verification.as_ref().unwrap();
            assert_eq!(verification.findings, FINDINGS);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sick_member_costs_no_older_snapshot_and_no_more_room_than_a_few() {
    let mut world = World::new();
    world.retention = Retention::Count(2);
    world.run(HOUR + MINUTE).await;
    let kept = world.proved(&world.local).await;
    assert_eq!(kept.len(), 2);
    world.examiner.usually(Finds::Faults);
    world.diary.clear();
    world.run(5 * HOUR).await;
    let tries = world.diary.quarantined().len();
    assert!((200..300).contains(&tries), "{tries}");
    assert_eq!(world.diary.count(Told::is_failure), tries);
    for store in [&world.local, &world.remote] {
        assert_eq!(world.proved(store).await, kept);
        assert_eq!(store.list("").await.unwrap().len(), 4);
    }
    // What is kept of them is the newest.
    let aside = catalog(&world.aside).await;
    let names = aside.entries.iter().map(|entry| entry.name.to_string());
    let names: Vec<_> = names.collect();
    let last = world.diary.quarantined().split_off(tries - KEPT);
    assert_eq!(names, last);
    // The bucket was sent the first alone, and forgot it.
    assert_eq!(world.unfinished(), 0);

    world.examiner.usually(Finds::Nothing);
    world.run(2 * MINUTE).await;
    world.healed().await;
    assert_eq!(world.diary.verified().len(), 1);
    let words = words(&world);
    // Here it went last: at the start nobody knew yet what the bucket has.
    let last = ["uploaded", "deleted there", "deleted here"];
    assert!(words.ends_with(&last), "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_save_waits_for_the_last_ones_examination_and_the_phase_is_kept() {
    let world = World::new();
    world.examiner.then([
        Finds::NothingAfter(10 * MINUTE),
        Finds::NothingAfter(150 * MINUTE),
    ]);
    world.run(6 * HOUR + MINUTE).await;
    let minutes: Vec<_> = world
        .diary
        .gaps()
        .iter()
        .map(|gap| gap.as_secs() / 60)
        .collect();
    // At 0 and 60 minutes, at 210 when the long one is over, and then by the hour.
    assert_eq!(minutes, [60, 150, 60, 60]);
    let proved = words(&world);
    assert!(
        proved.windows(2).all(|pair| pair != ["saved", "saved"]),
        "{proved:?}"
    );
    world.healed().await;
}

/// Stops a daemon after `run` and returns how long it took.
async fn stopped_after(world: &World, run: Duration) -> Duration {
    let roller = world.roller(world.good_pipeline());
    let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
    let script = async {
        sleep(run).await;
        stop.cancel();
        Instant::now()
    };
    let daemon = async {
        roller.run(&stop, &abandon).await;
        Instant::now()
    };
    let (ended, told) = tokio::join!(daemon, script);
    quiet().await;
    ended - told
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_an_examination_at_once_and_the_next_start_begins_it_anew() {
    let world = World::new();
    world.examiner.then([Finds::NothingAfter(HOUR); 2]);
    assert_eq!(stopped_after(&world, MINUTE).await, Duration::ZERO);
    assert_eq!(words(&world), ["saved"]);
    // What was sent waits for the next run.
    assert_eq!(world.unfinished(), 1);
    assert_eq!(world.remote.list("").await.unwrap(), []);
    let manifest = manifests(&world.local).await.remove(0);
    assert_eq!(manifest.verification, None);
    // The same for one that is examined because an earlier run could not.
    assert_eq!(stopped_after(&world, MINUTE).await, Duration::ZERO);
    world.run(MINUTE).await;
    assert_eq!(words(&world), ["saved", "verified", "uploaded"]);
    assert_eq!(world.examiner.begun().len(), 3);
    world.healed().await;
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_examined_is_when_nothing_is_due_the_newest_first_one_at_a_time() {
    let world = by_digest(3).await;
    let mut newest_first = manifests(&world.local).await;
    newest_first.sort_by_key(|manifest| std::cmp::Reverse(manifest.order));
    world.examiner.usually(Finds::NothingAfter(MINUTE));
    world.run(2 * MINUTE + 30 * SECOND).await;
    let digests: Vec<_> = newest_first
        .iter()
        .map(|manifest| manifest.stored.content.digest.to_string())
        .collect();
    assert_eq!(world.examiner.begun(), digests);
    assert_eq!(world.diary.verified().len(), 2);

    // A save that comes due does not wait for the third, which has its turn again.
    let due = async {
        sleep(56 * MINUTE).await;
        assert_eq!(world.diary.saved().len(), 0);
        sleep(10 * MINUTE).await;
    };
    world.examiner.then([Finds::NothingAfter(57 * MINUTE)]);
    world.during(due).await;
    assert_eq!(world.diary.saved().len(), 1);
    assert_eq!(words(&world)[2..5], ["saved", "verified", "deleted here"]);
    world.healed().await;
    // The bucket's manifests say by now what was found here.
    for manifest in manifests(&world.remote).await {
        assert!(manifest.is_verified(Method::Deep), "{}", manifest.name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_examined_is_at_once_at_the_start_though_nothing_else_happens() {
    let world = by_digest(2).await;
    let mut pipeline = world.good_pipeline();
    pipeline.remote = None;
    let (roller, never) = (world.roller(pipeline), CancellationToken::new());
    let run = roller.run(&never, &never);
    assert!(tokio::time::timeout(SECOND, run).await.is_err());
    assert_eq!(words(&world), ["verified", "verified"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_one_found_broken_goes_aside_and_only_the_newest_is_saved_again() {
    // Newest first: the newest holds, the one before is broken.
    let world = by_digest(3).await;
    world.examiner.then([Finds::Nothing, Finds::Faults]);
    world.run(10 * MINUTE).await;
    assert_eq!(words(&world), ["verified", "quarantined", "verified"]);
    assert_eq!(world.proved(&world.local).await.len(), 2);
    // The bucket has its bytes, and was told what they are worth.
    let there = catalog(&world.remote).await;
    let broken = world.diary.quarantined().remove(0);
    let copy = there
        .entries
        .iter()
        .find(|entry| entry.name.as_str() == broken);
    let standing = &copy.unwrap().standing;
    assert!(matches!(standing, Standing::Corrupt(_)), "{standing:?}");

    let world = by_digest(2).await;
    world.examiner.then([Finds::Faults]);
    world.run(MINUTE).await;
    assert_eq!(words(&world)[..3], ["quarantined", "saved", "verified"]);
    assert_eq!(world.diary.count(Told::is_failure), 0);
    assert_eq!(world.proved(&world.local).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_examined_stays_is_told_once_and_goes_nowhere_until_it_can() {
    let world = World::new();
    world.examiner.usually(Finds::Unreadable);
    world.run(50 * MINUTE).await;
    assert_eq!(words(&world), ["saved", "unproved"]);
    let tries = world.examiner.begun().len();
    assert!((3..7).contains(&tries), "{tries}");
    assert_eq!(world.remote.list("").await.unwrap(), []);
    assert_eq!(world.aside.list("").await.unwrap(), []);
    // It counts for the schedule all the same: what etcd sent is here.
    world.examiner.usually(Finds::Nothing);
    world.run(5 * MINUTE).await;
    assert_eq!(words(&world), ["saved", "unproved", "verified", "uploaded"]);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_examined_makes_nothing_go_that_was_proved() {
    let mut world = World::new();
    world.retention = Retention::Count(2);
    world.run(HOUR + MINUTE).await;
    let kept = world.proved(&world.local).await;
    world.examiner.usually(Finds::Unreadable);
    world.run(8 * HOUR).await;
    let held = world.proved(&world.local).await;
    assert!(kept.iter().all(|name| held.contains(name)), "{held:?}");
    assert_eq!(held.len(), 4, "{held:?}");
    assert_eq!(world.proved(&world.remote).await, kept);
    world.examiner.usually(Finds::Nothing);
    world.run(2 * HOUR).await;
    world.healed().await;
    assert_eq!(world.proved(&world.local).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_deleted_while_it_is_examined_comes_back_nowhere() {
    let world = World::new();
    world.examiner.then([Finds::NothingAfter(MINUTE)]);
    let script = async {
        sleep(MINUTE / 2).await;
        let manifest = manifests(&world.local).await.remove(0);
        for object in [manifest.name.stored(Codec::None), manifest.name.manifest()] {
            world.local.delete(&object).await.unwrap();
        }
        sleep(3 * MINUTE).await;
    };
    world.during(script).await;
    // The manifest that came too late is swept with the next rotation.
    world.run(HOUR).await;
    assert_eq!(world.proved(&world.local).await.len(), 1);
    assert!(catalog(&world.local).await.orphans.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_move_that_a_crash_cut_is_finished_by_the_next_start() {
    let mut world = World::new();
    world.run(HOUR + MINUTE).await;
    let manifest = manifests(&world.local).await.remove(0);
    let name = &manifest.name;
    let mut broken = manifest.clone();
    if let Some(verification) = &mut broken.verification {
        verification.result = Verdict::Corrupt;
    }
    // As it is found between any two steps.
    crate::bench::write(&world.local, &name.manifest(), &broken.to_bytes()).await;
    for verify in [Method::Deep, Method::Digest] {
        world.verify = verify;
        world.diary.clear();
        world.run(MINUTE).await;
        assert_eq!(catalog(&world.aside).await.entries.len(), 1);
        assert_eq!(world.proved(&world.local).await.len(), 1);
    }
    let pipeline = world.good_pipeline();
    for _ in 0..2 {
        let moved = move_aside(&*pipeline.local, &*pipeline.quarantine, &broken);
        let moved = moved.await.unwrap().unwrap();
        assert_eq!(moved.path, format!("aside/{name}"));
    }
    quiet().await;
    world.promises().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_etcd_between_examinations_is_told_as_ever() {
    let world = World::new();
    world.examiner.then([Finds::Faults]);
    world.member.then([Answer::Whole, Answer::Down]);
    world.run(MINUTE).await;
    assert_eq!(
        words(&world),
        [
            "saved",
            "quarantined",
            "failed",
            "failed",
            "saved",
            "verified",
            "uploaded"
        ]
    );
    world.healed().await;
}
