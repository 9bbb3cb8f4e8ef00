//! New snapshots beside what the members of the cluster hold.

use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::Manifest;
use rollsnap_engine::catalog::Standing;
use rollsnap_engine::manifest::{Method, Verdict};
use rollsnap_engine::retention::Retention;

use crate::bench::{Cluster, Says, Told, World, catalog};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn world(says: impl IntoIterator<Item = Says>) -> (World, Arc<Cluster>) {
    let (mut world, cluster) = (World::new(), Arc::new(Cluster::default()));
    cluster.says(says);
    world.peers = Some(Arc::clone(&cluster));
    (world, cluster)
}

/// What the script's hash of the first snapshot is. Its revision is 2.
fn right(compacted: u64) -> Says {
    let hash = u32::try_from(2000 + compacted).expect("small");
    Says::Hash { hash, compacted }
}

async fn newest(world: &World) -> Manifest {
    let here = catalog(&world.local).await;
    here.newest().expect("one was saved").clone()
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_all_members_agree_to_holds_and_names_them() {
    let behind = Says::Behind {
        hash: 1000,
        revision: 1,
    };
    let (world, cluster) = world([right(0), right(1), behind]);
    world.run(MINUTE).await;
    assert_eq!(cluster.asked(), [2]);
    let manifest = newest(&world).await;
    assert_eq!(manifest.verdict(), Some(Verdict::Held));
    let names: Vec<_> = manifest
        .members
        .iter()
        .map(|it| it.name.as_deref())
        .collect();
    assert_eq!(names, [Some("a"), Some("b"), Some("c")]);
    assert!(manifest.members.iter().all(|it| it.agrees == Some(true)));
    assert!(manifest.members.iter().all(|it| it.error.is_none()));
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_holds_other_data_makes_it_disputed_here_and_there() {
    let wrong = Says::Hash {
        hash: 7,
        compacted: 0,
    };
    let (world, _) = world([right(0), wrong]);
    world.run(MINUTE).await;
    for store in [&world.local, &world.remote] {
        let entry = catalog(store).await.entries.remove(0);
        let Standing::Disputed(manifest) = entry.standing else {
            panic!("{:?}", entry.standing);
        };
        let verification = manifest.verification.unwrap();
        assert_eq!(
            verification.findings,
            ["member b (1) holds other data up to revision 2: its hash is 7, the snapshot's 2000"]
        );
        let agree: Vec<_> = manifest.members.iter().map(|it| it.agrees).collect();
        assert_eq!(agree, [Some(true), Some(false)]);
    }
    assert_eq!(world.diary.verified().len(), 1);
    assert_eq!(world.diary.count(Told::is_failure), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_compared_says_why_and_disputes_nothing() {
    let unknown = Says::Hash {
        hash: 7,
        compacted: 99,
    };
    let (world, _) = world([Says::Nothing, Says::Stranger, unknown]);
    world.run(MINUTE).await;
    let manifest = newest(&world).await;
    assert_eq!(manifest.verdict(), Some(Verdict::Held));
    assert!(manifest.members.iter().all(|it| it.agrees.is_none()));
    let why: Vec<_> = manifest
        .members
        .iter()
        .map(|it| it.error.as_deref())
        .collect();
    assert_eq!(
        why,
        [
            Some("hash of scripted: no answer"),
            Some("it is of another cluster"),
            Some("its history at this revision is gone"),
        ]
    );
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_who_tells_of_the_members_is_told_and_costs_nothing() {
    let (mut world, cluster) = (World::new(), Arc::new(Cluster::default()));
    world.peers = Some(cluster);
    world.run(MINUTE).await;
    let told = |told: &Told| *told == Told::NotCompared("hash of scripted: no answer".to_owned());
    assert_eq!(world.diary.count(told), 1);
    assert_eq!(newest(&world).await.verdict(), Some(Verdict::Held));
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn disputed_ones_are_kept_beside_those_that_held_the_newest_so_many() {
    let (mut world, cluster) = world([]);
    world.retention = Retention::Count(2);
    world.run(2 * HOUR + MINUTE).await;
    let held = world.proved(&world.local).await;
    cluster.says([Says::Hash {
        hash: 7,
        compacted: 0,
    }]);
    world.run(4 * HOUR).await;
    for store in [&world.local, &world.remote] {
        assert_eq!(world.proved(store).await, held);
        assert_eq!(catalog(store).await.entries.len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_snapshot_is_examined_and_compared_with_nobody() {
    let (mut world, cluster) = world([right(0)]);
    world.verify = Method::Digest;
    world.run(MINUTE).await;
    world.verify = Method::Deep;
    world.run(MINUTE).await;
    assert_eq!(world.diary.verified().len(), 1);
    assert!(cluster.asked().is_empty());
}
