//! What another program left beside ours: pruned where that is wanted, and otherwise left alone.

use std::time::Duration;

use rollsnap_engine::retention::{PruneForeign, Retention};
use rollsnap_store::ObjectName;
use rollsnap_store::memory::Memory;

use crate::bench::{Told, World, write};

const HOUR: Duration = Duration::from_secs(3600);

const OLD: [&str; 2] = [
    "2020-01-01T00:00:00Z_etcd.zip",
    "2020-01-01T12:00:00+02:00_etcd",
];
const OTHERS: [&str; 6] = [
    "mysnapshot.zip",
    "c-abcde-rl-x7k2p_2020-01-01T00:00:00Z.zip",
    "rke_etcd_snapshot_2020-01-01T00:00:00Z.zip",
    "mysnapshot.rkestate",
    "pki.bundle.tar.gz",
    "2020-01-01T00:00:00Z_etcd.part",
];

/// A directory and a bucket with what others made.
async fn world(rule: PruneForeign) -> World {
    let mut world = World::new();
    world.prune_foreign = rule;
    world.retention = Retention::Age {
        limit: 3 * HOUR,
        floor: 3,
    };
    for store in [&world.local, &world.remote] {
        for name in OTHERS {
            write(store, &object(name), b"of others").await;
        }
        for name in OLD {
            write(store, &object(name), b"of theirs").await;
        }
    }
    world
}

fn object(name: &str) -> ObjectName {
    ObjectName::new(name).expect("a name")
}

/// How many of these are there.
fn count(store: &Memory, names: &[&str]) -> usize {
    let is_there = |name: &&&str| store.get(&object(name)).is_some();
    names.iter().filter(is_there).count()
}

fn left(world: &World) -> (usize, usize) {
    for store in [&world.local, &world.remote] {
        assert_eq!(count(store, &OTHERS), OTHERS.len());
    }
    (count(&world.local, &OLD), count(&world.remote, &OLD))
}

#[tokio::test(start_paused = true)]
async fn the_old_programs_go_where_they_are_told_to_once_ours_fill_the_floor() {
    for (rule, here, there) in [
        (PruneForeign::Never, 2, 2),
        (PruneForeign::Local, 0, 2),
        (PruneForeign::Everywhere, 0, 0),
    ] {
        let world = world(rule).await;
        world.run(HOUR / 2).await;
        assert_eq!(left(&world), (2, 2));
        world.run(12 * HOUR).await;
        assert_eq!(left(&world), (here, there), "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_rule_deletes_is_told_once_of_each_store() {
    let world = world(PruneForeign::Local).await;
    world.run(12 * HOUR).await;
    let told = world.diary.told().into_iter();
    let told: Vec<_> = told
        .filter_map(|told| match told {
            Told::LeftAlone {
                location,
                snapshots,
                others,
                names,
            } => {
                assert_eq!(names.len(), snapshots + others, "{names:?}");
                Some((location, snapshots, others))
            }
            _ => None,
        })
        .collect();
    let (here, there) = ("here".to_owned(), "there".to_owned());
    assert_eq!(told, [(here, 3, 2), (there, 5, 2)]);
}
