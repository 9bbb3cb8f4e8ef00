//! A store whose uploads are never dropped without a word.
//!
//! An [`Upload`] that is merely dropped is invisible, but a bucket keeps its parts, and bills
//! for them. Futures here are dropped wherever they wait: by a stop, by a limit, by a save that
//! failed. So what drops an upload need not care: the abort follows by itself, and whoever ends
//! the program waits for it. Or the upload is written down, and a later run goes on with it or
//! frees it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rollsnap_store::{
    BoxRead, Effort, ErrorKind, Location, ObjectInfo, ObjectName, Probe, ReadBack, Remark, Store,
    StoreError, Terms, Ticket, Upload,
};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::tickets::Tickets;

/// A store around another. An upload of it that is dropped is aborted, unless its ticket was
/// written down; a commit or an abort that is no longer waited for goes on. Clones share their
/// uploads.
#[derive(Clone)]
pub struct Tended {
    inner: Arc<dyn Store>,
    tickets: Option<Tickets>,
    uploads: TaskTracker,
}

impl Tended {
    /// Tends the uploads to `inner`.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let uploads = TaskTracker::new();
        // Only then can an end be waited for; uploads may begin all the same.
        uploads.close();
        Self {
            inner,
            tickets: None,
            uploads,
        }
    }

    /// Writes tickets down, for a later run that looks for them there. Not of what replaces an
    /// older object: that is small and soon done again.
    #[must_use]
    pub fn noting(self, tickets: Tickets) -> Self {
        Self {
            tickets: Some(tickets),
            ..self
        }
    }

    fn tend(
        &self,
        upload: Box<dyn Upload>,
        note: Option<Note>,
        token: TaskTrackerToken,
    ) -> Box<dyn Upload> {
        Box::new(TendedUpload {
            upload: Some(upload),
            note,
            location: self.inner.location().clone(),
            uploads: self.uploads.clone(),
            _token: token,
        })
    }

    fn note(&self, object: &ObjectName, is_written: bool) -> Option<Note> {
        self.tickets.clone().map(|tickets| Note {
            tickets,
            object: object.clone(),
            is_written,
        })
    }

    /// Waits until no upload is left, at most so long. What is left then stays invisible in the
    /// bucket until its own rules remove it.
    pub async fn rest(&self, most: Duration) {
        let _ = timeout(most, self.uploads.wait()).await;
    }
}

impl fmt::Debug for Tended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tended({})", self.inner.location())
    }
}

#[async_trait]
impl Store for Tended {
    fn location(&self) -> &Location {
        self.inner.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        // Counted before it exists: nobody must think in between that there is none.
        let token = self.uploads.token();
        let note = self.note(name, false).filter(|_| !terms.replaces);
        if let Some(note) = &note {
            note.forget_earlier(&*self.inner).await?;
        }
        let upload = self.inner.begin(name, terms).await?;
        Ok(self.tend(upload, note, token))
    }

    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        let token = self.uploads.token();
        let upload = self.inner.resume(name, ticket, content).await?;
        // Whoever has a ticket has it from where it was written down.
        Ok(upload.map(|upload| self.tend(upload, self.note(name, true), token)))
    }

    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        self.inner.forget(name, ticket).await
    }

    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        self.inner.sweep(ours, before).await
    }

    async fn probe(&self, effort: Effort) -> Vec<Probe> {
        self.inner.probe(effort).await
    }

    fn remarks(&self) -> Vec<Remark> {
        self.inner.remarks()
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        self.inner.read(name, range).await
    }

    async fn read_part(
        &self,
        object: &ObjectInfo,
        range: Range<u64>,
    ) -> Result<BoxRead, StoreError> {
        self.inner.read_part(object, range).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.inner.delete(name).await
    }
}

/// Why an upload is still held.
const HELD: &str = "only commit and abort give the upload up, and they take all of this";

/// Where the ticket of one upload is written down.
struct Note {
    tickets: Tickets,
    object: ObjectName,
    is_written: bool,
}

impl Note {
    /// Frees what a run that died in this very second sent of its snapshot of the same name: the
    /// new ticket takes the place of the old one.
    async fn forget_earlier(&self, remote: &dyn Store) -> Result<(), StoreError> {
        match self.tickets.find(&self.object).await {
            Ok(Some(ticket)) => remote.forget(&self.object, &ticket).await,
            // Where it cannot be read, the sweep of a later day frees it.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Writes a ticket down, once. Where that fails the upload goes on without: it is then
    /// aborted if it is dropped, as it would be without a ticket.
    async fn write(&mut self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket.filter(|_| !self.is_written) {
            self.is_written = self.tickets.put(&self.object, &ticket).await.is_ok();
        }
    }

    /// The upload is over. A ticket that stays is one of an upload that is gone, which whoever
    /// looks for it next finds out.
    async fn strike(self) {
        if self.is_written {
            let _ = self.tickets.remove(&self.object).await;
        }
    }
}

struct TendedUpload {
    /// Here until it is committed or aborted, which both take all of it.
    upload: Option<Box<dyn Upload>>,
    note: Option<Note>,
    location: Location,
    uploads: TaskTracker,
    /// Given back last, when what a drop began is counted already.
    _token: TaskTrackerToken,
}

impl TendedUpload {
    /// Lets a commit or an abort go on by itself, and waits for its end.
    async fn end<T, E>(
        mut self: Box<Self>,
        end: impl FnOnce(Box<dyn Upload>) -> E,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        E: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (upload, note) = (self.upload.take().expect(HELD), self.note.take());
        let end = end(upload);
        let task = self.uploads.spawn(async move {
            let done = end.await?;
            if let Some(note) = note {
                note.strike().await;
            }
            Ok(done)
        });
        task.await.unwrap_or_else(|error| {
            let kind = ErrorKind::Unavailable;
            let message = "its task ended early";
            Err(StoreError::at(kind, "upload to", &self.location, message).caused_by(error))
        })
    }
}

#[async_trait]
impl Upload for TendedUpload {
    fn part_size(&self) -> usize {
        self.upload.as_ref().expect(HELD).part_size()
    }

    fn written(&self) -> u64 {
        self.upload.as_ref().expect(HELD).written()
    }

    fn ticket(&self) -> Option<Ticket> {
        self.upload.as_ref().and_then(|upload| upload.ticket())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let upload = self.upload.as_mut().expect(HELD);
        upload.write(bytes).await?;
        if let Some(note) = &mut self.note {
            note.write(upload.ticket()).await;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        self.end(Upload::commit).await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.end(Upload::abort).await
    }
}

impl Drop for TendedUpload {
    fn drop(&mut self) {
        if self.note.as_ref().is_some_and(|note| note.is_written) {
            return;
        }
        // Without a runtime the process is at its end, and nothing can be sent any more.
        if let (Some(upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) {
            self.uploads.spawn_on(
                async move {
                    let _ = upload.abort().await;
                },
                &runtime,
            );
        }
    }
}
