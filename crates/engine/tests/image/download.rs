//! A snapshot that is fetched whole: in parts that come together, in order and bounded.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rollsnap_engine::Kind;
use rollsnap_engine::image::{Access, Image, ImageError};
use rollsnap_store::memory::Memory;
use rollsnap_store::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, Store, StoreError, Terms, Upload,
};
use tokio::runtime::Handle;
use tokio::sync::Barrier;
use tokio::task::spawn_blocking;

use crate::kit::{database, scratch, whole};

const PART: usize = 2 << 20;
const PARTS: usize = 8;

/// What becomes of the part that begins at a place.
type Fate = dyn Fn(u64) -> Result<(), ErrorKind> + Send + Sync;

/// A store that gives parts only when so many are asked for, and counts how many are.
struct Together {
    store: Memory,
    gate: Barrier,
    now: AtomicUsize,
    peak: AtomicUsize,
    asked: AtomicUsize,
    fate: Box<Fate>,
}

impl Together {
    async fn with(
        content: &[u8],
        at_once: usize,
        fate: impl Fn(u64) -> Result<(), ErrorKind> + Send + Sync + 'static,
    ) -> (Arc<Self>, ObjectInfo) {
        let store = Memory::default();
        let name = ObjectName::new("x").unwrap();
        let mut upload = store.begin(&name, Terms::replacing()).await.unwrap();
        upload.write(content.to_vec().into()).await.unwrap();
        let object = upload.commit().await.unwrap();
        let together = Self {
            store,
            gate: Barrier::new(at_once),
            now: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            fate: Box::new(fate),
        };
        (Arc::new(together), object)
    }

    /// Fetches the whole, on a thread for blocking work.
    async fn fetch(self: &Arc<Self>, object: ObjectInfo) -> Result<Vec<u8>, ImageError> {
        let store: Arc<dyn Store> = Arc::<Self>::clone(self);
        let runtime = Handle::current();
        let work = move || {
            let heed = &mut |_, _| ControlFlow::Continue(());
            let opened = Image::of_object(&store, &object, &runtime, Access::All, &scratch(), heed);
            opened.map(|image| whole(&image).unwrap())
        };
        spawn_blocking(work).await.unwrap()
    }
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Together")
    }
}

#[async_trait]
impl Store for Together {
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
        self.store.read(name, range).await
    }

    async fn read_part(
        &self,
        object: &ObjectInfo,
        range: Range<u64>,
    ) -> Result<BoxRead, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        self.gate.wait().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        match (self.fate)(range.start) {
            Ok(()) => self.store.read_part(object, range).await,
            // More bytes than were asked for.
            Err(ErrorKind::Corrupt) => {
                Ok(stream::iter([Ok(Bytes::from(vec![0; PART + 1]))]).boxed())
            }
            Err(kind) => {
                let (location, name) = (self.location(), &object.name);
                Err(StoreError::new(kind, "read", location, name, "on purpose"))
            }
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.store.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.store.delete(name).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_together_and_in_order_and_never_more_than_fit() {
    // No part comes before eight are asked for: one after the other would wait for ever.
    let plain = database(2 * PARTS * PART, 1);
    let (store, object) = Together::with(&plain, PARTS, |_| Ok(())).await;
    assert!(store.fetch(object).await.unwrap() == plain);
    assert_eq!(store.asked.load(Ordering::SeqCst), 2 * PARTS);
    assert_eq!(store.peak.load(Ordering::SeqCst), PARTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_part_is_as_long_as_what_is_left() {
    for len in [PART - 1, PART, PART + 1, 3 * PART + 77] {
        let plain = database(len, 1);
        let (store, object) = Together::with(&plain, 1, |_| Ok(())).await;
        assert!(store.fetch(object).await.unwrap() == plain, "{len}");
        assert_eq!(store.asked.load(Ordering::SeqCst), len.div_ceil(PART));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_had_or_is_too_long_ends_it_and_no_later_one_takes_its_place() {
    for (kind, expected) in [
        (ErrorKind::Denied, Kind::Denied),
        (ErrorKind::Corrupt, Kind::Corrupt),
    ] {
        for struck in [0, 1, 9, 19] {
            let at = (struck * PART) as u64;
            let plain = database(20 * PART, 1);
            let fate = move |start| if start == at { Err(kind) } else { Ok(()) };
            let (store, object) = Together::with(&plain, 1, fate).await;
            let error = store.fetch(object).await.unwrap_err();
            assert_eq!(error.kind(), expected, "part {struck}: {error:?}");
            let asked = store.asked.load(Ordering::SeqCst);
            assert!(asked <= struck + PARTS, "{asked} were asked for");
        }
    }
}
