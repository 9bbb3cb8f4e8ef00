//! The certificates that RKE before v0.2.0 keeps beside the snapshots: copied once, never deleted.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rollsnap_engine::bundle::NAME;
use rollsnap_store::memory::Memory;
use rollsnap_store::wrap::{Fault, Faults};
use rollsnap_store::{ErrorKind, ObjectName};

use crate::bench::{Told, World, catalog};

const HOUR: Duration = Duration::from_secs(3600);

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).expect("memory");
    gzip.finish().expect("memory")
}

async fn lies(world: &mut World, bytes: &[u8]) {
    let local = world.local.clone();
    world.plant(&local, NAME, bytes).await;
}

fn uploaded(world: &World) -> Vec<String> {
    let name = |told| match told {
        Told::BundleUploaded(name) => Some(name),
        _ => None,
    };
    world.diary.told().into_iter().filter_map(name).collect()
}

async fn bundles(store: &Memory) -> Vec<String> {
    let bundles = catalog(store).await.bundles.into_iter();
    bundles.map(|bundle| bundle.name.to_string()).collect()
}

fn bytes(store: &Memory, name: &str) -> Vec<u8> {
    let name = ObjectName::new(name).expect("a name");
    store.get(&name).expect("it is there").to_vec()
}

#[tokio::test(start_paused = true)]
async fn each_content_is_copied_once_and_stays_in_both_places() {
    let mut world = World::new();
    lies(&mut world, &packed("first")).await;
    world.run(12 * HOUR).await;
    // Another process knows by the name that it is there.
    world.run(12 * HOUR).await;
    let [first] = &uploaded(&world)[..] else {
        panic!("{:?}", uploaded(&world));
    };
    let first = first.clone();
    assert!(first.ends_with(&format!(".{NAME}")), "{first}");
    assert_eq!(bytes(&world.remote, &first), packed("first"));

    lies(&mut world, &packed("the second")).await;
    world.run(12 * HOUR).await;
    assert_eq!(uploaded(&world).len(), 2);
    let there = bundles(&world.remote).await;
    assert!(there.len() == 2 && there.contains(&first), "{there:?}");
    assert_eq!(bundles(&world.local).await, [NAME]);
    world.promises().await;
    // Nor is it a stranger.
    let strangers = |told: &Told| matches!(told, Told::LeftAlone { .. });
    assert_eq!(world.diary.count(strangers), 0);
}

#[tokio::test(start_paused = true)]
async fn members_of_one_bucket_overwrite_nobodys() {
    let mut one = World::new();
    let mut other = World::new();
    other.member.becomes(0xc1, 0x77);
    other.remote = one.remote.clone();
    lies(&mut one, &packed("of one")).await;
    lies(&mut other, &packed("of the other")).await;
    for _ in 0..3 {
        one.run(2 * HOUR).await;
        other.run(2 * HOUR).await;
    }
    assert_eq!((uploaded(&one).len(), uploaded(&other).len()), (1, 1));
    assert_eq!(bundles(&one.remote).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_being_written_is_told_and_taken_once_it_is_whole() {
    let mut world = World::new();
    let whole = packed("not all of it");
    lies(&mut world, &whole[..whole.len() - 3]).await;
    world.run(6 * HOUR).await;
    let unfit = |told: &Told| matches!(told, Told::BundleUnfit(_));
    assert_eq!(world.diary.count(unfit), 1);
    assert!(bundles(&world.remote).await.is_empty());
    // Everything else goes on.
    assert_eq!(world.proved(&world.remote).await.len(), 3);

    lies(&mut world, &whole).await;
    world.run(2 * HOUR).await;
    assert_eq!(uploaded(&world).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_there_after_any_failure_of_the_bucket() {
    for number in 1.. {
        let mut world = World::new();
        lies(&mut world, &packed("certificates")).await;
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Unavailable);
        world.run_with(&Faults::none(), &faults, 3 * HOUR).await;
        assert_eq!(bundles(&world.remote).await.len(), 1, "after {number}");
        world.promises().await;
        if number > 40 {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_there_after_any_failure_of_the_directory() {
    for number in 1..40 {
        let mut world = World::new();
        lies(&mut world, &packed("certificates")).await;
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Unavailable);
        world.run_with(&faults, &Faults::none(), 3 * HOUR).await;
        assert_eq!(bundles(&world.remote).await.len(), 1, "after {number}");
        world.promises().await;
    }
}
