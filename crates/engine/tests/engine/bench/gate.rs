//! A store whose every call passes a gate: open, giving way to others, or shut.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rollsnap_store::{
    BoxRead, Location, ObjectInfo, ObjectName, ReadBack, Remark, Spool, SpoolStore, Store,
    StoreError, Tail, Terms, Ticket, Upload,
};
use tokio::sync::watch;
use tokio::task::yield_now;

/// What a call meets. Clones are one gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<watch::Sender<Way>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Each call waits for its turn before and after it does its work.
    Winding,
    /// No call gets through until the gate opens.
    Shut,
}

impl Gate {
    fn new(way: Way) -> Self {
        Self(Arc::new(watch::Sender::new(way)))
    }

    pub(crate) fn open() -> Self {
        Self::new(Way::Open)
    }

    pub(crate) fn winding() -> Self {
        Self::new(Way::Winding)
    }

    pub(crate) fn shut(&self) {
        self.0.send_replace(Way::Shut);
    }

    pub(crate) fn reopen(&self) {
        self.0.send_replace(Way::Open);
    }

    async fn enter(&self) {
        let mut way = self.0.subscribe();
        let way = *way
            .wait_for(|way| *way != Way::Shut)
            .await
            .expect("the gate stands as long as its store");
        if way == Way::Winding {
            yield_now().await;
        }
    }

    async fn leave(&self) {
        if *self.0.borrow() == Way::Winding {
            yield_now().await;
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S> Gated<S> {
    pub(crate) fn new(inner: S, gate: Gate) -> Self {
        Self { inner, gate }
    }

    fn wrap<U: ?Sized>(&self, inner: Box<U>) -> GatedUpload<U> {
        GatedUpload {
            inner,
            gate: self.gate.clone(),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Gated<S> {
    fn location(&self) -> &Location {
        self.inner.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        self.gate.enter().await;
        let upload = self.inner.begin(name, terms).await?;
        self.gate.leave().await;
        Ok(Box::new(self.wrap(upload)))
    }

    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        self.gate.enter().await;
        let upload = self.inner.resume(name, ticket, content).await?;
        self.gate.leave().await;
        Ok(upload.map(|upload| Box::new(self.wrap(upload)) as _))
    }

    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        self.gate.enter().await;
        let done = self.inner.forget(name, ticket).await;
        self.gate.leave().await;
        done
    }

    fn remarks(&self) -> Vec<Remark> {
        self.inner.remarks()
    }

    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        self.gate.enter().await;
        let swept = self.inner.sweep(ours, before).await;
        self.gate.leave().await;
        swept
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        self.gate.enter().await;
        let read = self.inner.read(name, range).await;
        self.gate.leave().await;
        read
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.gate.enter().await;
        let list = self.inner.list(prefix).await;
        self.gate.leave().await;
        list
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.gate.enter().await;
        let done = self.inner.delete(name).await;
        self.gate.leave().await;
        done
    }
}

#[async_trait]
impl<S: SpoolStore> SpoolStore for Gated<S> {
    async fn spool(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Spool>, StoreError> {
        self.gate.enter().await;
        let spool = self.inner.spool(name, terms).await?;
        self.gate.leave().await;
        Ok(Box::new(self.wrap(spool)))
    }

    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ReadBack>, StoreError> {
        self.gate.enter().await;
        let opened = self.inner.open(name).await;
        self.gate.leave().await;
        opened
    }
}

struct GatedUpload<U: ?Sized> {
    inner: Box<U>,
    gate: Gate,
}

#[async_trait]
impl<U: Upload + ?Sized> Upload for GatedUpload<U> {
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
        self.gate.enter().await;
        let done = self.inner.write(bytes).await;
        self.gate.leave().await;
        done
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        self.gate.enter().await;
        let done = self.inner.commit().await;
        self.gate.leave().await;
        done
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.gate.enter().await;
        let done = self.inner.abort().await;
        self.gate.leave().await;
        done
    }
}

#[async_trait]
impl Spool for GatedUpload<dyn Spool> {
    fn tail(&self) -> Box<dyn Tail> {
        self.inner.tail()
    }

    fn reader(&self) -> Result<Box<dyn ReadBack>, StoreError> {
        self.inner.reader()
    }

    async fn seal(&mut self) -> Result<(), StoreError> {
        self.gate.enter().await;
        let done = self.inner.seal().await;
        self.gate.leave().await;
        done
    }
}
