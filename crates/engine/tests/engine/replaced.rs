//! A one-off that takes the place of an older one of its name: the old one or the new one, never
//! a mix, never neither.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rollsnap_engine::catalog::Standing;
use rollsnap_engine::event::Recovery;
use rollsnap_engine::manifest::{Class, Method};
use rollsnap_engine::pipeline::{Order, Pipeline};
use rollsnap_engine::proof::Proof;
use rollsnap_engine::reconcile::complete_drafts;
use rollsnap_engine::save_error::SaveError;
use rollsnap_engine::{Codec, Kind, Manifest, key_index};
use rollsnap_store::local::LocalDir;
use rollsnap_store::memory::Memory;
use rollsnap_store::wrap::{Fault, Faults};
use rollsnap_store::{ErrorKind, ObjectName, Store, StoreError};
use tokio::time::sleep;

use crate::bench::{Cluster, FINDINGS, Finds, Says, World, catalog, chain, copied, name_of, quiet};

const NAME: &str = "mysnapshot";
const HOUR: Duration = Duration::from_secs(3600);

fn again(after: u64) -> Order {
    Order {
        name: name_of(NAME),
        class: Class::OneOff,
        after,
        shrunk: None,
        replaces: true,
    }
}

async fn save(pipeline: &Pipeline, after: u64) -> Result<Manifest, SaveError> {
    let saved = pipeline.save(&again(after), &|_, _| {}).await?;
    let manifest = copied(pipeline, saved).await;
    let _ = index(pipeline).await;
    Ok(manifest)
}

async fn index(pipeline: &Pipeline) -> Result<(), StoreError> {
    let remote = pipeline.remote.as_ref().expect("a bucket");
    key_index::copy(&*pipeline.local, &**remote, &name_of(NAME)).await
}

/// A one-off on both sides, with its index.
async fn before(codec: Codec) -> (World, Manifest) {
    let mut world = World::new();
    world.codec = codec;
    world.examiner.indexes();
    let first = save(&world.good_pipeline(), 0).await.expect("a good run");
    world.healed().await;
    (world, first)
}

fn stored(store: &Memory, codec: Codec) -> Option<Bytes> {
    store.get(&name_of(NAME).stored(codec))
}

/// As [`save`] with faults that may come anywhere, to where it ends.
async fn save_badly(pipeline: &Pipeline, after: u64) {
    let Ok(saved) = pipeline.save(&again(after), &|_, _| {}).await else {
        return;
    };
    let proof = match saved.proof {
        Some(proof) => proof,
        None => match pipeline.prove(saved.manifest, Arc::new(|_, _| {})).await {
            Ok(proof) => proof,
            Err(_) => return,
        },
    };
    let Proof::Kept { manifest, .. } = proof else {
        return;
    };
    let uploaded = saved.upload.expect("a bucket").commit(&manifest).await;
    if uploaded.is_ok() {
        let _ = index(pipeline).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_takes_the_place_of_one_of_its_name_on_both_sides() {
    for codec in [Codec::None, Codec::Zstd] {
        let (world, first) = before(codec).await;
        let second = save(&world.good_pipeline(), first.order).await.unwrap();
        // Of the same size: only its own manifest tells which it is.
        assert_eq!(first.database.size, second.database.size);
        assert_ne!(first.database.digest, second.database.digest);
        world.healed().await;
        for store in [&world.local, &world.remote] {
            let catalog = catalog(store).await;
            let [entry] = &catalog.entries[..] else {
                panic!("{:?}", catalog.entries);
            };
            assert_eq!(entry.proved().unwrap().stored, second.stored);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_the_name_in_another_encoding_goes() {
    let (mut world, first) = before(Codec::None).await;
    world.codec = Codec::Zstd;
    save(&world.good_pipeline(), first.order).await.unwrap();
    world.healed().await;
    for store in [&world.local, &world.remote] {
        assert!(stored(store, Codec::None).is_none());
        assert_eq!(catalog(store).await.entries.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_manifest_is_replaced_too() {
    let world = World::new();
    for store in [&world.local, &world.remote] {
        let name = name_of(NAME).stored(Codec::None);
        crate::bench::write(store, &name, b"of the old program").await;
    }
    save(&world.good_pipeline(), 0).await.unwrap();
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn another_clusters_snapshot_is_never_replaced() {
    let (world, first) = before(Codec::None).await;
    world.member.becomes(0xc2, 0x32);
    let error = save(&world.good_pipeline(), first.order).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{}", chain(&error));

    // Nor is it where the directory knows nothing of it.
    let mut elsewhere = World::new();
    elsewhere.remote = world.remote.clone();
    elsewhere.member.becomes(0xc2, 0x32);
    let pipeline = elsewhere.good_pipeline();
    let saved = pipeline.save(&again(0), &|_, _| {}).await.unwrap();
    let proof = pipeline.prove(saved.manifest, Arc::new(|_, _| {}));
    let Ok(Proof::Kept { manifest, .. }) = proof.await else {
        panic!("it holds");
    };
    let upload = saved.upload.unwrap();
    let error = upload.commit(&manifest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    world.healed().await;
    assert_eq!(elsewhere.unfinished(), 0);
}

#[tokio::test]
async fn while_one_replaces_another_nobody_puts_anything_right() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalDir::open(dir.path()).unwrap();
    let (ours, theirs) = (store.private(), store.private());
    let draft = name_of(NAME).manifest();
    ours.put(&draft, Bytes::from_static(b"of one that runs"))
        .await
        .unwrap();
    let claim = ours.claim().await.unwrap().unwrap();
    assert!(theirs.claim().await.unwrap().is_none());
    assert!(complete_drafts(&store, &theirs).await.unwrap().is_empty());
    assert!(theirs.get(&draft).await.unwrap().is_some());
    drop(claim);
    let done = complete_drafts(&store, &theirs).await.unwrap();
    assert_eq!(done, [Recovery::Forgotten(name_of(NAME))]);
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_ends_when_its_snapshot_was_replaced_says_nothing_of_the_new_one() {
    let (world, first) = before(Codec::None).await;
    let pipeline = world.good_pipeline();
    let second = pipeline.save(&again(first.order), &|_, _| {}).await;
    let second = second.expect("a good run").manifest;
    world.examiner.then([Finds::Faults]);
    let proof = pipeline.prove(first, Arc::new(|_, _| {})).await.unwrap();
    assert!(matches!(proof, Proof::Gone), "{proof:?}");
    let here = catalog(&world.local).await;
    let entry = here.find(&name_of(NAME)).expect("the new one");
    assert_eq!(entry.proved(), Some(&second));
}

#[tokio::test(start_paused = true)]
async fn a_proof_stands_beside_another_processs_proof_of_the_same_snapshot() {
    let world = World::new();
    let (command, daemon) = (world.good_pipeline(), world.good_pipeline());
    let saved = command.save(&again(0), &|_, _| {}).await.expect("a save");
    for pipeline in [&daemon, &command] {
        let proof = pipeline
            .prove(saved.manifest.clone(), Arc::new(|_, _| {}))
            .await;
        assert!(matches!(proof, Ok(Proof::Kept { .. })), "{proof:?}");
    }
}

/// What both sides hold under the name, with all that lies beside it.
async fn held(world: &World) -> Vec<(ObjectName, Option<Bytes>)> {
    let mut held = Vec::new();
    for store in [&world.local, &world.remote] {
        for object in store.list("").await.expect("memory") {
            let bytes = store.get(&object.name);
            held.push((object.name, bytes));
        }
    }
    held
}

#[tokio::test(start_paused = true)]
async fn the_old_one_has_the_name_until_the_new_one_is_proved() {
    for codec in Codec::ALL {
        let (world, first) = before(codec).await;
        let old = held(&world).await;
        world.examiner.then([Finds::NothingAfter(HOUR)]);
        let pipeline = world.good_pipeline();
        let order = again(first.order);
        let (saved, ()) = tokio::join!(pipeline.save(&order, &|_, _| {}), async {
            sleep(HOUR / 2).await;
            assert_eq!(world.examiner.begun().len(), 2);
            assert_eq!(held(&world).await, old);
        });
        let saved = saved.expect("a good run");
        // With its name it has its verdict, and what a save took is told without that of its proof.
        assert!(saved.manifest.is_verified(Method::Deep));
        assert!(saved.took < HOUR / 2, "{:?}", saved.took);
        assert!(matches!(saved.proof, Some(Proof::Kept { .. })));
        let here = catalog(&world.local).await;
        assert_eq!(
            here.find(&name_of(NAME)).unwrap().proved(),
            Some(&saved.manifest)
        );
        copied(&pipeline, saved).await;
        index(&pipeline).await.unwrap();
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_replaces_nothing_has_its_name_before_its_proof() {
    let world = World::new();
    let pipeline = world.good_pipeline();
    let saved = pipeline.save(&again(0), &|_, _| {}).await.unwrap();
    assert!(saved.proof.is_none());
    assert_eq!(world.examiner.begun().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_one_that_does_not_hold_replaces_nothing_and_is_kept_aside() {
    for codec in Codec::ALL {
        let (world, first) = before(codec).await;
        let old = held(&world).await;
        world.examiner.then([Finds::Faults]);
        let saved = save(&world.good_pipeline(), first.order).await;
        let error = saved.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.is_of_the_database());
        let said = chain(&error);
        for words in [
            FINDINGS[0],
            "the older snapshot of this name stays",
            "aside/mysnapshot",
        ] {
            assert!(said.contains(words), "{said}");
        }
        quiet().await;
        assert_eq!(held(&world).await, old);
        world.healed().await;
        assert_eq!(world.unfinished(), 0);
        let aside = catalog(&world.aside).await;
        let standings: Vec<_> = aside.entries.iter().map(|entry| &entry.standing).collect();
        assert!(
            matches!(standings[..], [Standing::Corrupt(_)]),
            "{standings:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_one_that_cannot_be_examined_replaces_nothing() {
    let (world, first) = before(Codec::None).await;
    let old = held(&world).await;
    world.examiner.then([Finds::Unreadable]);
    let error = save(&world.good_pipeline(), first.order).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Store, "{}", chain(&error));
    quiet().await;
    assert_eq!(held(&world).await, old);
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_one_that_the_members_dispute_replaces_nothing() {
    let (mut world, first) = before(Codec::None).await;
    let old = held(&world).await;
    let cluster = Arc::new(Cluster::default());
    cluster.says([Says::Hash {
        hash: 7,
        compacted: 0,
    }]);
    world.peers = Some(cluster);
    let error = save(&world.good_pipeline(), first.order).await.unwrap_err();
    assert!(
        chain(&error).contains("the members disagree"),
        "{}",
        chain(&error)
    );
    quiet().await;
    assert_eq!(held(&world).await, old);
}

/// A broken one in the place of a good one, with each effect failing in turn.
async fn each_effect_of_a_broken_one(fault: Fault) {
    let broken = || async {
        let (world, first) = before(Codec::None).await;
        world.examiner.then([Finds::Faults]);
        (world, first)
    };
    let good = Faults::none();
    let (world, first) = broken().await;
    save_badly(&world.pipeline(&good, &good), first.order).await;
    assert!(good.count() > 10, "{:?}", good.effects());
    for number in 1..=good.count() {
        let (world, first) = broken().await;
        let old = held(&world).await;
        let faults = Faults::at(number, fault, ErrorKind::Unavailable);
        save_badly(&world.pipeline(&faults, &faults), first.order).await;
        quiet().await;
        let effect = faults.effects()[number - 1];
        assert_eq!(
            held(&world).await,
            old,
            "{fault:?} of effect {number}, {effect:?}"
        );
        // The next start, and the next try.
        let pipeline = world.good_pipeline();
        let drafts = &*pipeline.drafts;
        complete_drafts(&world.local, drafts).await.expect("memory");
        assert_eq!(
            held(&world).await,
            old,
            "{fault:?} of effect {number}, {effect:?}"
        );
        let next = save(&pipeline, first.order).await;
        if next.is_err() {
            // The first was not examined.
            assert_eq!(held(&world).await, old);
            save(&pipeline, first.order).await.expect("a good run");
        }
        // What is kept aside may be a manifest alone until the next one is.
        world.promises().await;
        let drafts = world.drafts.list("").await.expect("memory");
        assert!(drafts.is_empty(), "{drafts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_one_replaces_nothing_whatever_else_goes_wrong() {
    for fault in [Fault::Fail, Fault::Lost, Fault::Crash] {
        each_effect_of_a_broken_one(fault).await;
    }
}

/// Takes the place of an older one with each effect failing in turn.
async fn each_effect(codecs: [Codec; 2], fault: Fault) {
    let good = Faults::none();
    let (mut world, first) = before(codecs[0]).await;
    world.codec = codecs[1];
    save_badly(&world.pipeline(&good, &good), first.order).await;
    world.healed().await;
    assert!(good.count() > 20, "{:?}", good.effects());
    for number in 1..=good.count() {
        let (mut world, first) = before(codecs[0]).await;
        let old = stored(&world.local, codecs[0]).expect("the old one");
        world.codec = codecs[1];
        let faults = Faults::at(number, fault, ErrorKind::Unavailable);
        save_badly(&world.pipeline(&faults, &faults), first.order).await;
        quiet().await;
        let effect = faults.effects()[number - 1];
        let context = format!("{fault:?} of effect {number}, {effect:?}, {codecs:?}");
        world.promises().await;

        // The next start.
        let pipeline = world.good_pipeline();
        complete_drafts(&world.local, &*pipeline.drafts)
            .await
            .expect("memory");
        world.promises().await;
        let drafts = world.drafts.list("").await.expect("memory");
        assert!(drafts.is_empty(), "{context}: {drafts:?}");
        let here = catalog(&world.local).await;
        let [entry] = &here.entries[..] else {
            panic!("{context}: {:?}", here.entries);
        };
        let is_old = world.local.get(&entry.object()) == Some(old);
        let manifest = entry
            .proved()
            .unwrap_or_else(|| panic!("{context}: {:?}", entry.standing));
        // Whichever has the name: it was proved before.
        assert!(manifest.is_verified(Method::Deep), "{context}");
        assert_eq!(manifest.order == first.order, is_old, "{context}");
        let there = catalog(&world.remote).await;
        assert!(!there.entries.is_empty(), "{context}");
        for entry in &there.entries {
            let is_fine = matches!(entry.standing, Standing::Proved(_) | Standing::Foreign);
            let is_left = entry.codec == codecs[0] && codecs[0] != codecs[1];
            assert!(is_fine || is_left, "{context}: {:?}", entry.standing);
        }

        let last = save(&pipeline, manifest.order).await;
        last.expect("a good run");
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_fails_leaves_the_old_one_or_the_new_one() {
    each_effect([Codec::None, Codec::None], Fault::Fail).await;
    each_effect([Codec::None, Codec::Zstd], Fault::Fail).await;
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_answer_is_lost_leaves_the_old_one_or_the_new_one() {
    each_effect([Codec::None, Codec::None], Fault::Lost).await;
    each_effect([Codec::None, Codec::Zstd], Fault::Lost).await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_effect_leaves_the_old_one_or_the_new_one() {
    each_effect([Codec::None, Codec::None], Fault::Crash).await;
    each_effect([Codec::None, Codec::Zstd], Fault::Crash).await;
}
