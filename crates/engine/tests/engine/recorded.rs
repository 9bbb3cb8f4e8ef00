//! What a verification by hand writes into a manifest, and what the bucket hears of it.

use std::time::Duration;

use rollsnap_engine::Manifest;
use rollsnap_engine::examine::Examined;
use rollsnap_engine::manifest::{Method, Verdict, Verification};
use rollsnap_engine::proof::{judge, record};
use rollsnap_snapfile::Digest;
use rollsnap_store::Store;
use rollsnap_store::memory::Memory;

use crate::bench::{World, catalog, write};

const MINUTE: Duration = Duration::from_secs(60);

/// A snapshot that was saved, proved and copied.
async fn saved() -> (World, Manifest) {
    let world = World::new();
    world.run(MINUTE).await;
    let manifest = beside(&world.local).await.remove(0);
    (world, manifest)
}

async fn beside(store: &Memory) -> Vec<Manifest> {
    catalog(store).await.manifests().cloned().collect()
}

fn judged(world: &World, manifest: &Manifest, found: Examined) -> Manifest {
    judge(manifest.clone(), found, world.now(), MINUTE)
}

fn broken() -> Examined {
    Examined {
        findings: vec!["page 5: is broken".to_owned()],
        ..Examined::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_written_where_the_manifest_is_still_that_one() {
    let (world, manifest) = saved().await;
    let found = judged(&world, &manifest, broken());
    assert!(record(&world.local, &manifest, &found).await.unwrap());
    assert_eq!(
        beside(&world.local).await[..],
        *std::slice::from_ref(&found)
    );
    // Somebody wrote it since; then somebody deleted it.
    assert!(!record(&world.local, &manifest, &found).await.unwrap());
    world.local.delete(&manifest.name.manifest()).await.unwrap();
    assert!(!record(&world.local, &found, &found).await.unwrap());
    assert_eq!(beside(&world.local).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_dispute_between_members_is_not_settled_by_whole_pages() {
    let (world, mut manifest) = saved().await;
    let disputed = Verification::new(world.now(), Method::Deep, Verdict::Disputed, &[], MINUTE);
    manifest.verification = Some(disputed);
    let name = manifest.name.manifest();
    write(&world.local, &name, &manifest.to_bytes()).await;
    let held = judged(&world, &manifest, Examined::default());
    assert!(!record(&world.local, &manifest, &held).await.unwrap());
    let corrupt = judged(&world, &manifest, broken());
    assert!(record(&world.local, &manifest, &corrupt).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_broken_database_is_told_to_the_bucket_and_an_altered_copy_is_not() {
    let (world, manifest) = saved().await;
    let other = Some(Digest([7; 32]));
    let altered = [
        Examined {
            database: other,
            ..Examined::default()
        },
        Examined {
            stored: other,
            ..Examined::default()
        },
        Examined {
            altered: true,
            ..broken()
        },
    ];
    let [there] = &beside(&world.remote).await[..] else {
        panic!("one was copied");
    };
    for found in altered {
        let altered = judged(&world, &manifest, found);
        assert_eq!(altered.verdict(), Some(Verdict::Corrupt));
        assert!(altered.is_verified(Method::Deep));
        assert_eq!(altered.contents, manifest.contents);
        assert!(!altered.knows_more_than(there));
    }
    let broken = judged(&world, &manifest, broken());
    assert_eq!(broken.verdict(), Some(Verdict::Corrupt));

    // The next daemon moves the altered copy aside; the bucket's still counts.
    let altered = Examined {
        altered: true,
        findings: vec!["digest mismatch".to_owned()],
        ..Examined::default()
    };
    let altered = judged(&world, &manifest, altered);
    assert!(record(&world.local, &manifest, &altered).await.unwrap());
    world.run(MINUTE).await;
    assert_eq!(beside(&world.aside).await, [altered]);
    assert_eq!(
        beside(&world.remote).await[0].verdict(),
        Some(Verdict::Held)
    );
}
