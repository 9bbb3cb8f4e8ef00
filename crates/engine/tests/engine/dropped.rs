//! A save that is dropped wherever it waits leaves nothing or the whole.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::Codec;
use rollsnap_engine::catalog::Standing;
use rollsnap_engine::event::Recovery;
use rollsnap_engine::pipeline::Pipeline;
use rollsnap_engine::proof::Proof;
use rollsnap_engine::reconcile::complete_drafts;
use rollsnap_engine::tended::Tended;
use rollsnap_store::{ObjectName, Store};

use crate::bench::{
    Answer, Finds, Gate, World, catalog, copied, name_of, order, polled, quiet, write,
};

const NAME: &str = "2026-05-01T12:00:00Z_etcd";

/// A good pipeline whose uploads are tended, as the roller has it.
fn tended(world: &World) -> Pipeline {
    let mut pipeline = world.good_pipeline();
    let remote = pipeline.remote.take().expect("every world has a bucket");
    pipeline.remote = Some(Arc::new(Tended::new(remote)));
    pipeline
}

#[tokio::test(start_paused = true)]
async fn a_save_dropped_at_any_point_leaves_nothing_or_the_whole() {
    for codec in Codec::ALL {
        let (mut nothing, mut whole) = (0, 0);
        for times in 0.. {
            let mut world = World::new();
            world.codec = codec;
            world.local_gate = Gate::winding();
            world.remote_gate = Gate::winding();
            let pipeline = tended(&world);
            let what = order(NAME);
            let save = async {
                let saved = pipeline.save(&what, &|_, _| {}).await.unwrap();
                copied(&pipeline, saved).await;
            };
            let done = polled(save, times).await.is_some();
            quiet().await;
            world.promises().await;
            assert_eq!(world.unfinished(), 0, "{times}");

            // What the next start does.
            complete_drafts(&*pipeline.local, &*pipeline.drafts)
                .await
                .unwrap();
            world.promises().await;
            assert_eq!(world.drafts.list("").await.unwrap(), [], "{times}");
            let here = catalog(&world.local).await;
            match &here.entries[..] {
                [] => nothing += 1,
                [one] if matches!(one.standing, Standing::Proved(_)) => whole += 1,
                other => panic!("dropped after {times} polls: {other:?}"),
            }
            if done {
                world.healed().await;
                break;
            }
        }
        // Both outcomes were seen, so the drops fell on both sides of the commit point.
        assert!(nothing > 10 && whole > 5, "{nothing} {whole}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_snapshot_whose_proof_is_dropped_at_any_point_ends_in_quarantine() {
    let (mut here, mut aside) = (0, 0);
    for times in 0.. {
        let mut world = World::new();
        let pipeline = tended(&world);
        let saved = pipeline.save(&order(NAME), &|_, _| {}).await.unwrap();
        drop(saved.upload);
        world.local_gate = Gate::winding();
        world.examiner.then([Finds::Faults]);
        let pipeline = tended(&world);
        let proof = pipeline.prove(saved.manifest, Arc::new(|_, _| {}));
        let done = polled(proof, times).await;
        quiet().await;
        let _context = world.diary.on_panic(format!("after {times} polls"));
        world.promises().await;
        match catalog(&world.aside).await.entries.len() {
            0 => here += 1,
            _ => aside += 1,
        }

        // The next start finishes it, and takes a new one.
        world.local_gate.reopen();
        if world.examiner.begun().is_empty() {
            world.examiner.then([Finds::Faults]);
        }
        world.run(Duration::from_secs(60)).await;
        world.healed().await;
        assert_eq!(catalog(&world.aside).await.entries.len(), 1, "{times}");
        if let Some(done) = done {
            let Ok(Proof::Quarantined(quarantined)) = done else {
                panic!("{done:?}");
            };
            assert_eq!(quarantined.path, format!("aside/{NAME}"));
            break;
        }
    }
    assert!(here > 5 && aside > 3, "{here} {aside}");
}

#[tokio::test(start_paused = true)]
async fn a_bad_save_dropped_at_any_point_leaves_nothing() {
    for answer in [Answer::Flipped(5), Answer::Cut(2500), Answer::Ended(3000)] {
        for times in 0.. {
            let mut world = World::new();
            world.local_gate = Gate::winding();
            world.remote_gate = Gate::winding();
            world.member.then([answer]);
            let pipeline = tended(&world);
            let what = order(NAME);
            let done = polled(pipeline.save(&what, &|_, _| {}), times).await;
            quiet().await;
            for store in [&world.local, &world.drafts, &world.remote] {
                assert_eq!(store.list("").await.unwrap(), [], "{answer:?} {times}");
            }
            assert_eq!(world.unfinished(), 0, "{answer:?} {times}");
            if let Some(done) = done {
                done.unwrap_err();
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_draft_does_not_vouch_for_another_file_of_its_name() {
    let mut world = World::new();
    let pipeline = world.good_pipeline();
    let saved = pipeline.save(&order(NAME), &|_, _| {}).await.unwrap();
    let (name, local) = (name_of(NAME), world.local.clone());
    // As if the save had died before its rename, and somebody else's file had come since.
    let manifest = local.get(&name.manifest()).unwrap();
    write(&world.drafts, &name.manifest(), &manifest).await;
    local.delete(&name.manifest()).await.unwrap();
    let size = usize::try_from(saved.manifest.stored.content.size).unwrap();
    world.plant(&local, NAME, &vec![7; size]).await;

    let done = complete_drafts(&*pipeline.local, &*pipeline.drafts).await;
    assert_eq!(done.unwrap(), [Recovery::Forgotten(name.clone())]);
    assert_eq!(local.get(&name.manifest()), None);
    assert_eq!(world.drafts.list("").await.unwrap(), []);
    quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_draft_that_cannot_be_read_is_forgotten() {
    let world = World::new();
    let pipeline = world.good_pipeline();
    for (name, bytes) in [
        ("a.manifest.json", &b"{\"format\":1"[..]),
        ("b.manifest.json", b""),
    ] {
        let name = ObjectName::new(name).unwrap();
        write(&world.drafts, &name, bytes).await;
    }
    let done = complete_drafts(&*pipeline.local, &*pipeline.drafts).await;
    let forgotten = ["a", "b"].map(|name| Recovery::Forgotten(name_of(name)));
    assert_eq!(done.unwrap(), forgotten);
    assert_eq!(world.drafts.list("").await.unwrap(), []);
}
