//! Manifests that wait for their snapshot's name.
//!
//! A snapshot gets its name first and its manifest second. A crash between the two leaves a
//! draft that tells what the named file must be, and the next start completes it.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use rollsnap_store::local::PrivateFiles;
use rollsnap_store::{ObjectName, StoreError};

/// A private place for small files, each there whole or not at all, durable once put.
#[async_trait]
pub trait Drafts: Send + Sync + fmt::Debug {
    /// Writes a draft, replacing an older one.
    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StoreError>;
    /// Reads a draft; `None` when it is gone.
    async fn get(&self, name: &ObjectName) -> Result<Option<Bytes>, StoreError>;
    /// The names of all drafts.
    async fn list(&self) -> Result<Vec<ObjectName>, StoreError>;
    /// Moves a draft among the objects, replacing one of its name in one step. Needs no room, so
    /// it succeeds on a disk that has become full. `NotFound` when the draft is gone.
    async fn publish(&self, name: &ObjectName) -> Result<(), StoreError>;
    /// Removes a draft. One that is absent is a success.
    async fn remove(&self, name: &ObjectName) -> Result<(), StoreError>;
    /// Takes them for one replacement, or for whoever puts right what was
    /// left half done, until the answer is dropped. `None` while another has them.
    async fn claim(&self) -> Result<Option<Claim>, StoreError>;
}

/// What keeps others away while it lives.
pub type Claim = Box<dyn Send + Sync>;

#[async_trait]
impl Drafts for PrivateFiles {
    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StoreError> {
        Self::put(self, name, bytes).await
    }

    async fn get(&self, name: &ObjectName) -> Result<Option<Bytes>, StoreError> {
        Self::get(self, name).await
    }

    async fn list(&self) -> Result<Vec<ObjectName>, StoreError> {
        Self::list(self).await
    }

    async fn publish(&self, name: &ObjectName) -> Result<(), StoreError> {
        Self::publish(self, name).await
    }

    async fn remove(&self, name: &ObjectName) -> Result<(), StoreError> {
        Self::remove(self, name).await
    }

    async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        let claim = Self::claim(self).await?;
        Ok(claim.map(|claim| Box::new(claim) as Claim))
    }
}
