//! Plain copies with each effect failing once: what had the name keeps it until the copy is whole, and
//! no manifest ever tells of other bytes than lie beside it.

use bytes::Bytes;
use rollsnap_engine::image::{self, Scratch};
use rollsnap_engine::manifest::Class;
use rollsnap_engine::pipeline::Order;
use rollsnap_engine::plain::{self, Plain, PlainError};
use rollsnap_engine::{Codec, Manifest};
use rollsnap_store::wrap::{Fault, Faults, Faulty};
use rollsnap_store::{ErrorKind, ObjectName, Store};
use tempfile::TempDir;

use crate::bench::{World, copied, decode, name_of, quiet, write};

const NAME: &str = "mysnapshot";

/// How a plain copy comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the bucket, with what it was kept as there.
    Fetched,
    /// Out of the archive beside it.
    Unpacked,
    /// From another node.
    Handed,
}

/// A bucket with a newer snapshot of the name than the plain one that is here, with its manifest.
struct Scene {
    world: World,
    /// The archive of the newer one, and its manifest.
    archive: Bytes,
    manifest: Manifest,
    older: Bytes,
    newer: Bytes,
    scratch: TempDir,
}

fn raw() -> ObjectName {
    name_of(NAME).stored(Codec::None)
}

async fn scene(codec: Codec, way: Way) -> Scene {
    let mut world = World::new();
    let mut after = 0;
    let mut saved = Vec::new();
    for codec in [Codec::None, codec] {
        world.codec = codec;
        let pipeline = world.good_pipeline();
        let order = Order {
            name: name_of(NAME),
            class: Class::OneOff,
            after,
            shrunk: None,
            replaces: true,
        };
        let done = pipeline.save(&order, &|_, _| {}).await.expect("a save");
        let manifest = copied(&pipeline, done).await;
        after = manifest.order;
        let stored = world
            .local
            .get(&name_of(NAME).stored(codec))
            .expect("it is kept");
        saved.push((manifest, stored));
    }
    let (manifest, archive) = saved.remove(1);
    let (first, older) = saved.remove(0);
    let newer = Bytes::from(decode(&archive, codec));
    assert_ne!(older, newer);
    if way != Way::Unpacked {
        world
            .local
            .delete(&manifest.name.stored(codec))
            .await
            .expect("memory");
        write(&world.local, &first.name.manifest(), &first.to_bytes()).await;
    }
    write(&world.local, &raw(), &older).await;
    Scene {
        world,
        archive,
        manifest,
        older,
        newer,
        scratch: tempfile::tempdir().expect("a directory"),
    }
}

impl Scene {
    async fn bring(&self, way: Way, faults: &Faults) -> Result<(), PlainError> {
        let local = Faulty::new(self.world.local.clone(), faults.clone());
        let remote = Faulty::new(self.world.remote.clone(), faults.clone());
        let (name, scratch) = (name_of(NAME), Scratch::new(self.scratch.path()));
        match way {
            Way::Fetched => {
                let found = image::find(&remote, NAME).await?.expect("it is there");
                plain::fetch(&remote, &local, &name, &found, &scratch).await?;
            }
            Way::Unpacked => {
                let archive = name.stored(self.manifest.stored.codec);
                plain::unpack(&local, &name, &archive, &scratch).await?;
            }
            Way::Handed => {
                let size = self.newer.len() as u64;
                let mut copy = Plain::begin(&local, &name, Some(size)).await?;
                let mut rest = self.newer.clone();
                while !rest.is_empty() {
                    copy.push(rest.split_to(rest.len().min(4096))).await?;
                }
                copy.finish(&local).await?;
            }
        }
        Ok(())
    }

    /// What lies there once the copy came.
    fn came(&self, way: Way) {
        let world = &self.world;
        assert!(world.local.get(&raw()).as_ref() == Some(&self.newer));
        let name = name_of(NAME);
        let archive = world.local.get(&name.stored(self.manifest.stored.codec));
        let beside = world.local.get(&name.manifest());
        let told = beside.map(|bytes| Manifest::read(&name, &bytes).expect("a manifest"));
        if way == Way::Handed {
            // Nothing is known of what another node gave.
            assert!(told.is_none());
        } else {
            assert!(archive.as_ref() == Some(&self.archive));
            assert_eq!(told.as_ref(), Some(&self.manifest));
        }
    }
}

async fn each_effect(codec: Codec, way: Way, fault: Fault) {
    let good = Faults::none();
    let there = scene(codec, way).await;
    there.bring(way, &good).await.expect("a good run");
    there.came(way);
    there.world.promises().await;
    assert!(good.count() >= 6, "{way:?}: {:?}", good.effects());
    for number in 1..=good.count() {
        let there = scene(codec, way).await;
        let faults = Faults::at(number, fault, ErrorKind::Unavailable);
        let result = there.bring(way, &faults).await;
        quiet().await;
        let effect = faults.effects()[number - 1];
        let context = format!("{fault:?} of effect {number}, {effect:?}, {codec:?} {way:?}");
        let held = there.world.local.get(&raw());
        let is_new = held.as_ref() == Some(&there.newer);
        assert!(is_new || held.as_ref() == Some(&there.older), "{context}");
        assert!(is_new || result.is_err(), "{context}");
        there.world.promises().await;
        // RKE starts the container again.
        let again = there.bring(way, &Faults::none()).await;
        again.unwrap_or_else(|error| panic!("{context}: {error}"));
        there.came(way);
        there.world.promises().await;
    }
}

async fn each_way(fault: Fault) {
    for codec in [Codec::Zip, Codec::Zstd] {
        for way in [Way::Fetched, Way::Unpacked, Way::Handed] {
            each_effect(codec, way, fault).await;
        }
    }
}

#[tokio::test]
async fn a_plain_copy_whose_effect_fails_leaves_the_older_one_or_is_whole() {
    each_way(Fault::Fail).await;
}

#[tokio::test]
async fn a_plain_copy_whose_answer_is_lost_leaves_the_older_one_or_is_whole() {
    each_way(Fault::Lost).await;
}

#[tokio::test]
async fn a_plain_copy_that_is_cut_by_the_end_of_the_process_leaves_the_older_one_or_is_whole() {
    each_way(Fault::Crash).await;
}
