//! An object on its way to a bucket.
//!
//! Less than one part is held back and put as one object by `commit`. From the first full part on
//! it is a multipart upload: invisible until completed, each part tried again on its own, and gone
//! on with by another run ([`resume`]).
//!
//! Memory: `(parts in flight + 1) × part size` for the bytes, 24 MiB as tuned by default: two
//! parts under way and the one that waits. All of it goes back to the system; see `mapped`.
//!
//! Whose an object is that has the name is told by a mark of our own, set when it is begun and
//! read back by HEAD. Size and `ETag` would not do: an older object may be equal in both, and not
//! every server makes the `ETag` of the parts.

mod commit;
mod parts;
mod plan;
pub(super) mod resume;
mod ticket;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use s3::serde_types::InitiateMultipartUploadResponse;

use self::parts::Parts;
use self::plan::Plan;
use self::ticket::Begun;
use super::ability::Asked;
use super::call::Call;
use super::target::Target;
use crate::{ErrorKind, ObjectInfo, StoreError, Terms, Ticket, Upload, mapped};

/// Which upload made an object.
const MARK: HeaderName = HeaderName::from_static("x-amz-meta-rollsnap-upload");
/// Tells at the beginning that each part comes with its checksum, so that the server keeps them.
const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");

pub(super) struct S3Upload {
    target: Target,
    mark: HeaderValue,
    terms: Terms,
    plan: Plan,
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

impl S3Upload {
    /// Begins an object. `mark` is of no other.
    pub(super) fn new(target: Target, mark: HeaderValue, terms: Terms) -> Self {
        let plan = Plan::new(target.client.tuning(), terms.at_most);
        Self {
            target,
            mark,
            terms,
            plan,
            held: BytesMut::new(),
            size: 0,
            state: State::Held,
        }
    }

    /// Takes bytes until a part is full, and returns it. Whole parts pass without a copy.
    fn fill(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        let part = self.plan.part;
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

    async fn send(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if matches!(self.state, State::Held) {
            self.state = State::Parts(self.begin_parts().await?);
        }
        match &mut self.state {
            State::Parts(parts) => parts.send(bytes).await,
            State::Held | State::Failed => Err(self.spent()),
        }
    }

    /// Begins the multipart upload. A server that knows no checksums is asked without.
    async fn begin_parts(&self) -> Result<Parts, StoreError> {
        let abilities = self.target.client.abilities();
        loop {
            let asked = abilities.of(Asked {
                condition: false,
                checksum: true,
            });
            let mut call = Call::new(Method::POST, &self.target.key)
                .query("uploads", "")
                .header(MARK, self.mark.clone());
            if asked.checksum {
                call = call.header(ALGORITHM, HeaderValue::from_static("SHA256"));
            }
            let reply = self.target.client.call(&call).await.and_then(|reply| {
                reply.model::<InitiateMultipartUploadResponse>("beginning of an upload")
            });
            match reply {
                Ok(reply) => {
                    let id = reply.upload_id;
                    let (part, mark) = (self.plan.part, &self.mark);
                    let begun = Begun::new(id, part, mark, asked.checksum, self.terms);
                    return Ok(Parts::after(
                        self.target.clone(),
                        begun,
                        self.plan,
                        Vec::new(),
                    ));
                }
                Err(fault) if abilities.learn(asked, &fault) => {}
                Err(fault) => return Err(self.target.tell("write", fault)),
            }
        }
    }

    /// Leaves nothing behind, as far as the far side lets us; the first error is the one to tell.
    async fn fail(&mut self) {
        self.held = BytesMut::new();
        if let State::Parts(parts) = std::mem::replace(&mut self.state, State::Failed) {
            let _ = parts.abort().await;
        }
    }

    fn spent(&self) -> StoreError {
        let message = "an earlier part of this upload failed";
        self.target.error(ErrorKind::Unavailable, "write", message)
    }
}

#[async_trait]
impl Upload for S3Upload {
    fn part_size(&self) -> usize {
        self.plan.part
    }

    fn written(&self) -> u64 {
        self.size
    }

    fn ticket(&self) -> Option<Ticket> {
        match &self.state {
            State::Parts(parts) => Some(parts.begun().ticket()),
            State::Held | State::Failed => None,
        }
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
            let _ = parts.abort().await;
        }
        done
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Parts(parts) => parts.abort().await,
            State::Held | State::Failed => Ok(()),
        }
    }
}
