//! One object of a bucket, and what messages call it.

use std::sync::Arc;

use super::error::Fault;
use super::request::BucketClient;
use crate::{ErrorKind, ObjectName, StoreError};

/// Where an object is, or will be.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) client: Arc<BucketClient>,
    pub(super) name: ObjectName,
    pub(super) key: Arc<str>,
    /// `s3://bucket/folder/name`.
    pub(super) object: Arc<str>,
}

impl Target {
    /// Words a fault of `verb` on it.
    pub(super) fn tell(&self, verb: &'static str, fault: Fault) -> StoreError {
        self.client.tell(verb, &self.object, fault)
    }

    /// An error of `verb` on it that no server told.
    pub(super) fn error(
        &self,
        kind: ErrorKind,
        verb: &'static str,
        message: impl Into<String>,
    ) -> StoreError {
        StoreError::at(kind, verb, &self.object, message)
    }
}
