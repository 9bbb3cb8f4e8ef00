//! What a later run needs to go on with uploads that this one may not end.
//!
//! Beside the drafts lies a file `<object>.upload` for each upload to the bucket that is under
//! way, from the moment on that it can be gone on with until it is completed or aborted. Only a
//! daemon writes them: it alone is sure to come back, and there is one for each directory.

use std::sync::Arc;

use bytes::Bytes;
use rollsnap_store::{Location, ObjectName, StoreError, Ticket};
use serde::{Deserialize, Serialize};

use crate::drafts::Drafts;

const SUFFIX: &str = ".upload";

/// The format that this program writes.
const FORMAT: u32 = 1;

/// The tickets of uploads to one bucket. Clones are the same.
#[derive(Debug, Clone)]
pub struct Tickets {
    drafts: Arc<dyn Drafts>,
    location: Location,
}

/// The file of one.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    /// To where the upload goes. Of no use for anywhere else.
    location: String,
    ticket: String,
}

impl Tickets {
    /// Keeps the tickets of uploads to `location` among `drafts`.
    pub fn new(drafts: Arc<dyn Drafts>, location: Location) -> Self {
        Self { drafts, location }
    }

    /// Keeps a ticket, durable once done, in place of an older one of that object.
    pub async fn put(&self, object: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        let record = Record {
            format: FORMAT,
            location: self.location.to_string(),
            ticket: ticket.0.clone(),
        };
        let bytes = serde_json::to_vec(&record).expect("plain fields always serialise");
        self.drafts.put(&file_of(object)?, Bytes::from(bytes)).await
    }

    /// The ticket of that object's upload, where there is one that is of use here.
    pub async fn find(&self, object: &ObjectName) -> Result<Option<Ticket>, StoreError> {
        let bytes = self.drafts.get(&file_of(object)?).await?;
        Ok(bytes.and_then(|bytes| self.read(&bytes)))
    }

    /// Every object with a file, and its ticket where that is of use here.
    pub async fn list(&self) -> Result<Vec<(ObjectName, Option<Ticket>)>, StoreError> {
        let mut all = Vec::new();
        for file in self.drafts.list().await? {
            let object = file.as_str().strip_suffix(SUFFIX);
            let Some(object) = object.and_then(|object| ObjectName::new(object).ok()) else {
                continue;
            };
            let ticket = self.find(&object).await?;
            all.push((object, ticket));
        }
        Ok(all)
    }

    /// Drops a ticket. One that is absent is a success.
    pub async fn remove(&self, object: &ObjectName) -> Result<(), StoreError> {
        self.drafts.remove(&file_of(object)?).await
    }

    fn read(&self, bytes: &[u8]) -> Option<Ticket> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        let is_of_use = record.format == FORMAT && record.location == self.location.to_string();
        is_of_use.then_some(Ticket(record.ticket))
    }
}

fn file_of(object: &ObjectName) -> Result<ObjectName, StoreError> {
    Ok(ObjectName::new(format!("{object}{SUFFIX}"))?)
}
