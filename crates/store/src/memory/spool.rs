//! A spool in memory. Its tails watch the content.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{Memory, Taken, part_of};
use crate::{ErrorKind, ObjectInfo, ObjectName, ReadBack, Spool, StoreError, Tail, Upload};

/// What a draft holds so far.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    sealed: bool,
}

/// An object on its way. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Draft {
    store: Memory,
    name: ObjectName,
    taken: Taken,
    content: watch::Sender<Content>,
}

impl Draft {
    pub(super) fn new(store: Memory, name: ObjectName, taken: Taken) -> Self {
        Self {
            store,
            name,
            taken,
            content: watch::Sender::default(),
        }
    }
}

#[async_trait]
impl Upload for Draft {
    fn part_size(&self) -> usize {
        self.store.piece
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
        let mut held = self.store.held();
        self.store
            .publish(&mut held, &self.name, object, self.taken)
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
