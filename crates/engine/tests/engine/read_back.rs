//! Copies in the bucket are read back: each in its turn, beside nothing more urgent, and what is
//! broken there is told and replaced.

use std::time::Duration;

use rollsnap_engine::catalog::Standing;
use rollsnap_engine::manifest::Verdict;
use rollsnap_engine::retention::Retention;
use rollsnap_engine::{Codec, Manifest};
use rollsnap_store::Store;
use rollsnap_store::wrap::{Effect, Fault, Faults};
use rollsnap_store::{ErrorKind, ObjectName};
use tokio::time::Instant;

use crate::bench::{Answer, Told, World, catalog, name_of, write};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The first of all that are saved.
const FIRST: &str = "2026-05-01T12:00:00Z_etcd";

/// So many snapshots on both sides, an hour apart; from now on none is saved, and all copies are
/// read back once a day.
async fn with(saves: u32) -> World {
    let mut world = World::new();
    world.retention = Retention::Count(saves as usize);
    world.run(HOUR * (saves - 1) + MINUTE).await;
    world.healed().await;
    world.diary.clear();
    world.interval = HOUR * 100_000;
    world.verify_remote = Some(24 * HOUR);
    world
}

/// What was read back, in order.
fn read(world: &World) -> Vec<Manifest> {
    let read = |(_, told)| match told {
        Told::ReadBack(manifest) => Some(*manifest),
        _ => None,
    };
    world.diary.pages().into_iter().filter_map(read).collect()
}

fn names(read: &[Manifest]) -> Vec<String> {
    read.iter()
        .map(|manifest| manifest.name.to_string())
        .collect()
}

fn at(world: &World, want: impl Fn(&Told) -> bool) -> Vec<Instant> {
    let pages = world.diary.pages().into_iter();
    pages
        .filter(|(_, told)| want(told))
        .map(|(at, _)| at)
        .collect()
}

fn is_reading(told: &Told) -> bool {
    matches!(told, Told::ReadBack(_))
}

/// The bytes of the first snapshot's copy, one of them changed.
async fn break_first(world: &World) -> Vec<u8> {
    let object = name_of(FIRST).stored(Codec::None);
    let mut bytes = world.remote.get(&object).expect("its copy").to_vec();
    bytes[100] ^= 1;
    write(&world.remote, &object, &bytes).await;
    bytes
}

async fn standing(world: &World, name: &str) -> Standing {
    let there = catalog(&world.remote).await;
    let entry = there.find(&name_of(name)).expect("it is listed");
    entry.standing.clone()
}

#[tokio::test(start_paused = true)]
async fn copies_are_read_back_once_in_the_time_evenly_spread_and_the_oldest_proof_first() {
    let world = with(4).await;
    // A restart in the middle begins nothing anew.
    for _ in 0..2 {
        world.run(20 * HOUR).await;
    }
    world.healed().await;
    let all = world.proved(&world.remote).await;
    let read = read(&world);
    assert_eq!(names(&read), [&all[..], &all[..3]].concat());
    let at = at(&world, is_reading);
    for gap in at.windows(2).map(|pair| pair[1] - pair[0]) {
        assert!(gap.abs_diff(6 * HOUR) < MINUTE, "{gap:?}");
    }
    for manifest in &read {
        let reading = manifest.read_back.as_ref().unwrap();
        assert_eq!((reading.result, &reading.finding), (Verdict::Held, &None));
    }
    // What was told is what is written there, and nothing of it here.
    let last = read.last().unwrap();
    assert_eq!(
        catalog(&world.remote)
            .await
            .find(&last.name)
            .unwrap()
            .manifest(),
        Some(last)
    );
    assert!(
        catalog(&world.local)
            .await
            .manifests()
            .all(|it| it.read_back.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn where_nobody_asked_for_it_nothing_is_read_back() {
    let mut world = with(2).await;
    world.verify_remote = None;
    let faults = Faults::none();
    world.run_with(&Faults::none(), &faults, 100 * HOUR).await;
    assert_eq!(at(&world, is_reading), []);
}

#[tokio::test(start_paused = true)]
async fn a_broken_copy_is_told_and_replaced_by_what_is_here() {
    let world = with(3).await;
    break_first(&world).await;
    world.run(HOUR).await;
    let read = read(&world);
    let reading = read[0].read_back.as_ref().unwrap();
    assert_eq!(
        (names(&read), reading.result),
        (vec![FIRST.to_owned()], Verdict::Corrupt)
    );
    let finding = reading.finding.as_deref().unwrap();
    assert!(finding.starts_with("its digest is "), "{finding}");
    let told = world.diary.told();
    let end = [
        Told::Replaced(FIRST.to_owned()),
        Told::Uploaded(FIRST.to_owned()),
    ];
    assert!(told.ends_with(&end), "{told:?}");
    world.healed().await;
    // Its new copy has not been read yet.
    let there = catalog(&world.remote).await;
    let manifest = there.find(&name_of(FIRST)).unwrap().manifest().unwrap();
    assert_eq!(manifest.read_back, None);
}

#[tokio::test(start_paused = true)]
async fn a_broken_copy_that_nothing_here_replaces_stays_and_counts_for_nothing() {
    let mut world = with(2).await;
    let broken = break_first(&world).await;
    for part in [
        name_of(FIRST).stored(Codec::None),
        name_of(FIRST).manifest(),
    ] {
        world.local.delete(&part).await.unwrap();
    }
    world.run(48 * HOUR).await;
    // Once: it has no turn any more.
    let first = read(&world)
        .into_iter()
        .filter(|it| it.name.as_str() == FIRST);
    assert_eq!(first.count(), 1);
    assert!(matches!(
        standing(&world, FIRST).await,
        Standing::Corrupt(_)
    ));

    // Two that hold are kept beside it.
    world.verify_remote = None;
    world.interval = HOUR;
    world.run(4 * HOUR).await;
    assert_eq!(world.proved(&world.remote).await.len(), 2);
    let object = name_of(FIRST).stored(Codec::None);
    assert_eq!(world.remote.get(&object).unwrap(), broken);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_was_cut_is_replaced_without_being_read() {
    let world = with(2).await;
    let object = name_of(FIRST).stored(Codec::None);
    let bytes = world.remote.get(&object).unwrap();
    write(&world.remote, &object, &bytes[..300]).await;
    world.run(MINUTE).await;
    let replaced = Told::Replaced(FIRST.to_owned());
    assert_eq!(world.diary.count(|told| *told == replaced), 1);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_whole_after_all_is_not_sent_again() {
    let world = with(2).await;
    let object = name_of(FIRST).stored(Codec::None);
    let whole = world.remote.get(&object).unwrap();
    break_first(&world).await;
    // Somebody repairs it when it was read and before it is replaced.
    let script = async {
        world.remote_ways.read_pace(10 * MINUTE);
        tokio::time::sleep(15 * MINUTE).await;
        write(&world.remote, &object, &whole).await;
        tokio::time::sleep(HOUR).await;
    };
    world.during(script).await;
    assert_eq!(
        read(&world)[0].read_back.as_ref().unwrap().result,
        Verdict::Corrupt
    );
    assert_eq!(
        world.diary.count(|told| matches!(told, Told::Replaced(_))),
        0
    );
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_reading_waits_for_saves_and_uploads_and_delays_none() {
    let mut world = with(3).await;
    world.interval = HOUR;
    world.retention = Retention::Count(10);
    // A reading begins at once and takes 90 minutes by itself.
    world.remote_ways.read_pace(90 * MINUTE);
    // The save in its middle takes as long as it likes.
    world.member.then([Answer::Paced(10 * MINUTE)]);
    world.run(4 * HOUR).await;
    let in_a_word = |(_, told)| match told {
        Told::Saved(_) => Some("saved"),
        Told::Uploaded(_) => Some("uploaded"),
        Told::ReadBack(_) => Some("read back"),
        _ => None,
    };
    let told: Vec<_> = world
        .diary
        .pages()
        .into_iter()
        .filter_map(in_a_word)
        .collect();
    assert_eq!(told[..4], ["saved", "uploaded", "read back", "saved"]);
    // The save began before the reading's 90 minutes were over and ended after them.
    let (began, saves) = (world.diary.pages()[0].0, world.diary.saved_at());
    let ended = at(&world, is_reading)[0];
    assert!(saves[0] - began > 90 * MINUTE && ended == saves[0]);
    assert!(saves[1] - began < 2 * HOUR, "it delayed a save");
    world.promises().await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_cannot_be_read_is_told_once_for_each_change() {
    let world = with(2).await;
    let failed = |told: &Told| matches!(told, Told::ReadBackFailed(_));
    let dead = Faults::at(1, Fault::Crash, ErrorKind::Unavailable);
    world.run_with(&Faults::none(), &dead, 12 * HOUR).await;
    assert_eq!(world.diary.count(failed), 1);
    world.diary.clear();
    world.remote_gate.shut();
    world.run(HOUR).await;
    world.remote_gate.reopen();
    assert_eq!(world.diary.count(failed), 0);
    world.run(MINUTE).await;
    assert_eq!((read(&world).len(), world.diary.count(failed)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn another_members_copies_and_what_nothing_proves_are_not_read() {
    let mut world = with(1).await;
    let mut other = World::new();
    other.remote = world.remote.clone();
    other.member.becomes(0xc1, 0x77);
    other.clock.jump(chrono::TimeDelta::seconds(7));
    other.run(MINUTE).await;
    let remote = world.remote.clone();
    world
        .plant(&remote, "2018-05-04T18:40:16Z_etcd", b"of the old program")
        .await;
    world.run(48 * HOUR).await;
    assert_eq!(names(&read(&world)), [FIRST, FIRST]);
}

#[tokio::test(start_paused = true)]
async fn a_reading_whose_effects_fail_one_by_one_leaves_what_was_there_and_comes_again() {
    let before = || async {
        let world = with(2).await;
        break_first(&world).await;
        world
    };
    let good = Faults::none();
    before().await.run_with(&Faults::none(), &good, HOUR).await;
    assert!(good.effects().contains(&Effect::Read));
    for fault in [Fault::Fail, Fault::Lost, Fault::Crash] {
        for number in 1..=good.count() {
            let world = before().await;
            let faults = Faults::at(number, fault, ErrorKind::Unavailable);
            world.run_with(&Faults::none(), &faults, 2 * HOUR).await;
            let _context = world
                .diary
                .on_panic(format!("{fault:?} of effect {number}"));
            let object: ObjectName = name_of(FIRST).stored(Codec::None);
            assert!(world.remote.get(&object).is_some());
            if fault == Fault::Crash {
                world.run(48 * HOUR).await;
            }
            world.healed().await;
        }
    }
}
