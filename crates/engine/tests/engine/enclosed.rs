//! What goes into a zip beside the snapshot, and that no save fails by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rollsnap_engine::codec::pages;
use rollsnap_engine::enclosure::{Enclosed, Enclosure};
use rollsnap_engine::image::state_in;
use rollsnap_engine::pipeline::Pipeline;
use rollsnap_engine::{Codec, SnapshotName};
use tokio::time::sleep;

use crate::bench::database::golden;
use crate::bench::{Answer, World, content, copied, decode, name_of, order};

const NAME: &str = "2026-05-01T12:00:00Z_etcd";

#[derive(Debug, Default)]
struct State {
    asked: AtomicUsize,
    after: Duration,
    is_broken: bool,
    none: bool,
}

#[async_trait]
impl Enclosure for State {
    async fn enclosed(&self, name: &SnapshotName) -> Option<Enclosed> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        sleep(self.after).await;
        assert!(!self.is_broken, "as a bug of its own would");
        (!self.none).then(|| Enclosed {
            path: format!("/etc/kubernetes/{name}.rkestate"),
            bytes: b"{\"secret\": 1}".to_vec().into(),
            mode: 0o400,
        })
    }
}

fn world(codec: Codec, state: &Arc<State>) -> (World, Pipeline) {
    let mut world = World::new();
    world.codec = codec;
    world.enclosure = Some(Arc::clone(state) as _);
    world.member.holds(golden());
    let pipeline = world.good_pipeline();
    (world, pipeline)
}

/// The state in what is kept here and in the bucket, which are the same.
async fn saved(world: &World, pipeline: &Pipeline) -> Option<Vec<u8>> {
    let saved = pipeline
        .save(&order(NAME), &|_, _| {})
        .await
        .expect("a good world");
    let manifest = copied(pipeline, saved).await;
    let object = name_of(NAME).stored(pipeline.codec);
    let stored = world.local.get(&object).expect("it is kept");
    assert_eq!(world.remote.get(&object).as_ref(), Some(&stored));
    assert_eq!(content(&stored), manifest.stored.content);
    assert!(decode(&stored, pipeline.codec) == golden());
    let pages = pages(
        Box::new(crate::encoded::Held(stored.to_vec())),
        pipeline.codec,
    );
    let size = pages.and_then(|pages| pages.size()).expect("a table");
    assert_eq!(size, golden().len() as u64);
    world.healed().await;
    let state = state_in(&stored.to_vec()).expect("a sound zip");
    state.map(|state| state.to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_zip_holds_what_is_enclosed_and_nothing_else_asks_for_it() {
    for codec in Codec::ALL {
        let state = Arc::default();
        let (world, pipeline) = world(codec, &state);
        let found = saved(&world, &pipeline).await;
        let is_zip = codec == Codec::Zip;
        assert_eq!(found.is_some(), is_zip, "{codec:?}");
        assert_eq!(state.asked.load(Ordering::Relaxed), usize::from(is_zip));
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_looked_for_while_the_stream_comes() {
    let state = Arc::new(State {
        after: Duration::from_secs(5),
        ..State::default()
    });
    let (world, pipeline) = world(Codec::Zip, &state);
    world.member.then([Answer::Paced(Duration::from_secs(1))]);
    let took = pipeline.save(&order(NAME), &|_, _| {}).await.unwrap().took;
    let mut bare = World::new();
    bare.codec = Codec::Zip;
    bare.member.holds(golden());
    bare.member.then([Answer::Paced(Duration::from_secs(1))]);
    let alone = bare.good_pipeline().save(&order(NAME), &|_, _| {}).await;
    let alone = alone.unwrap().took;
    assert!(took < alone + Duration::from_secs(5), "{took:?} {alone:?}");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_saved_without_what_cannot_be_had() {
    for state in [
        State {
            none: true,
            ..State::default()
        },
        State {
            is_broken: true,
            ..State::default()
        },
    ] {
        let state = Arc::new(state);
        let (world, pipeline) = world(Codec::Zip, &state);
        assert_eq!(saved(&world, &pipeline).await, None, "{state:?}");
    }
}

#[test]
fn what_is_enclosed_is_never_printed() {
    let enclosed = Enclosed {
        path: "/etc/kubernetes/n.rkestate".to_owned(),
        bytes: b"secret".to_vec().into(),
        mode: 0o400,
    };
    let said = format!("{enclosed:?}");
    assert!(
        said.contains("n.rkestate") && said.contains("400"),
        "{said}"
    );
    assert!(!said.contains("secret") && !said.contains("115"), "{said}");
}
