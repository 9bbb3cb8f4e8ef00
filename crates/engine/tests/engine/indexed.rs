//! The index of keys beside a snapshot: made while that is examined, wherever the snapshot goes,
//! and no reason for anything.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::examine::Deep;
use rollsnap_engine::image::{Access, Image, Scratch};
use rollsnap_engine::look::{self, get_by_index};
use rollsnap_engine::quarantine::move_aside;
use rollsnap_engine::retention::Retention;
use rollsnap_engine::{Catalog, Codec, prune};
use rollsnap_store::memory::Memory;
use rollsnap_store::wrap::{Effect, Fault, Faults};
use rollsnap_store::{ErrorKind, Store};

use crate::bench::database::golden;
use crate::bench::{Finds, Told, World, catalog, order};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn world() -> World {
    let world = World::new();
    world.examiner.indexes();
    world
}

fn names(catalog: &Catalog) -> Vec<String> {
    let names = catalog.entries.iter().map(|entry| entry.name.to_string());
    names.collect()
}

/// Every snapshot has an index, and nothing else has.
async fn assert_indexed(store: &Memory, count: usize) {
    let catalog = catalog(store).await;
    let indexed: Vec<_> = catalog.indexed.iter().map(ToString::to_string).collect();
    assert_eq!(indexed, names(&catalog));
    assert_eq!(indexed.len(), count);
}

#[tokio::test(start_paused = true)]
async fn an_index_comes_and_goes_with_its_snapshot_on_both_sides() {
    let mut world = world();
    world.retention = Retention::Count(2);
    world.run(3 * HOUR + MINUTE).await;
    world.healed().await;
    assert_eq!(world.diary.saved().len(), 4);
    for store in [&world.local, &world.remote] {
        assert_indexed(store, 2).await;
    }
    let name = &catalog(&world.remote).await.entries.remove(0).name;
    prune::delete(&world.remote, name, Codec::None)
        .await
        .unwrap();
    assert_indexed(&world.remote, 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_not_in_the_bucket_is_owed() {
    let world = world();
    world.run(HOUR + MINUTE).await;
    for name in catalog(&world.remote).await.indexed {
        world.remote.delete(&name.index()).await.unwrap();
    }
    world.run(HOUR).await;
    world.healed().await;
    assert_indexed(&world.remote, 3).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_has_no_index_and_loses_the_one_it_had() {
    let world = world();
    world.examiner.then([Finds::Faults]);
    world.run(MINUTE).await;
    assert_eq!(world.diary.quarantined().len(), 1);
    assert_indexed(&world.local, 1).await;
    assert!(catalog(&world.aside).await.indexed.is_empty());

    let here = catalog(&world.local).await;
    let manifest = here.manifests().next().unwrap();
    let pipeline = world.good_pipeline();
    move_aside(&*pipeline.local, &*pipeline.quarantine, manifest)
        .await
        .unwrap();
    assert_eq!(world.local.list("").await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_a_crash_cut_takes_the_index_too() {
    let world = world();
    world.run(MINUTE).await;
    let name = catalog(&world.local).await.entries.remove(0).name;
    for store in [&world.local, &world.remote] {
        store.delete(&name.stored(Codec::None)).await.unwrap();
    }
    world.run(HOUR).await;
    world.healed().await;
    for store in [&world.local, &world.remote] {
        assert_indexed(store, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_that_cannot_be_written_is_told_and_keeps_nothing_from_its_snapshot() {
    let good = Faults::none();
    world().run_with(&good, &Faults::none(), MINUTE).await;
    let mut effects = Vec::new();
    for number in 1..=good.count() {
        let world = world();
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Full);
        world.run_with(&faults, &Faults::none(), MINUTE).await;
        let is_it = |told: &Told| matches!(told, Told::NotIndexed(_));
        if world.diary.count(is_it) == 0 {
            continue;
        }
        effects.push(faults.effects()[number - 1]);
        assert_eq!(world.diary.verified().len(), 1);
        assert_eq!(world.diary.count(Told::is_failure), 0);
        world.healed().await;
        assert_eq!(world.proved(&world.remote).await.len(), 1);
        assert!(catalog(&world.local).await.indexed.is_empty());
    }
    let all = [Effect::Begin, Effect::Write, Effect::Write, Effect::Commit];
    assert_eq!(effects, all);
}

#[tokio::test]
async fn the_index_of_a_real_database_finds_its_keys_beside_whatever_it_is_kept_as() {
    for codec in Codec::ALL {
        let mut world = World::new();
        world.codec = codec;
        world.member.holds(golden());
        let mut pipeline = world.good_pipeline();
        let scratch = Scratch::new(std::env::temp_dir());
        pipeline.examiner = Some(Arc::new(Deep::new(Arc::new(|| {}), scratch.clone())));
        let saved = pipeline.save(&order("n"), &|_, _| {}).await.unwrap();
        let name = saved.manifest.name.clone();
        pipeline
            .prove(saved.manifest, Arc::new(|_, _| {}))
            .await
            .unwrap();
        let index = world.local.get(&name.index()).expect("it was made");
        let stored = world.local.get(&name.stored(codec)).unwrap().to_vec();
        let image = Image::open(Arc::new(stored), Access::Few, &scratch, &mut |_, _| {
            ControlFlow::Continue(())
        });
        let image = image.unwrap();
        let mut count = 0;
        look::live(&golden().to_vec(), None, b"", &mut |key| {
            let found = get_by_index(&image, &index.to_vec(), key.record.key);
            assert_eq!(found.unwrap(), Some(key.to_owned()));
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(count > 5, "{count}");
        let missing = get_by_index(&image, &index.to_vec(), b"no such key");
        assert_eq!(missing.unwrap(), None);
    }
}
