//! Uploads that are cut: gone on with by the next run, or freed; and names that are taken while
//! they last.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rollsnap_engine::event::Recovery;
use rollsnap_engine::tickets::Tickets;
use rollsnap_engine::{Codec, mirror};
use rollsnap_store::wrap::{Effect, Fault, Faults};
use rollsnap_store::{ErrorKind, Location, ObjectName, Store, Terms, Ticket};
use tokio::time::sleep;

use crate::bench::database::{golden, small};
use crate::bench::{Answer, StoreDrafts, Told, World, catalog, name_of, quiet, write};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const FIRST: &str = "2026-05-01T12:00:00Z_etcd";

/// A member with 1.4 MB, and a bucket so slow that its first upload is cut after a minute.
async fn cut() -> World {
    let world = World::new();
    world.member.holds(golden());
    world.remote_ways.pace(SECOND);
    world.run(MINUTE).await;
    assert_eq!(world.proved(&world.local).await, [FIRST]);
    assert_eq!(world.unfinished(), 1);
    world.remote_ways.pace(Duration::ZERO);
    world.diary.clear();
    world
}

fn freed(world: &World) -> usize {
    let is_freed = |told: &Told| matches!(told, Told::Recovered(Recovery::Freed(_)));
    world.diary.count(is_freed)
}

fn resumed(world: &World) -> Vec<u64> {
    let resumed = |told| match told {
        Told::Resumed(bytes) => Some(bytes),
        _ => None,
    };
    world.diary.told().into_iter().filter_map(resumed).collect()
}

/// Pieces of an upload that nobody ends.
async fn abandoned(world: &World, name: &str) {
    let name = ObjectName::new(name).expect("a name");
    let begun = world.remote.begin(&name, Terms::new_of(4000)).await;
    let mut upload = begun.expect("memory");
    let written = upload.write(Bytes::from(vec![7; 2000])).await;
    written.expect("memory");
}

#[tokio::test(start_paused = true)]
async fn an_upload_cut_by_the_end_of_the_process_is_gone_on_with_by_the_next() {
    let world = cut().await;
    assert_eq!(world.tickets().await, 1);
    world.run(MINUTE).await;
    world.healed().await;
    // A second for each piece of 1 KiB, but for the requests that came before.
    let [kept] = resumed(&world)[..] else {
        panic!("{:?}", world.diary.told());
    };
    assert!((50 << 10..=60 << 10).contains(&kept), "{kept}");
    assert_eq!((world.unfinished(), freed(&world)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_cut_again_and_again_comes_to_its_end() {
    let world = cut().await;
    world.remote_ways.pace(SECOND);
    // Twenty-two pieces of 64 KiB, of which no run sends more than a few.
    for _ in 0..10 {
        world.run(4 * SECOND).await;
        world.promises().await;
        assert!(world.unfinished() <= 1);
    }
    assert_eq!(world.proved(&world.remote).await, [FIRST]);
    world.healed().await;
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_failed_in_the_middle_is_gone_on_with_by_the_same_process() {
    let world = World::new();
    world.member.holds(golden());
    let good = Faults::none();
    world.run_with(&Faults::none(), &good, MINUTE).await;
    let writes: Vec<_> = good.effects();
    let middle = writes.iter().position(|effect| *effect == Effect::Write);
    let middle = middle.expect("it was uploaded") + 1 + 700;

    let world = World::new();
    world.member.holds(golden());
    let faults = Faults::at(middle, Fault::Fail, ErrorKind::Unavailable);
    world.run_with(&Faults::none(), &faults, MINUTE).await;
    world.healed().await;
    assert_eq!(resumed(&world), [700 << 10]);
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_of_a_save_that_failed_is_freed_at_once() {
    for answer in [Answer::Cut(1_000_000), Answer::Flipped(1_000_000)] {
        let world = World::new();
        world.member.holds(golden());
        world.member.then([answer]);
        let script = async {
            sleep(SECOND / 2).await;
            assert_eq!(world.diary.count(Told::is_failure), 1, "{answer:?}");
            assert_eq!(world.unfinished(), 0, "{answer:?}");
            assert_eq!(world.tickets().await, 0, "{answer:?}");
        };
        world.during(script).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_of_a_snapshot_that_is_gone_is_freed() {
    let world = cut().await;
    let name = name_of(FIRST);
    for part in [name.stored(Codec::None), name.manifest()] {
        world.local.delete(&part).await.unwrap();
    }
    world.run(MINUTE).await;
    world.healed().await;
    assert_eq!((world.unfinished(), freed(&world)), (0, 1));
    assert_eq!(world.tickets().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_changed_is_not_completed_from_what_was_sent_of_it() {
    let world = cut().await;
    let object = name_of(FIRST).stored(Codec::None);
    let mut bytes = world.local.get(&object).unwrap().to_vec();
    // Behind the pieces that are there.
    bytes[1_000_000] ^= 1;
    write(&world.local, &object, &bytes).await;
    world.run(MINUTE).await;
    quiet().await;
    assert_eq!(world.remote.list("").await.unwrap(), []);
    let told = |told: &Told| matches!(told, Told::NotCopied { .. });
    assert_eq!(world.diary.count(told), 1);
    assert_eq!(world.unfinished(), 0);
    assert_eq!(world.tickets().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_of_use_for_its_own_bucket_alone() {
    let world = World::new();
    let drafts = Arc::new(StoreDrafts {
        drafts: world.drafts.clone(),
        objects: world.local.clone(),
    });
    let of = |location| Tickets::new(Arc::clone(&drafts) as _, Location::new(location));
    let (mine, other) = (of("s3://mine"), of("s3://other"));
    let name = ObjectName::new("one").unwrap();
    let ticket = Ticket("an id".to_owned());
    mine.put(&name, &ticket).await.unwrap();
    assert_eq!(mine.find(&name).await.unwrap(), Some(ticket));
    assert_eq!(other.find(&name).await.unwrap(), None);
    assert_eq!(other.list().await.unwrap(), [(name.clone(), None)]);
    mine.remove(&name).await.unwrap();
    assert_eq!(mine.list().await.unwrap(), []);
    // What cannot be read is none either.
    let file = ObjectName::new("one.upload").unwrap();
    write(&world.drafts, &file, b"{\"format\":").await;
    assert_eq!(mine.find(&name).await.unwrap(), None);
}

/// Names tell the second: a run that is started anew at once may save under the same one.
#[tokio::test(start_paused = true)]
async fn what_a_run_sent_that_died_in_this_very_second_is_freed_by_the_next() {
    let world = World::new();
    let drafts = Arc::new(StoreDrafts {
        drafts: world.drafts.clone(),
        objects: world.local.clone(),
    });
    let tickets = Tickets::new(drafts, world.remote.location().clone());
    let name = ObjectName::new(FIRST).unwrap();
    let begun = world.remote.begin(&name, Terms::new_of(4000)).await;
    let mut upload = begun.expect("memory");
    let written = upload.write(Bytes::from(vec![7; 2000])).await;
    written.expect("memory");
    let ticket = upload.ticket().expect("it can be gone on with");
    tickets.put(&name, &ticket).await.unwrap();
    drop(upload);
    assert_eq!((world.unfinished(), world.tickets().await), (1, 1));

    world.run(MINUTE).await;
    world.healed().await;
    assert_eq!(world.proved(&world.remote).await, [FIRST]);
    assert_eq!((world.unfinished(), world.tickets().await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_commands_left_is_freed_after_a_day_and_what_nobody_knows_after_a_week() {
    let mut world = World::new();
    world.run(MINUTE).await;
    let mut other = World::new();
    other.member.becomes(0xc1, 0x77);
    other.clock.jump(chrono::TimeDelta::seconds(7));
    other.remote = world.remote.clone();
    other.run(MINUTE).await;
    // A copy of ours that was begun twice, a stranger's, one that nobody knows, and no snapshot.
    let theirs = other.proved(&other.local).await.remove(0);
    for name in [FIRST, &theirs, "2018-05-04T18:40:16Z_etcd", "notes.txt"] {
        abandoned(&world, name).await;
    }
    world.interval = 72 * HOUR;
    let left = |world: &World| {
        let mut names: Vec<_> = world.remote.unfinished();
        names.sort();
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let script = async {
        sleep(23 * HOUR).await;
        assert_eq!(world.unfinished(), 4);
        // It is looked for once a day.
        sleep(26 * HOUR).await;
        let rest = ["2018-05-04T18:40:16Z_etcd", &theirs, "notes.txt"];
        assert_eq!(left(&world), rest);
        sleep(6 * 24 * HOUR).await;
        assert_eq!(left(&world), [&theirs, "notes.txt"]);
    };
    world.during(script).await;
    assert_eq!(freed(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_another_member_will_go_on_with_is_left_alone() {
    let mut first = World::new();
    first.run(MINUTE).await;
    let mut second = World::new();
    second.member.holds(golden());
    second.member.becomes(0xc2, 0x99);
    second.clock.jump(chrono::TimeDelta::seconds(7));
    second.remote = first.remote.clone();
    second.remote_ways.pace(SECOND);
    second.run(MINUTE).await;
    assert_eq!(first.unfinished(), 1);

    first.interval = 12 * HOUR;
    first.run(72 * HOUR).await;
    assert_eq!((first.unfinished(), freed(&first)), (1, 0));
    second.remote_ways.pace(Duration::ZERO);
    second.run(MINUTE).await;
    assert_eq!(resumed(&second).len(), 1);
    assert_eq!(first.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_does_not_say_what_uploads_left_is_told_once_and_gets_everything() {
    let world = World::new();
    let good = Faults::none();
    world.run_with(&Faults::none(), &good, MINUTE).await;
    let sweep = good
        .effects()
        .iter()
        .position(|effect| *effect == Effect::Sweep);
    let world = World::new();
    let faults = Faults::at(sweep.unwrap() + 1, Fault::Fail, ErrorKind::Denied);
    world
        .run_with(&Faults::none(), &faults, 5 * HOUR + MINUTE)
        .await;
    world.healed().await;
    let told = |told: &Told| matches!(told, Told::SweepFailed(_));
    assert_eq!(world.diary.count(told), 1);
    assert_eq!(world.diary.deleted("there").len(), 3);
}

/// A daemon that stops in the middle of an upload, as SIGSTOP does it, while `meanwhile` happens.
async fn paused(world: &World, meanwhile: impl Future<Output = ()>) {
    world.member.holds(golden());
    world.remote_ways.pace(SECOND);
    let script = async {
        sleep(MINUTE).await;
        assert_eq!(world.unfinished(), 1);
        world.remote_gate.shut();
        world.remote_ways.pace(Duration::ZERO);
        sleep(MINUTE).await;
        meanwhile.await;
        world.remote_gate.reopen();
        sleep(MINUTE).await;
    };
    world.during(script).await;
}

#[tokio::test(start_paused = true)]
async fn an_uploader_that_was_paused_overwrites_nothing_when_it_wakes_up() {
    let world = World::new();
    let object = name_of(FIRST).stored(Codec::None);
    // As many bytes, and others.
    let mut theirs = golden().to_vec();
    theirs[1_000_000] ^= 1;
    paused(&world, write(&world.remote, &object, &theirs)).await;
    assert!(world.remote.get(&object).unwrap() == theirs);
    assert_eq!(world.remote.get(&name_of(FIRST).manifest()), None);
    let told = |told: &Told| matches!(told, Told::NotCopied { .. });
    assert_eq!(world.diary.count(told), 1, "{:?}", world.diary.told());
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_uploader_that_was_paused_finds_its_copy_made_by_another() {
    let world = World::new();
    let by_hand = async {
        let here = catalog(&world.local).await;
        let entry = &here.entries[0];
        let manifest = entry.manifest().unwrap();
        let copied = mirror::copy(&world.local, &world.remote, entry, manifest).await;
        copied.unwrap();
    };
    paused(&world, Box::pin(by_hand)).await;
    world.healed().await;
    let told = |told: &Told| matches!(told, Told::NotCopied { .. });
    assert_eq!(world.diary.count(told), 0, "{:?}", world.diary.told());
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_while_it_is_uploaded_is_no_failure_of_the_bucket() {
    // A debt that is paid, not the upload that follows a save.
    let world = World::new();
    world.remote_gate.shut();
    world.run(MINUTE).await;
    world.remote_gate.reopen();
    world.remote_ways.pace(SECOND);
    let object = name_of(FIRST).stored(Codec::None);
    let script = async {
        sleep(2 * SECOND).await;
        assert_eq!(world.unfinished(), 1);
        write(&world.remote, &object, &small(99)).await;
        sleep(MINUTE).await;
    };
    world.during(script).await;
    assert!(world.remote.get(&object).unwrap() == small(99));
    let told = |told: &Told| matches!(told, Told::NotCopied { .. });
    assert_eq!(world.diary.count(told), 1, "{:?}", world.diary.told());
    let down = |told: &Told| matches!(told, Told::RemoteDown { .. });
    assert_eq!(world.diary.count(down), 0);
}
