//! One-offs of one name, by RKE given to every member: in the bucket the newest wins, whoever
//! copies last, and each is whole.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::debt::Namesakes;
use rollsnap_engine::manifest::Class;
use rollsnap_engine::pipeline::Order;
use rollsnap_engine::proof::Proof;
use rollsnap_engine::{Codec, Entry, Manifest};
use rollsnap_store::Store;

use crate::bench::database::small;
use crate::bench::{Told, World, catalog, name_of, write};

const NAME: &str = "mysnapshot";
const MINUTE: Duration = Duration::from_secs(60);

/// A member with a directory of its own and the others' bucket.
fn member(of: &World, id: u64) -> World {
    let mut world = World::new();
    world.remote = of.remote.clone();
    world.clock = Arc::clone(&of.clock);
    world.examiner = Arc::clone(&of.examiner);
    world.namesakes = Namesakes::NewestWins;
    world.member.becomes(0xc1, id);
    world
}

/// A one-off that is proved here and not copied.
async fn save(world: &World) -> Manifest {
    let mut pipeline = world.good_pipeline();
    pipeline.remote = None;
    let order = Order {
        name: name_of(NAME),
        class: Class::OneOff,
        after: 0,
        shrunk: None,
        replaces: true,
    };
    let saved = pipeline.save(&order, &|_, _| {}).await.expect("a save");
    let proof = pipeline.prove(saved.manifest, Arc::new(|_, _| {})).await;
    let Ok(Proof::Kept { manifest, .. }) = proof else {
        panic!("it holds");
    };
    *manifest
}

/// Whose is there, which its bytes are too.
async fn winner(world: &World) -> Manifest {
    world.promises().await;
    let there = catalog(&world.remote).await;
    let entry = there.find(&name_of(NAME)).expect("one is there");
    entry.manifest().expect("with its manifest").clone()
}

fn not_copied(world: &World) -> usize {
    let is_it = |told: &Told| matches!(told, Told::NotCopied { .. });
    world.diary.count(is_it)
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_there_in_the_end_whoever_copies_last() {
    let one = member(&World::new(), 0x31);
    let two = member(&one, 0x32);
    two.member.holds(small(7));
    let first = save(&one).await;
    tokio::time::sleep(MINUTE).await;
    let second = save(&two).await;
    assert!(second.started_at > first.started_at);
    for order in [[&one, &two, &one], [&two, &one, &two]] {
        for world in order {
            world.run(MINUTE).await;
        }
        assert_eq!(winner(&one).await, second);
        let clear = one.remote.list(NAME).await.expect("memory");
        for object in clear {
            one.remote.delete(&object.name).await.expect("memory");
        }
    }
    // Nobody is told of a failure that is none.
    assert_eq!(not_copied(&one) + not_copied(&two), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_replaced_here_is_replaced_there_once_the_bucket_answers() {
    let world = member(&World::new(), 0x31);
    let first = save(&world).await;
    world.run(MINUTE).await;
    assert_eq!(winner(&world).await, first);
    let second = save(&world).await;
    world.run(MINUTE).await;
    assert_eq!(winner(&world).await, second);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_old_program_left_there_is_replaced_by_a_newer_one() {
    let world = member(&World::new(), 0x31);
    let object = name_of(NAME).stored(Codec::Zip);
    write(&world.remote, &object, b"of the old program").await;
    let saved = save(&world).await;
    world.run(MINUTE).await;
    assert_eq!(winner(&world).await, saved);
    assert!(world.remote.get(&object).is_none());
}

#[tokio::test(start_paused = true)]
async fn another_clusters_one_off_stays() {
    let one = member(&World::new(), 0x31);
    let theirs = save(&one).await;
    one.run(MINUTE).await;
    let two = member(&one, 0x32);
    two.member.becomes(0xc2, 0x32);
    two.member.holds(small(7));
    save(&two).await;
    two.run(MINUTE).await;
    assert_eq!(winner(&one).await, theirs);
    assert_eq!(not_copied(&two), 1);
}

#[tokio::test(start_paused = true)]
async fn elsewhere_the_first_stays() {
    let mut one = member(&World::new(), 0x31);
    one.namesakes = Namesakes::FirstStays;
    let mut two = member(&one, 0x32);
    two.namesakes = Namesakes::FirstStays;
    two.member.holds(small(7));
    let first = save(&one).await;
    one.run(MINUTE).await;
    save(&two).await;
    two.run(MINUTE).await;
    assert_eq!(winner(&one).await, first);
    assert_eq!(not_copied(&two), 1);
}

#[tokio::test(start_paused = true)]
async fn members_that_keep_step_all_reach_the_bucket_from_the_first_interval_on() {
    let hour = 60 * MINUTE;
    let first = World::new();
    let others = [member(&first, 0x77), member(&first, 0x78)];
    // Each holds something else, so that no copy is another's.
    for (world, revision) in others.iter().zip(1000..) {
        world.member.holds(small(revision));
    }
    let [second, third] = &others;
    tokio::join!(
        first.run(6 * hour + MINUTE),
        second.run(6 * hour + MINUTE),
        third.run(6 * hour + MINUTE),
    );
    first.promises().await;
    let there = catalog(&first.remote).await;
    for world in [&first, second, third] {
        let saved = world.diary.saved();
        let is_there = |manifest: &Manifest| {
            let copy = there.find(&manifest.name).and_then(Entry::manifest);
            copy.is_some_and(|copy| copy.is_of_same(manifest))
        };
        // Of each interval one is there, also of the first: as many as are kept, and none is owed.
        let kept = saved.iter().rev().take(3);
        assert!(kept.clone().all(is_there), "{:?}", world.diary.told());
        let told = world.diary.told().into_iter();
        let aside = told.filter(|told| matches!(told, Told::SteppedAside(_)));
        assert_eq!(saved.len(), 7 + not_copied(world));
        assert_eq!(aside.count(), not_copied(world));
        assert!(not_copied(world) <= 2);
    }
    let lost: usize = [&first, second, third].map(not_copied).iter().sum();
    assert!(lost >= 2, "they did not keep step");
}
