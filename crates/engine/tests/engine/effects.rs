//! Each effect of a round fails once, in each way; the promises hold, and the next round heals.
//!
//! The round is a whole one: it recovers, saves, examines, deletes the oldest here, uploads, and
//! deletes the oldest there; and one in which the first snapshot is broken. Its effects are
//! numbered over the directory, the drafts, the quarantine and the bucket.

use std::time::Duration;

use rollsnap_engine::Codec;
use rollsnap_engine::catalog::Standing;
use rollsnap_engine::retention::Retention;
use rollsnap_store::ErrorKind;
use rollsnap_store::wrap::{Effect, Fault, Faults};

use crate::bench::{Finds, Told, World, catalog};

const MINUTE: Duration = Duration::from_secs(60);

/// Two snapshots on both sides, two kept, and the next due in half an hour.
async fn before(codec: Codec) -> World {
    let mut world = World::new();
    world.codec = codec;
    world.retention = Retention::Count(2);
    world.examiner.indexes();
    world.run(90 * MINUTE).await;
    world.healed().await;
    assert_eq!(world.diary.saved().len(), 2);
    world
}

#[tokio::test(start_paused = true)]
async fn a_good_round_has_all_kinds_of_effects() {
    let world = before(Codec::None).await;
    let faults = Faults::none();
    world.run_with(&faults, &faults, 40 * MINUTE).await;
    world.healed().await;
    assert_eq!(world.diary.deleted("here").len(), 1);
    assert_eq!(world.diary.deleted("there").len(), 1);
    let effects = faults.effects();
    assert!(effects.len() > 40, "{effects:?}");
    for kind in [
        Effect::Begin,
        Effect::Write,
        Effect::Seal,
        Effect::Commit,
        Effect::Read,
        Effect::List,
        Effect::Delete,
    ] {
        assert!(effects.contains(&kind), "{kind:?} in {effects:?}");
    }
}

/// Runs the round with each of its effects failing in turn.
async fn each_effect(codec: Codec, fault: Fault, kind: ErrorKind) {
    let good = Faults::none();
    let world = before(codec).await;
    world.run_with(&good, &good, 40 * MINUTE).await;
    for number in 1..=good.count() {
        let world = before(codec).await;
        let faults = Faults::at(number, fault, kind);
        let time = match fault {
            Fault::Crash => 40 * MINUTE,
            // The same process goes on and saves once more.
            Fault::Fail | Fault::Lost => 100 * MINUTE,
        };
        world.run_with(&faults, &faults, time).await;
        assert!(faults.count() >= number, "effect {number} was reached");
        let effect = faults.effects()[number - 1];
        let _context = world
            .diary
            .on_panic(format!("{fault:?} of effect {number}, {effect:?}"));
        world.promises().await;
        if fault == Fault::Crash {
            world.run(70 * MINUTE).await;
        }
        world.healed().await;
        assert_eq!(world.proved(&world.local).await.len(), 2);
        // What was sent when its ticket could not be written down is freed in the end.
        if world.unfinished() > 0 {
            world.run(9 * 24 * 60 * MINUTE).await;
            world.healed().await;
            assert_eq!(world.unfinished(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_fails_is_healed_by_the_next_round_of_the_same_process() {
    for codec in Codec::ALL {
        each_effect(codec, Fault::Fail, ErrorKind::Unavailable).await;
    }
    each_effect(Codec::None, Fault::Fail, ErrorKind::Full).await;
    each_effect(Codec::None, Fault::Fail, ErrorKind::NotFound).await;
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_answer_is_lost_is_healed_by_the_next_round_of_the_same_process() {
    for codec in Codec::ALL {
        each_effect(codec, Fault::Lost, ErrorKind::Unavailable).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_effect_is_healed_by_the_next() {
    for codec in Codec::ALL {
        each_effect(codec, Fault::Crash, ErrorKind::Unavailable).await;
    }
}

/// Runs a round whose first snapshot is broken with each of its effects failing in turn.
async fn each_effect_of_a_broken_one(fault: Fault) {
    let broken = || async {
        let world = before(Codec::None).await;
        world.examiner.then([Finds::Faults]);
        world
    };
    let good = Faults::none();
    let world = broken().await;
    world.run_with(&good, &good, 40 * MINUTE).await;
    assert_eq!(world.diary.quarantined().len(), 1);
    for number in 1..=good.count() {
        let world = broken().await;
        let faults = Faults::at(number, fault, ErrorKind::Unavailable);
        let _context = world
            .diary
            .on_panic(format!("{fault:?} of effect {number} of a broken one"));
        let time = match fault {
            Fault::Crash => 40 * MINUTE,
            Fault::Fail | Fault::Lost => 110 * MINUTE,
        };
        world.run_with(&faults, &faults, time).await;
        world.promises().await;
        if fault == Fault::Crash {
            world.run(80 * MINUTE).await;
        }
        world.healed().await;
        assert_eq!(world.proved(&world.local).await.len(), 2);
        let aside = catalog(&world.aside).await;
        let standings: Vec<_> = aside.entries.iter().map(|entry| &entry.standing).collect();
        assert!(
            matches!(standings[..], [Standing::Corrupt(_)]),
            "{standings:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_snapshot_goes_aside_though_any_effect_fails_or_its_answer_is_lost() {
    each_effect_of_a_broken_one(Fault::Fail).await;
    each_effect_of_a_broken_one(Fault::Lost).await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_snapshot_goes_aside_though_the_process_dies_at_any_effect() {
    each_effect_of_a_broken_one(Fault::Crash).await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_fails_for_an_hour_costs_an_hour_and_nothing_else() {
    for kind in [ErrorKind::Full, ErrorKind::Denied, ErrorKind::Unavailable] {
        let world = before(Codec::None).await;
        let kept = world.proved(&world.local).await;
        // Two listings and their four manifests, by the start and by the mirror, and the drafts:
        // from the save on, everything here fails.
        world
            .run_with(
                &Faults::at(8, Fault::Crash, kind),
                &Faults::none(),
                120 * MINUTE,
            )
            .await;
        world.promises().await;
        assert_eq!(world.proved(&world.local).await, kept);
        let tries = world.diary.count(Told::is_failure);
        // At most one a minute, or one in five where a hand is needed; and no storm.
        assert!((15..110).contains(&tries), "{kind:?}: {tries}");
        world.run(10 * MINUTE).await;
        world.healed().await;
        assert_eq!(world.diary.saved().len(), 3);
    }
}
