//! Snapshots in a bucket: of few pages few bytes are fetched, and nothing twice.

use std::fs;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use rollsnap_engine::Kind;
use rollsnap_engine::image::{self, Access, Image, ImageError, Remote};
use rollsnap_snapfile::ReadAt;
use rollsnap_store::memory::Memory;
use rollsnap_store::s3::{Credentials, S3Config, S3Store, Tuning};
use rollsnap_store::{BoxRead, Location, ObjectInfo, ObjectName, Store, StoreError, Terms, Upload};
use rollsnap_testkit::s3_peer::{ACCESS_KEY, Fault, Rule, S3Peer, SECRET_KEY};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::kit::{NAME, database, frames, scratch, whole, zip, zstd};

const MIB: u64 = 1 << 20;
const BLOCK: u64 = 128 << 10;

/// A store that counts the bytes it gives.
#[derive(Debug)]
struct Counted {
    store: Arc<dyn Store>,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            store,
            bytes: Arc::default(),
        })
    }

    fn fetched(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, pieces: BoxRead) -> BoxRead {
        let bytes = Arc::clone(&self.bytes);
        let count = move |piece: &bytes::Bytes| {
            bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        };
        pieces.inspect_ok(count).boxed()
    }
}

#[async_trait]
impl Store for Counted {
    fn location(&self) -> &Location {
        self.store.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        self.store.begin(name, terms).await
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        Ok(self.count(self.store.read(name, range).await?))
    }

    async fn read_part(
        &self,
        object: &ObjectInfo,
        range: Range<u64>,
    ) -> Result<BoxRead, StoreError> {
        Ok(self.count(self.store.read_part(object, range).await?))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.store.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.store.delete(name).await
    }
}

/// A bucket with one object in it.
struct World {
    peer: S3Peer,
    store: Arc<Counted>,
    object: ObjectInfo,
}

impl World {
    async fn with(stored: &[u8]) -> Self {
        let peer = S3Peer::start("snapshots").await;
        fs::write(peer.dir().join("snapshots/x"), stored).unwrap();
        let config = S3Config {
            endpoint: peer.endpoint(),
            region: Some("us-east-1".to_owned()),
            bucket: "snapshots".to_owned(),
            credentials: Credentials::new(ACCESS_KEY, SECRET_KEY).into(),
            tuning: Tuning {
                tries: 3,
                first_delay: Duration::from_millis(1),
                max_delay: Duration::from_millis(10),
                ..Tuning::default()
            },
            ..S3Config::default()
        };
        let store = Counted::new(Arc::new(S3Store::open(&config).unwrap()));
        let object = store.list("x").await.unwrap().remove(0);
        peer.forget();
        Self {
            peer,
            store,
            object,
        }
    }

    /// Opens it and does something with the image, on a thread for blocking work.
    async fn open<T: Send + 'static>(
        &self,
        access: Access,
        then: impl FnOnce(Result<Image, ImageError>) -> T + Send + 'static,
    ) -> T {
        let store: Arc<dyn Store> = Arc::<Counted>::clone(&self.store);
        let object = self.object.clone();
        let runtime = Handle::current();
        let work = move || {
            let heed = &mut |_, _| ControlFlow::Continue(());
            let opened = Image::of_object(&store, &object, &runtime, access, &scratch(), heed);
            then(opened)
        };
        spawn_blocking(work).await.unwrap()
    }

    fn fetched(&self) -> u64 {
        self.store.fetched()
    }

    fn gets(&self) -> usize {
        self.peer.count(&Method::GET, "")
    }
}

/// Reads pages at these places and compares them.
fn compare(image: &dyn ReadAt, plain: &[u8], places: &[u64]) {
    for place in places {
        let mut page = vec![0; 4096];
        image.read_at(*place, &mut page).unwrap();
        let from = usize::try_from(*place).unwrap();
        assert!(page == plain[from..from + 4096], "at {place}");
    }
}

/// Pages of a tree: the metas, a branch, some leaves, one of them on two blocks.
const PLACES: [u64; 8] = [
    0,
    4096,
    10 * MIB,
    4 * MIB,
    4 * MIB + 4096,
    15 * MIB,
    5 * BLOCK - 2048,
    4096,
];

#[tokio::test(flavor = "multi_thread")]
async fn of_few_pages_only_their_blocks_are_fetched() {
    let plain = database(16 << 20, 1);
    let world = World::with(&plain).await;
    let same = plain.clone();
    let read = move |image: Result<Image, _>| compare(&image.unwrap(), &same, &PLACES);
    world.open(Access::Few, read).await;
    assert_eq!(world.fetched(), 6 * BLOCK);
    assert_eq!(world.gets(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_few_pages_only_their_frames_are_fetched() {
    let plain = database(16 << 20, 1);
    let stored = frames(&plain);
    let world = World::with(&stored).await;
    let same = plain.clone();
    let read = move |image: Result<Image, _>| compare(&image.unwrap(), &same, &PLACES);
    world.open(Access::Few, read).await;
    let (fetched, all) = (world.fetched(), stored.len() as u64);
    assert!(fetched < all / 2, "{fetched} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scattered_reads_hold_a_bounded_number_of_blocks() {
    let plain = database(16 << 20, 1);
    let memory = Memory::default();
    let name = ObjectName::new("x").unwrap();
    let mut upload = memory.begin(&name, Terms::replacing()).await.unwrap();
    upload.write(plain.clone().into()).await.unwrap();
    let object = upload.commit().await.unwrap();
    let store = Counted::new(Arc::new(memory));
    let remote = Remote::new(store.clone(), object, Handle::current());
    let read = move || {
        let places: Vec<_> = (0..128).map(|block| block * BLOCK).collect();
        compare(&remote, &plain, &places);
        // The last 64 blocks are held, those before are not.
        compare(&remote, &plain, &places[64..]);
        compare(&remote, &plain, &places[..1]);
    };
    spawn_blocking(read).await.unwrap();
    assert_eq!(store.fetched(), 129 * BLOCK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_whole_is_fetched_once() {
    let plain = database(2 << 20, 1);
    for stored in [
        plain.clone(),
        frames(&plain),
        zstd(&plain),
        zip(&[(NAME, &plain)]),
    ] {
        let world = World::with(&stored).await;
        let read = |image: Result<Image, _>| whole(&image.unwrap()).unwrap();
        assert!(world.open(Access::All, read).await == plain);
        assert_eq!((world.fetched(), world.gets()), (stored.len() as u64, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sought_is_fetched_once_after_a_look() {
    let plain = database(3 << 20, 1);
    let stored = zip(&[(NAME, &plain)]);
    let world = World::with(&stored).await;
    let same = plain.clone();
    let read = move |image: Result<Image, _>| compare(&image.unwrap(), &same, &[0, MIB]);
    world.open(Access::Few, read).await;
    assert!(world.fetched() <= stored.len() as u64 + 2 * BLOCK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_comes_short_is_gone_on_with() {
    let plain = database(1 << 20, 1);
    let world = World::with(&plain).await;
    let rule = Rule::on(Method::GET, Fault::CutBody(1000));
    world.peer.script(rule.times(2));
    let same = plain.clone();
    let read = move |image: Result<Image, _>| compare(&image.unwrap(), &same, &[0]);
    world.open(Access::Few, read).await;
    assert_eq!((world.gets(), world.fetched()), (3, BLOCK));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_is_gone_on_with_and_each_byte_comes_once() {
    let plain = database(1 << 20, 1);
    for stored in [plain.clone(), zstd(&plain), zip(&[(NAME, &plain)])] {
        let world = World::with(&stored).await;
        let rule = Rule::on(Method::GET, Fault::CutBody(stored.len() / 7));
        world.peer.script(rule.times(5));
        let read = |image: Result<Image, _>| whole(&image.unwrap()).unwrap();
        assert!(world.open(Access::All, read).await == plain);
        assert_eq!((world.fetched(), world.gets()), (stored.len() as u64, 6));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_comes_short_for_good_is_an_error_of_the_bucket() {
    let plain = database(1 << 20, 1);
    for stored in [plain.clone(), zstd(&plain), zip(&[(NAME, &plain)])] {
        let world = World::with(&stored).await;
        let cut = |len| Rule::on(Method::GET, Fault::CutBody(len));
        world.peer.script(cut(stored.len() / 2));
        world.peer.script(cut(0).times(99));
        let error = world.open(Access::All, Result::unwrap_err).await;
        assert_eq!(error.kind(), Kind::Store, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_two_objects_never_mix() {
    let plain = database(1 << 20, 1);
    for (other, access) in [
        (database(2 << 20, 2), Access::Few),
        (database(300_000, 2), Access::Few),
        (database(1 << 20, 2), Access::Few),
        (database(2 << 20, 2), Access::All),
        (database(300_000, 2), Access::All),
    ] {
        let world = World::with(&plain).await;
        let file = world.peer.dir().join("snapshots/x");
        let exchange = access == Access::All;
        if exchange {
            fs::write(&file, &other).unwrap();
        }
        let read = move |image: Result<Image, ImageError>| match image {
            Err(error) => error.kind(),
            Ok(image) => {
                image.read_at(0, &mut [0; 4096]).unwrap();
                fs::write(&file, &other).unwrap();
                let error = image.read_at(MIB / 2, &mut [0; 4096]).unwrap_err();
                image::kind_of(&error)
            }
        };
        assert_eq!(world.open(access, read).await, Kind::Corrupt);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_told_as_the_bucket_tells_it() {
    for access in [Access::Few, Access::All] {
        let world = World::with(&database(1 << 20, 1)).await;
        fs::remove_file(world.peer.dir().join("snapshots/x")).unwrap();
        let error = world.open(access, Result::unwrap_err).await;
        assert_eq!(error.kind(), Kind::Config);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("s3://snapshots/x"), "{cause}");
    }
}
