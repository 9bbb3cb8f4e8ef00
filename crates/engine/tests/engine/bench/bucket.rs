//! A store with a bucket's ways: it keeps the parts of what nobody ends, may be slow, and may
//! refuse deletions.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rollsnap_store::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, Store, StoreError, Terms, Ticket, Upload,
};
use tokio::time::sleep;

/// The ways of a bucket. Clones are one bucket's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pending: usize,
    pace: Duration,
    read_pace: Duration,
    deletes: Deletes,
}

/// What becomes of a deletion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Deletes {
    #[default]
    Granted,
    Refused,
}

impl Ways {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uploads that were written to and neither committed nor aborted: what somebody pays for.
    pub(crate) fn pending(&self) -> usize {
        self.state().pending
    }

    /// Lets every write and commit take so long from now on.
    pub(crate) fn pace(&self, pace: Duration) {
        self.state().pace = pace;
    }

    /// Lets every read of a snapshot take so long from now on, and manifests none.
    pub(crate) fn read_pace(&self, pace: Duration) {
        self.state().read_pace = pace;
    }

    pub(crate) fn deletes(&self, deletes: Deletes) {
        self.state().deletes = deletes;
    }

    async fn walk_to(&self, name: &ObjectName) {
        let pace = self.state().read_pace;
        if !name.as_str().ends_with(".manifest.json") {
            sleep(pace).await;
        }
    }

    async fn walk(&self) {
        let pace = self.state().pace;
        sleep(pace).await;
    }
}

/// A store that goes these ways.
#[derive(Debug, Clone)]
pub(crate) struct Bucket<S> {
    inner: S,
    ways: Ways,
}

impl<S> Bucket<S> {
    pub(crate) fn new(inner: S, ways: Ways) -> Self {
        Self { inner, ways }
    }
}

#[async_trait]
impl<S: Store> Store for Bucket<S> {
    fn location(&self) -> &Location {
        self.inner.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        let inner = self.inner.begin(name, terms).await?;
        let ways = self.ways.clone();
        let kept = 0;
        Ok(Box::new(BucketUpload { inner, ways, kept }))
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        self.ways.walk_to(name).await;
        self.inner.read(name, range).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        if self.ways.state().deletes == Deletes::Refused {
            let (kind, location) = (ErrorKind::Denied, self.location());
            return Err(StoreError::new(kind, "delete", location, name, "no right"));
        }
        self.inner.delete(name).await
    }
}

struct BucketUpload {
    inner: Box<dyn Upload>,
    ways: Ways,
    /// One from the first write on.
    kept: usize,
}

impl BucketUpload {
    fn keep(&mut self) {
        self.ways.state().pending += 1 - self.kept;
        self.kept = 1;
    }
}

#[async_trait]
impl Upload for BucketUpload {
    fn part_size(&self) -> usize {
        self.inner.part_size()
    }

    fn written(&self) -> u64 {
        self.inner.written()
    }

    fn ticket(&self) -> Option<Ticket> {
        self.inner.ticket()
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.keep();
        self.ways.walk().await;
        self.inner.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        self.ways.walk().await;
        let Self { inner, ways, kept } = *self;
        let done = inner.commit().await;
        ways.state().pending -= kept;
        done
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        let Self { inner, ways, kept } = *self;
        let done = inner.abort().await;
        ways.state().pending -= kept;
        done
    }
}
