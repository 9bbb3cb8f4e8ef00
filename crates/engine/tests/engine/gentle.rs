//! What a save does not to hurt etcd: its pace, when that is let go, and what waits for whom.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::Kind;
use rollsnap_engine::gentle::{Haste, Hearer};
use rollsnap_engine::pipeline::{Pipeline, Saved};
use rollsnap_engine::retention::Retention;
use rollsnap_engine::save_error::SaveError;

use tokio_util::sync::CancellationToken;

use crate::bench::database::golden;
use crate::bench::{Answer, Told, World, copied, order};

const NAME: &str = "2026-05-01T12:00:00Z_etcd";
const MIB: u64 = 1 << 20;
const HOUR: Duration = Duration::from_secs(3600);

/// A pipeline that reads the golden snapshot in about so many seconds.
fn paced(world: &World, seconds: u64) -> Pipeline {
    let rate = golden().len() as u64 / seconds;
    world.member.holds(golden());
    Pipeline {
        max_rate: NonZeroU64::new(rate),
        hearer: Hearer::new(Arc::clone(&world.diary) as _),
        ..world.good_pipeline()
    }
}

async fn save(pipeline: &Pipeline) -> Result<Saved, SaveError> {
    pipeline.save(&order(NAME), &|_, _| {}).await
}

#[tokio::test(start_paused = true)]
async fn a_paced_save_takes_its_time_and_looks_at_etcd_each_second() {
    let world = World::new();
    let pipeline = paced(&world, 20);
    let saved = save(&pipeline).await.unwrap();
    assert!(saved.took >= Duration::from_secs(14), "{:?}", saved.took);
    assert!(saved.took <= Duration::from_secs(21), "{:?}", saved.took);
    assert!((13..=21).contains(&world.member.looked()));
    assert_eq!(world.diary.told(), []);
    copied(&pipeline, saved).await;
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_rate_nothing_is_slow_and_nobody_looks() {
    let world = World::new();
    let mut pipeline = paced(&world, 20);
    pipeline.max_rate = None;
    let saved = save(&pipeline).await.unwrap();
    assert_eq!((saved.took, world.member.looked()), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_grows_ends_the_pace() {
    let world = World::new();
    let pipeline = paced(&world, 20);
    world.member.grows([Some(10 * MIB), Some(70 * MIB)]);
    let saved = save(&pipeline).await.unwrap();
    assert!(saved.took <= Duration::from_secs(3), "{:?}", saved.took);
    let by = 70 * MIB - 3072;
    assert_eq!(world.diary.told(), [Told::PaceLetGo(Haste::Grown(by))]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_does_not_answer_ends_the_pace() {
    let world = World::new();
    let pipeline = paced(&world, 20);
    world.member.grows([Some(3072), None]);
    let saved = save(&pipeline).await.unwrap();
    assert!(saved.took <= Duration::from_secs(5), "{:?}", saved.took);
    assert_eq!(world.diary.told(), [Told::PaceLetGo(Haste::Silent)]);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_grows_on_ends_the_save_and_the_next_has_no_pace() {
    let world = World::new();
    let mut pipeline = paced(&world, 20);
    world.member.then([Answer::Paced(Duration::from_secs(2))]);
    world
        .member
        .grows([70, 100, 135].map(|size| Some(size * MIB)));
    let (roller, never) = (world.roller(pipeline.clone()), CancellationToken::new());
    tokio::select! {
        () = roller.run(&never, &never) => unreachable!("it ends only when told to"),
        () = tokio::time::sleep(HOUR / 2) => {}
    }
    let told = world.diary.told();
    let failures: Vec<_> = told.iter().filter(|told| told.is_failure()).collect();
    let [Told::SaveFailed { error, kind, .. }] = failures[..] else {
        panic!("{told:?}");
    };
    assert_eq!(*kind, Kind::Source);
    assert!(error.contains("grew by"), "{error}");
    assert_eq!(world.diary.saved().len(), 1, "{told:?}");
    assert_eq!(world.member.looked(), 3);
    let pauses = |told: &Told| matches!(told, Told::PaceLetGo(_));
    assert_eq!(world.diary.count(pauses), 1);

    // By itself it is an error like any other, with a cure.
    world.member.then([Answer::Paced(Duration::from_secs(2))]);
    world.member.grows([500, 1000].map(|size| Some(size * MIB)));
    pipeline.remote = None;
    let error = pipeline.save(&order("by-hand"), &|_, _| {}).await;
    let error = error.unwrap_err();
    assert!(error.is_for_its_pace() && error.hint().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_defragmentation_is_waited_for_and_told_as_what_it_is() {
    let world = World::new();
    let pipeline = paced(&world, 1);
    world.member.then([Answer::Busy; 60]);
    let saved = save(&pipeline).await.unwrap();
    assert!(saved.took >= Duration::from_secs(60), "{:?}", saved.took);
    let [Told::Defragmenting(words)] = &world.diary.told()[..] else {
        panic!("{:?}", world.diary.told());
    };
    assert!(words.contains("being defragmented"), "{words}");

    // Not for ever, and not beyond what an attempt may take.
    world.member.usually(Answer::Busy);
    let began = tokio::time::Instant::now();
    let error = pipeline
        .save(&order("later"), &|_, _| {})
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Source);
    assert!(error.is_unwell());
    assert_eq!(began.elapsed().as_secs(), 600);
    let limited = Pipeline {
        limit: Some(Duration::from_secs(30)),
        ..pipeline
    };
    let began = tokio::time::Instant::now();
    let error = limited.save(&order("limited"), &|_, _| {}).await;
    assert_eq!(error.unwrap_err().kind(), Kind::Source);
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn without_space_left_a_save_is_not_paced_and_nothing_is_deleted_until_there_is() {
    let mut world = World::new();
    world.retention = Retention::Count(2);
    world.member.complains(&["memberID:1 alarm:NOSPACE "]);
    let pipeline = paced(&world, 600);
    let saved = save(&pipeline).await.unwrap();
    assert!(saved.has_no_space);
    assert_eq!(saved.took, Duration::ZERO);
    copied(&pipeline, saved).await;

    let halves = |n: u32| HOUR / 2 * n;
    world.run(halves(11)).await;
    let saved = world.diary.saved().len();
    assert!(saved >= 5, "{saved}");
    for place in ["here", "there"] {
        assert_eq!(world.diary.deleted(place), Vec::<String>::new(), "{place}");
    }
    let held = |told: &Told| matches!(told, Told::RetentionHeld(_));
    assert_eq!(world.diary.count(held), 1);

    world.member.complains(&[]);
    world.run(halves(2)).await;
    assert_eq!(world.proved(&world.local).await.len(), 2);
    assert_eq!(world.proved(&world.remote).await.len(), 2);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn rotation_holds_its_count_over_all_members_that_it_may_ask() {
    let mut world = World::new();
    world.retention = Retention::Count(3);
    world.member.has_fellows(&[0x31, 0x32, 0x33]);
    // A leader that moves: another follower is asked each time.
    for id in [0x31, 0x32, 0x33, 0x31, 0x33, 0x32, 0x32, 0x31] {
        world.member.becomes(0xc1, id);
        world.run(HOUR).await;
    }
    assert_eq!(world.proved(&world.local).await.len(), 3);
    assert_eq!(world.proved(&world.remote).await.len(), 3);

    // Somebody else's stay.
    world.member.has_fellows(&[]);
    world.member.becomes(0xc1, 0x77);
    world.run(5 * HOUR).await;
    assert_eq!(world.proved(&world.local).await.len(), 6);
}
