//! An object on its way to a bucket.
//!
//! Less than one part is held back and put as one object by `commit`. From the first full part on
//! it is a multipart upload: invisible until completed, each part tried again on its own.
//!
//! Memory: `(parts in flight + 1) × part size` for the bytes, 24 MiB as tuned by default: two
//! parts under way and the one that waits. All of it goes back to the system; see `mapped`.
//!
//! Whether a completion whose reply was lost has happened is told by a mark of our own, set when
//! the upload begins and read back by HEAD. Size and `ETag` would not do: an older object may be
//! equal in both, and not every server makes the `ETag` of the parts.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, DATE, ETAG, HeaderMap, HeaderName, HeaderValue};
use s3::serde_types::{CompleteMultipartUploadData, InitiateMultipartUploadResponse, Part};
use tokio::task::JoinSet;

use super::error::Fault;
use super::request::{BucketClient, Call};
use crate::{ErrorKind, ObjectInfo, ObjectName, StoreError, Upload, mapped};

/// "Multipart upload limits", Amazon S3 User Guide.
const MAX_PARTS: u32 = 10_000;
/// Which upload made an object.
const MARK: HeaderName = HeaderName::from_static("x-amz-meta-rollsnap-upload");

pub(super) struct S3Upload {
    client: Arc<BucketClient>,
    name: ObjectName,
    key: Arc<str>,
    /// How messages call it.
    object: String,
    stamp: HeaderValue,
    /// The bytes that do not fill a part yet.
    held: BytesMut,
    size: u64,
    state: State,
}

enum State {
    /// Nothing was sent.
    Held,
    Parts(Parts),
    /// A call failed, and what the far side held was dropped.
    Failed,
}

/// A multipart upload under way. Dropped, it stops its tasks; what the far side holds stays until
/// its lifecycle rule or a later sweep removes it.
struct Parts {
    id: Arc<str>,
    running: JoinSet<Result<Part, StoreError>>,
    done: Vec<Part>,
    begun: u32,
}

impl S3Upload {
    pub(super) fn new(
        client: Arc<BucketClient>,
        name: ObjectName,
        key: String,
        object: String,
        stamp: HeaderValue,
    ) -> Self {
        Self {
            client,
            name,
            key: key.into(),
            object,
            stamp,
            held: BytesMut::new(),
            size: 0,
            state: State::Held,
        }
    }

    fn part_len(&self) -> usize {
        self.client.tuning().part_size.max(1)
    }

    /// Takes bytes until a part is full, and returns it. Whole parts pass without a copy.
    fn fill(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        let part = self.part_len();
        if self.held.is_empty() && bytes.len() >= part {
            return Some(bytes.split_to(part));
        }
        if self.held.capacity() < part {
            self.held.reserve(mapped::room(part) - self.held.len());
        }
        let taken = bytes.split_to(bytes.len().min(part - self.held.len()));
        self.held.extend_from_slice(&taken);
        (self.held.len() == part).then(|| std::mem::take(&mut self.held).freeze())
    }

    /// Sends one part as soon as fewer than the allowed number are under way.
    async fn send(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if matches!(self.state, State::Held) {
            self.state = State::Parts(self.initiate().await?);
        }
        let State::Parts(parts) = &mut self.state else {
            return Err(self.spent());
        };
        while parts.running.len() >= self.client.tuning().parts_in_flight.max(1) {
            parts.join_one().await?;
        }
        parts.begun += 1;
        let number = parts.begun;
        if number > MAX_PARTS {
            let message = format!("the object has more than {MAX_PARTS} parts");
            return Err(
                StoreError::at(ErrorKind::Config, "write", &self.object, message)
                    .with_hint("use larger parts"),
            );
        }
        let task = PartTask {
            client: Arc::clone(&self.client),
            key: Arc::clone(&self.key),
            id: Arc::clone(&parts.id),
            object: format!("{}: part {number}", self.object),
            number,
        };
        parts.running.spawn(task.run(bytes));
        Ok(())
    }

    async fn initiate(&self) -> Result<Parts, StoreError> {
        let call = Call::new(Method::POST, &self.key)
            .query("uploads", "")
            .header(MARK, self.stamp.clone());
        let begun = self.client.call(&call).await;
        let begun = begun.and_then(|reply| {
            reply.model::<InitiateMultipartUploadResponse>("beginning of an upload")
        });
        let begun = begun.map_err(|fault| self.client.tell("write", &self.object, fault))?;
        Ok(Parts {
            id: begun.upload_id.into(),
            running: JoinSet::new(),
            done: Vec::new(),
            begun: 0,
        })
    }

    /// Puts the whole object at once. No mark is needed: a put whose reply was lost is repeated,
    /// and makes the same object.
    async fn put(&mut self) -> Result<ObjectInfo, StoreError> {
        let bytes = std::mem::take(&mut self.held).freeze();
        let call = Call::new(Method::PUT, &self.key).body(bytes).checked();
        match self.client.call(&call).await {
            Ok(reply) => Ok(self.info(&reply.headers)),
            Err(fault) => Err(self.client.tell("commit", &self.object, fault)),
        }
    }

    async fn complete(&self, parts: &mut Parts) -> Result<ObjectInfo, StoreError> {
        while !parts.running.is_empty() {
            parts.join_one().await?;
        }
        parts.done.sort_by_key(|part| part.part_number);
        let data = CompleteMultipartUploadData {
            parts: std::mem::take(&mut parts.done),
        };
        let call = Call::new(Method::POST, &self.key)
            .query("uploadId", &*parts.id)
            .body(data.to_string().into());
        match self.client.call(&call).await {
            Ok(reply) => Ok(self.info(&reply.headers)),
            Err(fault) => self.settle(fault).await,
        }
    }

    /// After a failed completion: is the object there all the same? Only our own mark proves it.
    async fn settle(&self, fault: Fault) -> Result<ObjectInfo, StoreError> {
        let head = Call::new(Method::HEAD, &self.key);
        if let Ok(reply) = self.client.call(&head).await {
            let size = reply.headers.get(CONTENT_LENGTH);
            let size = size.and_then(|value| value.to_str().ok()?.parse().ok());
            if reply.headers.get(MARK) == Some(&self.stamp) && size == Some(self.size) {
                return Ok(self.info(&reply.headers));
            }
        }
        Err(self.client.tell("commit", &self.object, fault))
    }

    fn info(&self, headers: &HeaderMap) -> ObjectInfo {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        ObjectInfo {
            name: self.name.clone(),
            size: self.size,
            modified: date
                .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
                .map(|date| date.with_timezone(&Utc)),
        }
    }

    /// Frees what the far side holds. Tasks stop first. Then twice: a part that was on the wire
    /// already may land after the first request. What the second one is told does not matter, for
    /// servers have many words for an upload that is gone (s3s says 403).
    async fn drop_parts(&self, mut parts: Parts) -> Result<(), StoreError> {
        parts.running.shutdown().await;
        let call = Call::new(Method::DELETE, &self.key).query("uploadId", &*parts.id);
        match self.client.call(&call).await {
            Ok(_) => {
                let _ = self.client.call(&call).await;
                Ok(())
            }
            Err(fault) if fault.has_code("NoSuchUpload") || fault.has_status(404) => Ok(()),
            Err(fault) => Err(self.client.tell("abort", &self.object, fault)),
        }
    }

    /// Leaves nothing behind, as far as the far side lets us; the first error is the one to tell.
    async fn fail(&mut self) {
        self.held = BytesMut::new();
        if let State::Parts(parts) = std::mem::replace(&mut self.state, State::Failed) {
            let _ = self.drop_parts(parts).await;
        }
    }

    fn spent(&self) -> StoreError {
        let message = "an earlier part of this upload failed";
        StoreError::at(ErrorKind::Unavailable, "write", &self.object, message)
    }
}

#[async_trait]
impl Upload for S3Upload {
    fn part_size(&self) -> usize {
        self.part_len()
    }

    fn written(&self) -> u64 {
        self.size
    }

    async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        if matches!(self.state, State::Failed) {
            return Err(self.spent());
        }
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let Some(part) = self.fill(&mut bytes) else {
                continue;
            };
            if let Err(error) = self.send(part).await {
                self.fail().await;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        if matches!(self.state, State::Held) {
            return self.put().await;
        }
        if !self.held.is_empty() {
            let rest = std::mem::take(&mut self.held).freeze();
            if let Err(error) = self.send(rest).await {
                self.fail().await;
                return Err(error);
            }
        }
        let State::Parts(mut parts) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(self.spent());
        };
        let done = self.complete(&mut parts).await;
        if done.is_err() {
            let _ = self.drop_parts(parts).await;
        }
        done
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Parts(parts) => self.drop_parts(parts).await,
            State::Held | State::Failed => Ok(()),
        }
    }
}

impl Parts {
    /// Waits for one part. The caller saw that one is running.
    async fn join_one(&mut self) -> Result<(), StoreError> {
        match self.running.join_next().await {
            Some(Ok(part)) => {
                self.done.push(part?);
                Ok(())
            }
            Some(Err(cause)) => Err(StoreError::at(
                ErrorKind::Unavailable,
                "write",
                "part",
                "its task ended early",
            )
            .caused_by(cause)),
            None => Ok(()),
        }
    }
}

/// One part on its way, tried until it is there or cannot be.
struct PartTask {
    client: Arc<BucketClient>,
    key: Arc<str>,
    id: Arc<str>,
    object: String,
    number: u32,
}

impl PartTask {
    async fn run(self, bytes: Bytes) -> Result<Part, StoreError> {
        let call = Call::new(Method::PUT, &self.key)
            .query("partNumber", self.number.to_string())
            .query("uploadId", &*self.id)
            .body(bytes);
        let reply = self.client.call(&call).await.and_then(|reply| {
            match reply.header(ETAG).filter(|etag| !etag.is_empty()) {
                Some(etag) => Ok(Part {
                    part_number: self.number,
                    etag: etag.to_owned(),
                }),
                None => Err(Fault::Nonsense("the reply to a part has no ETag".into())),
            }
        });
        reply.map_err(|fault| self.client.tell("write", &self.object, fault))
    }
}
