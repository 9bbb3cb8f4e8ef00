//! The parts of one multipart upload: a few under way, the others done.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use quick_xml::escape::partial_escape;
use reqwest::Method;
use reqwest::header::ETAG;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::plan::{MAX_PARTS, Plan};
use super::ticket::Begun;
use crate::s3::call::Call;
use crate::s3::error::Fault;
use crate::s3::pending;
use crate::s3::sign::Digest;
use crate::s3::target::Target;
use crate::{ErrorKind, StoreError};

/// A multipart upload under way. Dropped, it stops its tasks; what the far side holds stays until
/// somebody goes on with it or sweeps it.
#[derive(Debug)]
pub(super) struct Parts {
    target: Target,
    begun: Arc<Begun>,
    in_flight: usize,
    running: JoinSet<Result<Part, StoreError>>,
    done: Vec<Part>,
    /// The number of the last part that was sent.
    last: u32,
}

/// A part that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) digest: Digest,
}

impl Parts {
    /// Goes on after the parts that are `done`, numbered from 1 without a gap.
    pub(super) fn after(target: Target, begun: Begun, plan: Plan, done: Vec<Part>) -> Self {
        Self {
            target,
            begun: Arc::new(begun),
            in_flight: plan.in_flight,
            running: JoinSet::new(),
            last: done.last().map_or(0, |part| part.number),
            done,
        }
    }

    pub(super) fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Sends one part as soon as fewer than the allowed number are under way: one only while the
    /// server wants less.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        while self.running.len() >= self.allowed() {
            self.join_one().await?;
        }
        self.last += 1;
        if self.last > MAX_PARTS {
            let message = format!("the object has more than {MAX_PARTS} parts");
            let error = self.target.error(ErrorKind::Config, "write", message);
            return Err(error.with_hint("it is larger than was told before it began: try it again"));
        }
        let task = PartTask {
            target: self.target.clone(),
            begun: Arc::clone(&self.begun),
            number: self.last,
        };
        self.running.spawn(task.run(bytes));
        Ok(())
    }

    /// Waits until every part is there.
    pub(super) async fn join(&mut self) -> Result<(), StoreError> {
        while !self.running.is_empty() {
            self.join_one().await?;
        }
        self.done.sort_by_key(|part| part.number);
        Ok(())
    }

    /// The list of parts that completes the upload (`CompleteMultipartUpload`, Amazon S3 API
    /// reference).
    pub(super) fn list(&self) -> String {
        let mut xml = String::from("<CompleteMultipartUpload>");
        for part in &self.done {
            let (number, etag) = (part.number, partial_escape(&*part.etag));
            let _ = write!(
                xml,
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>"
            );
            if self.begun.checked {
                let checksum = BASE64_STANDARD.encode(part.digest.as_bytes());
                let _ = write!(xml, "<ChecksumSHA256>{checksum}</ChecksumSHA256>");
            }
            xml.push_str("</Part>");
        }
        xml.push_str("</CompleteMultipartUpload>");
        xml
    }

    /// The checksum of the whole as servers make it of those of the parts ("Checking object
    /// integrity", Amazon S3 User Guide): `<base64>-<number of parts>`.
    pub(super) fn composite(&self) -> String {
        let mut whole = Sha256::new();
        for part in &self.done {
            whole.update(part.digest.as_bytes());
        }
        let whole = BASE64_STANDARD.encode(whole.finalize());
        format!("{whole}-{}", self.done.len())
    }

    /// Frees what the far side holds. The tasks stop first.
    pub(super) async fn abort(mut self) -> Result<(), StoreError> {
        self.running.shutdown().await;
        let Target { client, key, .. } = &self.target;
        pending::abort(client, key, &self.begun.upload_id)
            .await
            .map_err(|fault| self.target.tell("abort", fault))
    }

    fn allowed(&self) -> usize {
        if self.target.client.pace().is_calm() {
            1
        } else {
            self.in_flight
        }
    }

    /// Waits for one part. The caller saw that one is running.
    async fn join_one(&mut self) -> Result<(), StoreError> {
        match self.running.join_next().await {
            Some(Ok(part)) => {
                self.done.push(part?);
                Ok(())
            }
            Some(Err(cause)) => {
                let message = "the task of a part ended early";
                let error = self.target.error(ErrorKind::Unavailable, "write", message);
                Err(error.caused_by(cause))
            }
            None => Ok(()),
        }
    }
}

/// One part on its way, tried until it is there or cannot be.
struct PartTask {
    target: Target,
    begun: Arc<Begun>,
    number: u32,
}

impl PartTask {
    async fn run(self, bytes: Bytes) -> Result<Part, StoreError> {
        let Target {
            client,
            key,
            object,
            ..
        } = &self.target;
        let mut call = Call::new(Method::PUT, key)
            .query("partNumber", self.number.to_string())
            .query("uploadId", &*self.begun.upload_id)
            .body(bytes);
        if self.begun.checked {
            call = call.checked();
        }
        let reply = client.call(&call).await.and_then(|reply| {
            match reply.header(ETAG).filter(|etag| !etag.is_empty()) {
                Some(etag) => Ok(Part {
                    number: self.number,
                    etag: etag.to_owned(),
                    digest: call.digest(),
                }),
                None => Err(Fault::Nonsense("the reply to a part has no ETag".into())),
            }
        });
        let part = format_args!("{object}: part {}", self.number).to_string();
        reply.map_err(|fault| client.tell("write", part, fault))
    }
}
