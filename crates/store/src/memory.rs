//! A store in memory, for tests and examples.

mod spool;
mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};

use self::spool::Draft;
use self::upload::{MemoryUpload, Unfinished};
use crate::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, ReadBack, Spool, SpoolStore, Store,
    StoreError, Terms, Ticket, Upload,
};

/// What a write should carry, and what a read gives at once: small, so that tests see several.
const PIECE: usize = 64 << 10;

/// Objects in memory. Clones share them.
///
/// Keeps the contract of a directory, durability aside, and has a bucket's ways with uploads:
/// whole pieces of one that was dropped stay until somebody goes on with it or frees it.
/// A listing tells no [`modified`](ObjectInfo::modified).
#[derive(Debug, Clone)]
pub struct Memory {
    location: Location,
    piece: usize,
    time: Option<Time>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    objects: BTreeMap<ObjectName, Bytes>,
    unfinished: Unfinished,
}

#[derive(Clone)]
struct Time(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

impl Memory {
    /// An empty store that calls itself `location` in messages.
    pub fn new(location: impl Into<String>) -> Self {
        Self {
            location: Location::new(location),
            piece: PIECE,
            time: None,
            held: Arc::default(),
        }
    }

    /// Takes and gives pieces of so many bytes, at least one, instead of 64 KiB.
    #[must_use]
    pub fn in_pieces_of(mut self, piece: usize) -> Self {
        self.piece = piece.max(1);
        self
    }

    /// Asks this for the time when pieces come. Without, [`sweep`](Store::sweep) finds nothing
    /// that is old.
    #[must_use]
    pub fn telling_time_by(
        mut self,
        time: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        self.time = Some(Time(Arc::new(time)));
        self
    }

    /// The bytes of an object, for a test to look at.
    pub fn get(&self, name: &ObjectName) -> Option<Bytes> {
        self.held().objects.get(name).cloned()
    }

    /// The names of uploads of which pieces are held, and which nobody ended: what somebody
    /// would pay for.
    pub fn unfinished(&self) -> Vec<ObjectName> {
        self.held().unfinished.names()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A test that panicked elsewhere left whole objects: nothing is changed in two steps.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Option<DateTime<Utc>> {
        self.time.as_ref().map(|time| (time.0)())
    }

    /// Makes an object visible.
    fn publish(
        &self,
        held: &mut Held,
        name: &ObjectName,
        object: Bytes,
        taken: Taken,
    ) -> Result<ObjectInfo, StoreError> {
        if taken == Taken::Refuse && held.objects.contains_key(name) {
            return Err(self.taken("commit", name));
        }
        let info = info(name, object.len());
        held.objects.insert(name.clone(), object);
        Ok(info)
    }

    fn error(
        &self,
        kind: ErrorKind,
        verb: &'static str,
        name: &ObjectName,
        message: impl Into<String>,
    ) -> StoreError {
        StoreError::new(kind, verb, &self.location, name, message)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new("memory")
    }
}

#[async_trait]
impl Store for Memory {
    fn location(&self) -> &Location {
        &self.location
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        let taken = Taken::by(terms);
        Ok(Box::new(MemoryUpload::new(
            self.clone(),
            name.clone(),
            taken,
        )))
    }

    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        let upload = MemoryUpload::resume(self, name, ticket, &*content)
            .map_err(|error| StoreError::io("read", format!("{}/{name}", self.location), error))?;
        Ok(upload.map(|upload| Box::new(upload) as _))
    }

    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        self.held().unfinished.forget(name, ticket);
        Ok(())
    }

    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        Ok(self.held().unfinished.sweep(ours, before))
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        let object = self
            .get(name)
            .ok_or_else(|| self.error(ErrorKind::NotFound, "read", name, "no such object"))?;
        let part = match range {
            None => Some(object.clone()),
            Some(range) => part(&object, &range),
        };
        let Some(mut rest) = part else {
            let message = format!("the range is not inside its {} bytes", object.len());
            return Err(self.error(ErrorKind::Config, "read", name, message));
        };
        let piece = self.piece;
        let pieces = std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(piece))))
        });
        Ok(stream::iter(pieces).boxed())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        Ok(self
            .held()
            .objects
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(prefix))
            .map(|(name, object)| info(name, object.len()))
            .collect())
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.held().objects.remove(name);
        Ok(())
    }
}

#[async_trait]
impl SpoolStore for Memory {
    async fn spool(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Spool>, StoreError> {
        let taken = Taken::by(terms);
        if taken == Taken::Refuse && self.held().objects.contains_key(name) {
            return Err(self.taken("create", name));
        }
        Ok(Box::new(Draft::new(self.clone(), name.clone(), taken)))
    }

    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ReadBack>, StoreError> {
        match self.get(name) {
            Some(object) => Ok(Box::new(object)),
            None => Err(self.error(ErrorKind::NotFound, "read", name, "no such object")),
        }
    }
}

impl Memory {
    fn taken(&self, verb: &'static str, name: &ObjectName) -> StoreError {
        let message = "the name is taken by another object";
        self.error(ErrorKind::AlreadyExists, verb, name, message)
    }
}

/// What to do when the final name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Refuse,
    Replace,
}

impl Taken {
    fn by(terms: Terms) -> Self {
        if terms.replaces {
            Self::Replace
        } else {
            Self::Refuse
        }
    }
}

impl ReadBack for Bytes {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let range = offset..offset.saturating_add(buf.len() as u64);
        let bytes = part_of(self, &range).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// The bytes of a range that lies inside `bytes`.
fn part_of<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    bytes.get(start..end)
}

/// The same without a copy.
fn part(object: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    part_of(object, range).map(|part| object.slice_ref(part))
}

fn info(name: &ObjectName, size: usize) -> ObjectInfo {
    ObjectInfo {
        name: name.clone(),
        size: size as u64,
        modified: None,
    }
}
