//! A store in memory, for tests and examples.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::sync::watch;

use crate::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, ReadBack, Spool, SpoolStore, Store,
    StoreError, Tail, Terms, Upload,
};

/// What a write should carry, and what a read gives at once: small, so that tests see several.
const PIECE: usize = 64 << 10;

type Objects = BTreeMap<ObjectName, Bytes>;

/// Objects in memory. Clones share them.
///
/// Keeps the contract of a directory, durability aside. It knows no time: a listing tells no
/// [`modified`](ObjectInfo::modified).
#[derive(Debug, Clone)]
pub struct Memory {
    location: Location,
    objects: Arc<Mutex<Objects>>,
}

impl Memory {
    /// An empty store that calls itself `location` in messages.
    pub fn new(location: impl Into<String>) -> Self {
        Self {
            location: Location::new(location),
            objects: Arc::default(),
        }
    }

    /// The bytes of an object, for a test to look at.
    pub fn get(&self, name: &ObjectName) -> Option<Bytes> {
        self.objects().get(name).cloned()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        // A test that panicked elsewhere left whole objects: nothing is changed in two steps.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draft(&self, name: &ObjectName, taken: Taken) -> Draft {
        Draft {
            store: self.clone(),
            name: name.clone(),
            taken,
            content: watch::Sender::default(),
        }
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
        Ok(Box::new(self.draft(name, Taken::by(terms))))
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
        let pieces = std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(PIECE))))
        });
        Ok(stream::iter(pieces).boxed())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        Ok(self
            .objects()
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(prefix))
            .map(|(name, object)| info(name, object.len()))
            .collect())
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.objects().remove(name);
        Ok(())
    }
}

#[async_trait]
impl SpoolStore for Memory {
    async fn spool(
        &self,
        name: &ObjectName,
        _expected: Option<u64>,
    ) -> Result<Box<dyn Spool>, StoreError> {
        if self.objects().contains_key(name) {
            return Err(self.taken("create", name));
        }
        Ok(Box::new(self.draft(name, Taken::Refuse)))
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

/// What a draft holds so far.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    sealed: bool,
}

/// An object on its way. Its tails watch the content.
#[derive(Debug)]
struct Draft {
    store: Memory,
    name: ObjectName,
    taken: Taken,
    content: watch::Sender<Content>,
}

#[async_trait]
impl Upload for Draft {
    fn part_size(&self) -> usize {
        PIECE
    }

    fn written(&self) -> u64 {
        self.content.borrow().bytes.len() as u64
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.content.borrow().sealed {
            let kind = ErrorKind::Config;
            return Err(self.store.error(kind, "write", &self.name, "it is sealed"));
        }
        self.content
            .send_modify(|content| content.bytes.extend_from_slice(&bytes));
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        self.seal().await?;
        let object = Bytes::copy_from_slice(&self.content.borrow().bytes);
        let info = info(&self.name, object.len());
        let mut objects = self.store.objects();
        if self.taken == Taken::Refuse && objects.contains_key(&self.name) {
            drop(objects);
            return Err(self.store.taken("commit", &self.name));
        }
        objects.insert(self.name.clone(), object);
        Ok(info)
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Spool for Draft {
    fn tail(&self) -> Box<dyn Tail> {
        Box::new(MemoryTail {
            store: self.store.clone(),
            name: self.name.clone(),
            content: self.content.subscribe(),
            position: 0,
        })
    }

    fn reader(&self) -> Result<Box<dyn ReadBack>, StoreError> {
        Ok(Box::new(MemoryReadBack(self.content.subscribe())))
    }

    async fn seal(&mut self) -> Result<(), StoreError> {
        self.content.send_modify(|content| content.sealed = true);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryTail {
    store: Memory,
    name: ObjectName,
    content: watch::Receiver<Content>,
    position: usize,
}

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self, size: usize) -> Result<Bytes, StoreError> {
        let start = self.position;
        let enough = start.saturating_add(size);
        let content = self
            .content
            .wait_for(|content| content.sealed || content.bytes.len() >= enough)
            .await
            .map_err(|_| {
                let kind = ErrorKind::Unavailable;
                let message = "its writer gave it up";
                self.store.error(kind, "follow", &self.name, message)
            })?;
        let end = enough.min(content.bytes.len());
        self.position = end;
        Ok(Bytes::copy_from_slice(&content.bytes[start..end]))
    }
}

#[derive(Debug)]
struct MemoryReadBack(watch::Receiver<Content>);

impl ReadBack for MemoryReadBack {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.borrow().bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let range = offset..offset.saturating_add(buf.len() as u64);
        let content = self.0.borrow();
        let bytes = part_of(&content.bytes, &range).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
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
