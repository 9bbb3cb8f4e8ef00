//! A store with a bucket's ways: it may be slow, full, and may refuse deletions.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rollsnap_store::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, ReadBack, Remark, Store, StoreError,
    Terms, Ticket, Upload,
};
use tokio::time::sleep;

/// The ways of a bucket. Clones are one bucket's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pace: Duration,
    read_pace: Duration,
    deletes: Deletes,
    quota: Option<usize>,
    remarks: Vec<Remark>,
}

/// What becomes of a deletion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Deletes {
    #[default]
    Granted,
    Refused,
    /// What is there is under a lock.
    Locked,
}

impl Ways {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Takes no object where so many are, from now on.
    pub(crate) fn holds_at_most(&self, objects: usize) {
        self.state().quota = Some(objects);
    }

    /// Finds this out about itself.
    pub(crate) fn remark(&self, message: &str) {
        self.state().remarks.push(Remark {
            message: message.to_owned(),
            hint: String::from("see to it"),
        });
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
        let quota = self.ways.state().quota;
        if let Some(quota) = quota
            && self.inner.list("").await?.len() >= quota
        {
            let (kind, why) = (ErrorKind::Denied, "the quota is used up");
            return Err(StoreError::new(kind, "put", self.location(), name, why));
        }
        let inner = self.inner.begin(name, terms).await?;
        let ways = self.ways.clone();
        Ok(Box::new(BucketUpload { inner, ways }))
    }

    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        let inner = self.inner.resume(name, ticket, content).await?;
        let ways = self.ways.clone();
        Ok(inner.map(|inner| Box::new(BucketUpload { inner, ways }) as _))
    }

    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        self.inner.forget(name, ticket).await
    }

    fn remarks(&self) -> Vec<Remark> {
        std::mem::take(&mut self.ways.state().remarks)
    }

    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        self.inner.sweep(ours, before).await
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
        let deletes = self.ways.state().deletes;
        let refused = |kind, why| StoreError::new(kind, "delete", self.location(), name, why);
        match deletes {
            Deletes::Granted => self.inner.delete(name).await,
            Deletes::Refused => Err(refused(ErrorKind::Denied, "no right")),
            Deletes::Locked => Err(refused(ErrorKind::Locked, "it is locked")),
        }
    }
}

struct BucketUpload {
    inner: Box<dyn Upload>,
    ways: Ways,
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
        self.ways.walk().await;
        self.inner.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        self.ways.walk().await;
        self.inner.commit().await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.abort().await
    }
}
