//! One save: what it leaves when all goes well, and that it leaves nothing when it does not.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::catalog::Reader;
use rollsnap_engine::manifest::Class;
use rollsnap_engine::pipeline::{Pipeline, Saved};
use rollsnap_engine::save_error::SaveError;
use rollsnap_engine::{Codec, Kind, Manifest};
use rollsnap_store::Store;
use rollsnap_store::local::LocalDir;
use rollsnap_store::wrap::{Effect, Faults, Faulty};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::bench::database::{GOLDEN_REVISION, golden};
use crate::bench::{
    Answer, Gate, LostDrafts, World, content, copied, decode, name_of, order, quiet, write,
};

const NAME: &str = "2026-05-01T12:00:00Z_etcd";

async fn save(pipeline: &Pipeline) -> Result<Saved, SaveError> {
    pipeline.save(&order(NAME), &|_, _| {}).await
}

#[tokio::test(start_paused = true)]
async fn a_saved_snapshot_decodes_to_exactly_what_etcd_sent() {
    for codec in Codec::ALL {
        let mut world = World::new();
        world.codec = codec;
        world.member.holds(golden());
        let pipeline = world.good_pipeline();
        let saved = save(&pipeline).await.unwrap();
        let manifest = copied(&pipeline, saved).await;

        let name = name_of(NAME);
        for store in [&world.local, &world.remote] {
            let stored = store.get(&name.stored(codec)).unwrap();
            // The trailer stays: etcdctl's own restore asks for it.
            assert!(decode(&stored, codec) == golden(), "{codec:?}");
            assert_eq!(content(&stored), manifest.stored.content);
        }
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_tells_what_etcd_told_and_what_was_counted() {
    let mut world = World::new();
    world.codec = Codec::Zstd;
    world.member.holds(golden());
    world.member.then([Answer::Paced(Duration::from_secs(1))]);
    let began = world.now();
    let saved = save(&world.good_pipeline()).await.unwrap();
    let bytes = world.local.get(&name_of(NAME).manifest()).unwrap();
    let manifest = Manifest::read(&name_of(NAME), &bytes).unwrap();
    assert_eq!(manifest, saved.manifest);

    let database = golden().len() - 32;
    assert_eq!(manifest.database, content(&golden()[..database]));
    assert_eq!(manifest.revision, GOLDEN_REVISION);
    assert_eq!(manifest.class, Class::Rolling);
    assert_eq!(manifest.cluster_id.to_string(), "c1");
    assert_eq!(manifest.member_id.to_string(), "31");
    assert_eq!(manifest.member_name.as_deref(), Some("node-1"));
    assert_eq!((manifest.raft_term, manifest.raft_applied_index), (2, 7));
    assert_eq!(manifest.etcd_version, "3.5.1");
    assert_eq!(manifest.tool, "rollsnap test");
    assert_eq!(manifest.stored.codec, Codec::Zstd);
    assert!(manifest.stored.content.size < manifest.database.size);
    assert_eq!(manifest.started_at, began);
    assert_eq!(manifest.finished_at, began + saved.took);
    assert!(saved.took >= Duration::from_secs(golden().len() as u64 / (32 << 10)));
    let millis = u64::try_from(began.timestamp_millis()).unwrap();
    assert_eq!(manifest.order, millis);
}

#[tokio::test(start_paused = true)]
async fn the_progress_grows_to_the_whole() {
    let world = World::new();
    world.member.holds(golden());
    let seen = std::sync::Mutex::new(Vec::new());
    let progress = |done, total| seen.lock().unwrap().push((done, total));
    let pipeline = world.good_pipeline();
    pipeline.save(&order(NAME), &progress).await.unwrap();
    let seen = seen.into_inner().unwrap();
    let size = golden().len() as u64;
    assert!(seen.iter().all(|(_, total)| *total == size));
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert_eq!(seen.last(), Some(&(size, size)));
}

#[tokio::test(start_paused = true)]
async fn an_order_follows_the_greatest_known_even_if_the_clock_was_set_back() {
    let world = World::new();
    let mut what = order(NAME);
    what.after = u64::MAX / 2;
    let saved = world.good_pipeline().save(&what, &|_, _| {}).await.unwrap();
    assert_eq!(saved.manifest.order, u64::MAX / 2 + 1);
}

/// What a bad stream ends in, with a word that its error must have.
const BAD: [(Answer, Kind, &str); 11] = [
    (Answer::Down, Kind::Source, "connection refused"),
    (Answer::Denied, Kind::Denied, "unknown authority"),
    (Answer::Learner, Kind::Config, "learner"),
    (Answer::Empty, Kind::Corrupt, "cut"),
    (Answer::Ended(32), Kind::Corrupt, "cut"),
    (Answer::Ended(1024 + 32), Kind::Corrupt, "digest mismatch"),
    (Answer::Ended(3000), Kind::Corrupt, "cut"),
    (Answer::Ended(3072), Kind::Corrupt, "cut"),
    (Answer::Cut(0), Kind::Source, "connection reset"),
    (Answer::Cut(2000), Kind::Source, "connection reset"),
    (Answer::Flipped(100), Kind::Corrupt, "digest mismatch"),
];

#[tokio::test(start_paused = true)]
async fn a_bad_stream_leaves_nothing_anywhere() {
    for codec in Codec::ALL {
        for (answer, kind, word) in BAD {
            let mut world = World::new();
            world.codec = codec;
            world.member.then([answer]);
            let error = save(&world.good_pipeline()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{answer:?}");
            let text = chain(&error);
            assert!(text.starts_with(&format!("save {NAME}: ")), "{text}");
            assert!(text.contains(word), "{answer:?}: {text}");
            nothing_is_left(&world, &format!("{answer:?}")).await;

            // And the next one is fine.
            let pipeline = world.good_pipeline();
            let saved = save(&pipeline).await.unwrap();
            copied(&pipeline, saved).await;
            world.healed().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_turned_bit_of_a_trailer_is_caught() {
    let size = crate::bench::database::small(1).len();
    for at in (0..size).step_by(97).chain(size - 32..size) {
        let world = World::new();
        world.member.then([Answer::Flipped(at)]);
        let error = save(&world.good_pipeline()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{at}");
        nothing_is_left(&world, "a turned bit").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_be_read_is_refused_though_its_digest_holds() {
    use sha2::{Digest, Sha256};
    let world = World::new();
    let mut image = vec![7; 4096];
    let trailer = Sha256::digest(&image);
    image.extend_from_slice(&trailer);
    world.member.holds(image.into());
    let error = save(&world.good_pipeline()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(
        chain(&error).contains("no bbolt database"),
        "{}",
        chain(&error)
    );
    nothing_is_left(&world, "no database").await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_is_given_up_at_the_limit_and_leaves_nothing() {
    for at in [0, 1, 3000, 3072, 3104] {
        let world = World::new();
        world.member.then([Answer::Stalled(at)]);
        let mut pipeline = world.good_pipeline();
        pipeline.limit = Some(Duration::from_secs(300));
        let error = save(&pipeline).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Source);
        assert!(chain(&error).contains("300s"), "{}", chain(&error));
        nothing_is_left(&world, &format!("stalled at {at}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_does_not_strike_at_a_snapshot_that_is_being_published() {
    let name = name_of(NAME);
    let drafted = |world: &World| world.drafts.get(&name.manifest()).is_some();
    let named = |world: &World| world.local.get(&name.stored(Codec::None)).is_some();
    for seen in [&drafted as &dyn Fn(&World) -> bool, &named] {
        let mut world = World::new();
        world.local_gate = Gate::winding();
        let mut pipeline = world.good_pipeline();
        pipeline.limit = Some(Duration::from_secs(300));
        let hang = async {
            while !seen(&world) {
                yield_now().await;
            }
            world.local_gate.shut();
            sleep(Duration::from_secs(900)).await;
            assert_eq!(world.local.get(&name.manifest()), None);
            world.local_gate.reopen();
        };
        let (saved, ()) = tokio::join!(save(&pipeline), hang);
        let saved = saved.unwrap();
        assert!(saved.took >= Duration::from_secs(900), "{:?}", saved.took);
        copied(&pipeline, saved).await;
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_does_not_wait_for_a_bucket_that_hangs() {
    let world = World::new();
    world.remote_gate.shut();
    world.member.then([Answer::Cut(2000)]);
    let pipeline = world.good_pipeline();
    let failing = tokio::time::timeout(Duration::from_secs(10), save(&pipeline));
    let result = failing
        .await
        .expect("the save ends though the bucket hangs");
    assert_eq!(result.unwrap_err().kind(), Kind::Source);
    world.remote_gate.reopen();
    nothing_is_left(&world, "a hanging bucket").await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_refused_and_what_has_it_stays() {
    let name = name_of(NAME);
    for held in Codec::ALL {
        for new in Codec::ALL {
            let mut world = World::new();
            world.codec = held;
            let first = save(&world.good_pipeline()).await.unwrap();
            world.codec = new;
            let error = save(&world.good_pipeline()).await.unwrap_err();
            assert!(chain(&error).contains("taken"), "{}", chain(&error));
            quiet().await;
            let bytes = world.local.get(&name.manifest()).unwrap();
            assert_eq!(Manifest::read(&name, &bytes).unwrap(), first.manifest);
            world.promises().await;
            assert_eq!(world.proved(&world.local).await, [NAME], "{held:?} {new:?}");
            assert_eq!(world.drafts.list("").await.unwrap(), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_file_of_that_name_is_never_overwritten() {
    let mut world = World::new();
    let local = world.local.clone();
    world.plant(&local, NAME, b"made by hand").await;
    let error = save(&world.good_pipeline()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    world.promises().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_taken_while_the_save_runs_is_not_overwritten_either() {
    let world = World::new();
    world.member.then([Answer::Paced(Duration::from_secs(60))]);
    let pipeline = world.good_pipeline();
    let (result, ()) = tokio::join!(save(&pipeline), async {
        tokio::time::sleep(Duration::from_secs(90)).await;
        write(&world.local, &name_of(NAME).stored(Codec::None), b"first").await;
    });
    assert_eq!(result.unwrap_err().kind(), Kind::Config);
    let held = world.local.get(&name_of(NAME).stored(Codec::None)).unwrap();
    assert_eq!(held, "first");
    assert_eq!(world.drafts.list("").await.unwrap(), []);
    assert_eq!(world.remote.list("").await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_directory_gives_the_same_as_memory_and_leaves_no_spool() {
    for codec in Codec::ALL {
        let folder = tempfile::tempdir().unwrap();
        let dir = LocalDir::open(folder.path().join("snapshots")).unwrap();
        let mut world = World::new();
        world.codec = codec;
        world.member.holds(golden());
        let mut pipeline = world.good_pipeline();
        pipeline.local = Arc::new(dir.clone());
        pipeline.drafts = Arc::new(dir.private());
        world.member.then([Answer::Flipped(70_000)]);
        save(&pipeline).await.unwrap_err();
        assert_eq!(dir.list("").await.unwrap(), []);
        let saved = save(&pipeline).await.unwrap();
        let manifest = copied(&pipeline, saved).await;

        let stored = std::fs::read(
            folder
                .path()
                .join("snapshots")
                .join(name_of(NAME).stored(codec).as_str()),
        );
        let stored = stored.unwrap();
        assert_eq!(content(&stored), manifest.stored.content);
        assert!(decode(&stored, codec) == golden());
        let there = world.remote.get(&name_of(NAME).stored(codec)).unwrap();
        assert!(there == stored);
        assert_eq!(dir.private().list().await.unwrap(), []);
        let spool = folder.path().join("snapshots/.rollsnap/spool");
        assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0);
        assert_eq!(dir.sweep().await.unwrap(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn once_the_draft_is_put_a_save_writes_no_more_bytes_to_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = LocalDir::open(folder.path()).unwrap();
    let world = World::new();
    let faults = Faults::none();
    let mut pipeline = world.good_pipeline();
    pipeline.local = Arc::new(Faulty::new(dir.clone(), faults.clone()));
    pipeline.drafts = Arc::new(dir.private());
    pipeline.remote = None;
    let saved = save(&pipeline).await.unwrap();

    // The one that is begun is the spool: a disk that is full by now costs nothing.
    let effects = faults.effects();
    let begun = effects.iter().filter(|effect| **effect == Effect::Begin);
    assert_eq!(begun.count(), 1, "{effects:?}");
    assert_eq!(effects.last(), Some(&Effect::Commit));
    let catalog = Reader::default().read(&dir).await.unwrap();
    let proved: Vec<_> = catalog.proved().collect();
    assert_eq!(proved, [&saved.manifest]);
}

#[tokio::test(start_paused = true)]
async fn a_draft_that_another_process_took_away_costs_no_manifest() {
    let world = World::new();
    let mut pipeline = world.good_pipeline();
    pipeline.drafts = Arc::new(LostDrafts);
    let saved = save(&pipeline).await.unwrap();
    let bytes = world.local.get(&saved.manifest.name.manifest()).unwrap();
    assert_eq!(bytes, saved.manifest.to_bytes());
}

async fn nothing_is_left(world: &World, after: &str) {
    quiet().await;
    for store in [&world.local, &world.drafts, &world.remote] {
        let left = store.list("").await.expect("memory");
        assert!(left.is_empty(), "after {after}: {left:?}");
    }
}

fn chain(error: &SaveError) -> String {
    crate::bench::chain(error)
}
