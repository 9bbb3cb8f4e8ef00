//! Retention carried out: what goes, what never goes, and what a cut in between leaves.

use std::time::Duration;

use rollsnap_engine::manifest::Class;
use rollsnap_engine::retention::{Grade, Reason, Retention};
use rollsnap_engine::{Codec, Manifest};
use rollsnap_store::wrap::{Effect, Fault, Faults};
use rollsnap_store::{ErrorKind, Store};

use crate::bench::{Told, World, copied, name_of, order, quiet};

const HOUR: Duration = Duration::from_secs(3600);

/// Lets the daemon save so many snapshots, and stops it half-way to the next.
async fn saves(world: &World, count: u32) {
    // The first comes at once.
    let halves = match world.diary.saved().len() {
        0 => 2 * count - 1,
        _ => 2 * count,
    };
    world.run(HOUR / 2 * halves).await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_so_many_stay_on_both_sides_and_every_deletion_is_told_with_its_reason() {
    let world = World::new();
    saves(&world, 7).await;
    world.healed().await;
    let kept = ["16:00", "17:00", "18:00"].map(|at| format!("2026-05-01T{at}:00Z_etcd"));
    assert_eq!(world.proved(&world.local).await, kept);
    let gone = ["12", "13", "14", "15"].map(|at| format!("2026-05-01T{at}:00:00Z_etcd"));
    for place in ["here", "there"] {
        assert_eq!(world.diary.deleted(place), gone, "{place}");
    }
    let reason = |told: &Told| {
        matches!(
            told,
            Told::Deleted {
                reason: Reason::BeyondCount {
                    rank: 4,
                    count: 3,
                    grade: Grade::Held,
                },
                ..
            }
        )
    };
    assert_eq!(world.diary.count(reason), 8);
}

#[tokio::test(start_paused = true)]
async fn what_the_daemon_did_not_make_stays_as_it_is() {
    let mut world = World::new();
    world.retention = Retention::Count(1);
    let (local, remote) = (world.local.clone(), world.remote.clone());
    for store in [&local, &remote] {
        for name in [
            "2018-05-04T18:40:16Z_etcd",
            "2018-05-04T18:40:16Z_etcd.zip",
            "notes.txt",
            "other.manifest.json",
            // As somebody leaves it who looks into a snapshot by hand.
            "2026-05-01T12:00:00Z_etcd.zst",
        ] {
            world.plant(store, name, b"not ours").await;
        }
    }
    // A one-off of our own, and the snapshots of another member in the same folder.
    let pipeline = world.good_pipeline();
    let mut one_off = order("before-upgrade");
    one_off.class = Class::OneOff;
    let saved = pipeline.save(&one_off, &|_, _| {}).await.unwrap();
    copied(&pipeline, saved).await;
    world.member.becomes(0xc1, 0x77);
    let saved = pipeline
        .save(&order("of-another"), &|_, _| {})
        .await
        .unwrap();
    copied(&pipeline, saved).await;
    world.member.becomes(0xc1, 0x31);

    world.clock.jump(chrono::TimeDelta::seconds(3));
    saves(&world, 5).await;
    world.healed().await;
    let kept = ["2026-05-01T16:00:03Z_etcd", "before-upgrade", "of-another"];
    assert_eq!(world.proved(&world.remote).await, kept);
}

/// Beside a snapshot lies a copy of it that somebody unpacked, or packed.
#[tokio::test(start_paused = true)]
async fn a_copy_in_another_encoding_beside_a_snapshot_is_not_taken_for_it() {
    for (codec, beside) in [
        (Codec::None, ".zst"),
        (Codec::None, ".zip"),
        (Codec::Zstd, ""),
        (Codec::Zip, ""),
    ] {
        let mut world = World::new();
        world.codec = codec;
        world.retention = Retention::Count(1);
        saves(&world, 1).await;
        let first = "2026-05-01T12:00:00Z_etcd";
        let (local, remote) = (world.local.clone(), world.remote.clone());
        for store in [&local, &remote] {
            world
                .plant(store, &format!("{first}{beside}"), b"a copy")
                .await;
        }
        saves(&world, 3).await;
        world.promises().await;
        for store in [&local, &remote] {
            let gone = store.get(&name_of(first).stored(codec));
            assert_eq!(gone, None, "{codec:?} {store:?}");
            assert_eq!(store.get(&name_of(first).manifest()), None, "{codec:?}");
        }
        // Each was uploaded once: the copy did not hide that the bucket has it.
        let mut uploaded = world.diary.told();
        uploaded.retain(|told| matches!(told, Told::Uploaded(_)));
        assert_eq!(uploaded.len(), world.diary.saved().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_cut_in_the_middle_is_finished_by_the_next_round() {
    for place in ["here", "there"] {
        let mut world = World::new();
        world.retention = Retention::Count(2);
        saves(&world, 2).await;
        // As a crash between the two deletions leaves it.
        let name = name_of("2026-05-01T12:00:00Z_etcd");
        let store = match place {
            "here" => &world.local,
            _ => &world.remote,
        };
        store.delete(&name.stored(Codec::None)).await.unwrap();
        saves(&world, 3).await;
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_deletes_nothing() {
    for place in ["here", "there"] {
        let sides = |faults: Faults| match place {
            "here" => (faults, Faults::none()),
            _ => (Faults::none(), faults),
        };
        let good = Faults::none();
        let mut failed = 0;
        for number in 1.. {
            let mut world = World::new();
            world.retention = Retention::Count(1);
            saves(&world, 1).await;
            let faults = match number {
                1 => good.clone(),
                _ if number - 1 > good.count() => break,
                _ if good.effects()[number - 2] != Effect::List => continue,
                _ => Faults::at(number - 1, Fault::Fail, ErrorKind::Unavailable),
            };
            // Until the next save is over, and before anything is tried again.
            let (here, there) = sides(faults);
            let time = HOUR / 2 + Duration::from_millis(900);
            world.run_with(&here, &there, time).await;
            let failures = world.diary.pages().into_iter().filter(|(at, told)| {
                // The mirror pays what is owed at the start too, and fails then for itself.
                let late = at.elapsed() < Duration::from_secs(1);
                match place {
                    "here" => matches!(told, Told::PruneFailed(_)),
                    _ => late && matches!(told, Told::RemoteDown { .. }),
                }
            });
            if failures.count() > 0 {
                failed += 1;
                assert_eq!(world.diary.deleted(place), [""; 0], "effect {number}");
            } else if number == 1 {
                assert_eq!(world.diary.deleted(place).len(), 1);
            }
            world.promises().await;
        }
        assert!(failed > 0, "{place}: no listing for retention failed");
    }
}

#[tokio::test(start_paused = true)]
async fn local_and_remote_are_planned_separately() {
    let mut world = World::new();
    world.retention = Retention::Count(2);
    saves(&world, 2).await;
    // The bucket loses one by somebody's hand; it is copied again, and nothing here goes for it.
    let name = name_of("2026-05-01T13:00:00Z_etcd");
    world
        .remote
        .delete(&name.stored(Codec::None))
        .await
        .unwrap();
    world.remote.delete(&name.manifest()).await.unwrap();
    saves(&world, 1).await;
    world.healed().await;
    assert_eq!(world.proved(&world.local).await.len(), 2);

    // What is only in the bucket is rotated by the bucket's own count.
    for manifest in world.local.list("").await.unwrap() {
        world.local.delete(&manifest.name).await.unwrap();
    }
    world.diary.clear();
    world.run(HOUR / 2).await;
    assert_eq!(world.proved(&world.local).await.len(), 1);
    assert_eq!(world.proved(&world.remote).await.len(), 2);
    assert_eq!(world.diary.deleted("here").len(), 0);
    assert_eq!(world.diary.deleted("there").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_clusters_snapshots_in_the_directory_are_left_when_the_member_is_rebuilt() {
    let mut world = World::new();
    world.retention = Retention::Count(2);
    saves(&world, 2).await;
    let old = world.proved(&world.local).await;
    world.member.becomes(0xc2, 0x99);
    saves(&world, 4).await;
    world.promises().await;
    for store in [&world.local, &world.remote] {
        let held = world.proved(store).await;
        assert!(old.iter().all(|name| held.contains(name)), "{held:?}");
        assert_eq!(held.len(), 4, "{held:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_of_a_newer_program_is_never_touched() {
    let mut world = World::new();
    world.retention = Retention::Count(1);
    saves(&world, 1).await;
    let name = name_of("2026-05-01T12:00:00Z_etcd");
    let bytes = world.local.get(&name.manifest()).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    manifest["format"] = 2.into();
    let newer = serde_json::to_vec(&manifest).unwrap();
    assert!(Manifest::read(&name, &newer).is_err());
    let (local, remote) = (world.local.clone(), world.remote.clone());
    for store in [&local, &remote] {
        let stored = store.get(&name.stored(Codec::None)).unwrap();
        world.plant(store, name.as_str(), &stored).await;
        world.plant(store, name.manifest().as_str(), &newer).await;
    }
    world.diary.clear();
    world.run(HOUR * 4).await;
    quiet().await;
    world.promises().await;
}
