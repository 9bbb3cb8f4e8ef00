//! The bucket in step with the directory: debts, hanging and failing buckets, taken names.

use std::time::Duration;

use rollsnap_engine::Codec;
use rollsnap_store::wrap::{Effect, Fault, Faults};
use rollsnap_store::{ErrorKind, Store};
use tokio::time::sleep;

use chrono::TimeDelta;

use crate::bench::database::small;
use crate::bench::{Deletes, Told, World, name_of, quiet, write};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn down(told: &Told) -> bool {
    matches!(told, Told::RemoteDown { .. })
}

fn back(told: &Told) -> bool {
    matches!(told, Told::RemoteBack)
}

fn uploaded(world: &World) -> Vec<String> {
    let name = |told| match told {
        Told::Uploaded(name) => Some(name),
        _ => None,
    };
    world.diary.told().into_iter().filter_map(name).collect()
}

/// A bucket that refuses everything from now on.
fn dead() -> Faults {
    Faults::at(1, Fault::Crash, ErrorKind::Unavailable)
}

#[tokio::test(start_paused = true)]
async fn what_is_found_out_about_a_bucket_while_it_is_used_is_told_once() {
    let world = World::new();
    world.remote_ways.remark("this clock is 1200s behind");
    world.run(3 * HOUR).await;
    let remarks = world
        .diary
        .told()
        .into_iter()
        .filter_map(|told| match told {
            Told::Remarked(what) => Some(what),
            _ => None,
        });
    assert_eq!(remarks.collect::<Vec<_>>(), ["this clock is 1200s behind"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_fails_is_told_once_and_costs_no_snapshot() {
    let world = World::new();
    world
        .run_with(&Faults::none(), &dead(), 6 * HOUR + MINUTE)
        .await;
    world.promises().await;
    assert_eq!(world.diary.saved().len(), 7);
    // What the bucket lacks is kept for it, as many again.
    assert_eq!(world.proved(&world.local).await.len(), 6);
    assert_eq!(world.diary.count(down), 1);
    assert_eq!(world.diary.count(back), 0);
    let owed = |told: &Told| matches!(told, Told::RemoteDown { owed: 1, .. });
    assert_eq!(world.diary.count(owed), 1);

    // The next process pays at its start, newest first, long before its first save, and not what
    // the bucket would not keep. With that save it goes here too.
    world.diary.clear();
    world.run(MINUTE).await;
    world.promises().await;
    assert_eq!(world.diary.saved().len(), 0);
    let mut names = world.proved(&world.local).await;
    names.reverse();
    names.truncate(3);
    assert_eq!(uploaded(&world), names);
    world.run(HOUR).await;
    world.healed().await;
    assert_eq!(world.diary.count(down) + world.diary.count(back), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_answers_again_is_told_once_and_gets_what_it_is_owed() {
    let world = World::new();
    world.run(MINUTE).await;
    // Hangs for three hours, in which three saves come.
    let script = async {
        world.remote_gate.shut();
        sleep(3 * HOUR).await;
        assert_eq!(world.diary.saved().len(), 4);
        world.promises().await;
        world.remote_gate.reopen();
        sleep(MINUTE).await;
        world.healed().await;
    };
    world.during(script).await;
    assert_eq!(uploaded(&world).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn failing_and_working_are_told_once_for_each_change() {
    let world = World::new();
    world.run(MINUTE).await;
    // Every other effect on the bucket is beyond reach: listing, then everything for a while.
    for number in [1, 3, 5] {
        world.diary.clear();
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Unavailable);
        world
            .run_with(&Faults::none(), &faults, HOUR + MINUTE)
            .await;
        assert_eq!(world.diary.count(down), world.diary.count(back), "{number}");
        assert!(world.diary.count(down) <= 1, "{number}");
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_bucket_never_delays_a_save() {
    let world = World::new();
    world.remote_gate.shut();
    world.run(5 * HOUR + MINUTE).await;
    let saved = world.diary.saved_at();
    assert_eq!(saved.len(), 6);
    let gaps = saved.windows(2).map(|pair| pair[1] - pair[0]);
    for gap in gaps {
        assert!(gap.abs_diff(HOUR) < Duration::from_secs(1), "{gap:?}");
    }
    world.promises().await;
    world.remote_gate.reopen();
    world.run(HOUR).await;
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_member_has_there_is_not_overwritten_and_told_once() {
    let mut world = World::new();
    // The other member's snapshot of this second came first.
    let name = name_of("2026-05-01T12:00:00Z_etcd");
    let mut other = World::new();
    other.member.holds(small(1000));
    other.member.becomes(0xc1, 0x77);
    other.remote = world.remote.clone();
    other.run(MINUTE).await;
    for part in [name.stored(Codec::None), name.manifest()] {
        let bytes = world.remote.get(&part).unwrap();
        let remote = world.remote.clone();
        world.plant(&remote, part.as_str(), &bytes).await;
    }
    world.clock.jump(TimeDelta::seconds(-60));
    let faults = Faults::none();
    world
        .run_with(&Faults::none(), &faults, 2 * HOUR + MINUTE)
        .await;
    world.promises().await;
    let told = |told: &Told| matches!(told, Told::NotCopied { name: which, .. } if *which == name.to_string());
    assert_eq!(world.diary.saved()[0].name, name);
    assert_eq!(world.diary.count(told), 1);
    assert_eq!(world.diary.count(down), 0);
    // Another of that interval is there, and the later ones.
    assert_eq!(uploaded(&world).len(), 3);
    let aside = |told: &Told| matches!(told, Told::SteppedAside(_));
    assert_eq!(world.diary.count(aside), 1);
    // And nobody reads the other's snapshot again and again.
    let reads = |effects: Vec<Effect>| effects.iter().filter(|e| **e == Effect::Read).count();
    assert!(reads(faults.effects()) < 12, "{:?}", faults.effects());
}

#[tokio::test(start_paused = true)]
async fn an_upload_cut_before_its_manifest_is_completed_and_not_repeated() {
    let world = World::new();
    world.run(MINUTE).await;
    let name = name_of("2026-05-01T12:00:00Z_etcd");
    world.remote.delete(&name.manifest()).await.unwrap();
    world.diary.clear();
    let faults = Faults::none();
    world.run_with(&Faults::none(), &faults, MINUTE).await;
    world.healed().await;
    assert_eq!(uploaded(&world), [name.to_string()]);
    // One object was begun: the manifest.
    let effects = faults.effects();
    let begun = effects.iter().filter(|e| **e == Effect::Begin).count();
    assert_eq!(begun, 1, "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_lost_its_snapshot_there_does_not_stop_the_copy() {
    let world = World::new();
    world.run(MINUTE).await;
    let name = name_of("2026-05-01T12:00:00Z_etcd");
    world
        .remote
        .delete(&name.stored(Codec::None))
        .await
        .unwrap();
    world.run(MINUTE).await;
    world.healed().await;
    assert_eq!(
        world.diary.count(|t| matches!(t, Told::NotCopied { .. })),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_fails_while_a_taken_name_is_compared_is_down_and_the_name_not_given_up() {
    let world = World::new();
    world.run(MINUTE).await;
    let name = name_of("2026-05-01T12:00:00Z_etcd");
    world.remote.delete(&name.manifest()).await.unwrap();
    for number in 1..6 {
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Unavailable);
        world.run_with(&Faults::none(), &faults, MINUTE).await;
        world.healed().await;
        let given_up = |told: &Told| matches!(told, Told::NotCopied { .. });
        assert_eq!(world.diary.count(given_up), 0, "{number}");
        world.remote.delete(&name.manifest()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_snapshot_that_changed_is_not_copied() {
    let world = World::new();
    world.run_with(&Faults::none(), &dead(), MINUTE).await;
    let name = name_of("2026-05-01T12:00:00Z_etcd").stored(Codec::None);
    let mut bytes = world.local.get(&name).unwrap().to_vec();
    bytes[100] ^= 1;
    write(&world.local, &name, &bytes).await;
    world.diary.clear();
    world.run(MINUTE).await;
    quiet().await;
    assert_eq!(world.remote.list("").await.unwrap(), []);
    let told = world.diary.told();
    let error = told.iter().find_map(|told| match told {
        Told::NotCopied { error, .. } => Some(error),
        _ => None,
    });
    assert!(
        error.is_some_and(|error| error.contains("digest")),
        "{told:?}"
    );
    assert_eq!(world.diary.count(down), 0);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_cannot_be_listed_is_not_the_buckets_fault_and_is_told_once() {
    let world = World::new();
    world.run_with(&Faults::none(), &dead(), MINUTE).await;
    // Drafts and listing by the start; then the mirror's listing, once or from now on.
    for (fault, time) in [(Fault::Crash, HOUR / 2), (Fault::Fail, 2 * MINUTE)] {
        world.diary.clear();
        let faults = Faults::at(4, fault, ErrorKind::Unavailable);
        world.run_with(&faults, &Faults::none(), time).await;
        assert_eq!(world.diary.count(down) + world.diary.count(back), 0);
        let told = world.diary.told();
        let blind = told.iter().filter(|told| **told == Told::MirrorBlind);
        assert_eq!(blind.count(), 1, "{fault:?}: {told:?}");
        assert!(!told.contains(&Told::RecoveryFailed), "{told:?}");
    }
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_bucket_lacks_stays_here_as_many_again_at_most_until_it_has_enough() {
    let world = World::new();
    world.run(3 * HOUR + MINUTE).await;
    world.healed().await;
    let script = async {
        // So long that it is known what the bucket has.
        sleep(MINUTE).await;
        world.remote_gate.shut();
        sleep(12 * HOUR).await;
        world.promises().await;
        // The three that are kept, three for the bucket, and what it has already went.
        let kept = world.proved(&world.local).await;
        let hours = 22..28;
        let names =
            hours.map(|hour| format!("2026-05-{:02}T{:02}:00:00Z_etcd", 1 + hour / 24, hour % 24));
        assert_eq!(kept, names.collect::<Vec<_>>());
        let held_back = |told: &Told| matches!(told, Told::HeldBack(_));
        assert_eq!(world.diary.count(held_back), 9, "each once");

        world.diary.clear();
        world.remote_gate.reopen();
        sleep(MINUTE).await;
        world.healed().await;
        let held_back = &kept[..3];
        assert_eq!(world.diary.deleted("here"), held_back);
        assert!(
            held_back
                .iter()
                .all(|name| !uploaded(&world).contains(name))
        );
    };
    world.during(script).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_in_the_bucket_is_told_once_and_keeps_nothing_else_from_going() {
    let world = World::new();
    world.remote_ways.deletes(Deletes::Locked);
    world.run(6 * HOUR + MINUTE).await;
    assert_eq!(world.diary.saved().len(), 7);
    assert_eq!(world.proved(&world.local).await.len(), 3);
    assert_eq!(world.proved(&world.remote).await.len(), 7);
    let locked = |told: &Told| matches!(told, Told::Locked(_));
    assert_eq!(world.diary.count(locked), 4);
    assert_eq!(world.diary.count(refused) + world.diary.count(down), 0);

    // Without a lock they go with the next snapshot.
    world.remote_ways.deletes(Deletes::Granted);
    world.run(HOUR).await;
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_full_is_rotated_though_nothing_can_be_uploaded() {
    let world = World::new();
    let script = async {
        world.remote_ways.deletes(Deletes::Refused);
        sleep(6 * HOUR + MINUTE).await;
        let full = world.remote.list("").await.unwrap().len();
        world.remote_ways.holds_at_most(full);
        sleep(HOUR).await;
        assert_eq!(world.proved(&world.remote).await.len(), 7);
        assert_eq!(world.diary.count(down), 1);

        // Nothing goes in; what is there may go.
        world.remote_ways.deletes(Deletes::Granted);
        sleep(HOUR).await;
    };
    world.during(script).await;
    for told in [down, back] {
        assert_eq!(world.diary.count(told), 1, "{:?}", world.diary.told());
    }
    world.healed().await;
}

fn refused(told: &Told) -> bool {
    *told == Told::PruneFailed("there".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refuses_deletions_gets_every_upload_and_is_told_once_for_each_change() {
    let world = World::new();
    let script = async {
        for times in 1..=2 {
            world.remote_ways.deletes(Deletes::Refused);
            sleep(6 * HOUR).await;
            assert_eq!(world.diary.count(refused), times);
            assert_eq!(uploaded(&world).len(), world.diary.saved().len());
            assert_eq!(
                world.diary.deleted("here").len() + 3,
                world.diary.saved().len()
            );

            // Tried again soon enough after the right is given.
            world.remote_ways.deletes(Deletes::Granted);
            sleep(6 * MINUTE).await;
            world.healed().await;
        }
    };
    world.during(script).await;
    assert_eq!(world.diary.count(down) + world.diary.count(back), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_comes_back_and_refuses_deletions_is_told_to_be_back() {
    let world = World::new();
    world.run(3 * HOUR + MINUTE).await;
    // The next round cannot list. Then it can, and may not delete the oldest.
    world.remote_ways.deletes(Deletes::Refused);
    let faults = Faults::at(2, Fault::Fail, ErrorKind::Unavailable);
    world.run_with(&Faults::none(), &faults, 2 * HOUR).await;
    for told in [down, back, refused] {
        assert_eq!(world.diary.count(told), 1, "{:?}", world.diary.told());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_deletion_that_cannot_be_finished_does_not_keep_snapshots_from_the_bucket() {
    let world = World::new();
    world.run(MINUTE).await;
    let name = name_of("2026-05-01T12:00:00Z_etcd");
    for store in [&world.local, &world.remote] {
        store.delete(&name.stored(Codec::None)).await.unwrap();
    }
    world.remote_ways.deletes(Deletes::Refused);
    world.run(3 * HOUR).await;
    assert_eq!(uploaded(&world).len(), world.diary.saved().len());
    assert_eq!(world.diary.count(refused), 1);
    assert_eq!(world.diary.count(down), 0);
    world.remote_ways.deletes(Deletes::Granted);
    world.run(MINUTE).await;
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn two_clusters_and_the_old_program_share_a_bucket_and_leave_each_other_alone() {
    let mut first = World::new();
    let remote = first.remote.clone();
    for name in ["2018-05-04T18:40:16Z_etcd.zip", "c-abc-rl-xyz_2018.zip"] {
        first.plant(&remote, name, b"of the old program").await;
    }
    let mut second = World::new();
    second.remote = remote.clone();
    for name in ["2018-05-04T18:40:16Z_etcd.zip", "c-abc-rl-xyz_2018.zip"] {
        second.plant(&remote, name, b"of the old program").await;
    }
    second.member.becomes(0xc2, 0x99);
    second.clock.jump(TimeDelta::seconds(7));
    for _ in 0..6 {
        first.run(HOUR).await;
        second.clock.jump(TimeDelta::hours(1));
        second.run(HOUR).await;
    }
    first.promises().await;
    second.promises().await;
    let held = first.proved(&remote).await;
    for world in [&first, &second] {
        for name in world.proved(&world.local).await {
            assert!(held.contains(&name), "{name} in {held:?}");
        }
    }
    assert_eq!(held.len(), 6, "{held:?}");
}
