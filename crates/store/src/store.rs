//! The door to every store: a handful of calls, and what each promises.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::{Effort, ObjectName, Probe, Remark, StoreError};

/// The bytes of one object, in order. Ends early only with an error, never silently.
pub type BoxRead = BoxStream<'static, Result<Bytes, StoreError>>;

/// A place that keeps whole objects.
///
/// Dropping a future of any call is safe: an object is there whole or not at all. What was
/// under way in a bucket may then still be finished by the far side.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Where this is, for messages. Prints no secret.
    fn location(&self) -> &Location;

    /// Begins an object that stays invisible until it is committed.
    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError>;

    /// Goes on with an upload that an earlier run began, if the far side still has it: its
    /// [`written`](Upload::written) bytes are there and equal the first of `content`, and whoever
    /// asks writes what follows. `None` where nothing can be gone on with; nothing of that upload
    /// is then left.
    async fn resume(
        &self,
        name: &ObjectName,
        ticket: &Ticket,
        content: Arc<dyn ReadBack>,
    ) -> Result<Option<Box<dyn Upload>>, StoreError> {
        let _ = content;
        self.forget(name, ticket).await?;
        Ok(None)
    }

    /// Frees what the far side holds of an upload that an earlier run began. One that is gone is
    /// a success.
    async fn forget(&self, name: &ObjectName, ticket: &Ticket) -> Result<(), StoreError> {
        let _ = (name, ticket);
        Ok(())
    }

    /// Frees what uploads left behind to which nothing was added since `before`, of names that
    /// are `ours`. Returns them. A store that cannot tell has none.
    async fn sweep(
        &self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Result<Vec<ObjectName>, StoreError> {
        let _ = (ours, before);
        Ok(Vec::new())
    }

    /// Tries out what a daemon will need of this store, and tells of each what came of it.
    /// Leaves nothing behind.
    async fn probe(&self, effort: Effort) -> Vec<Probe> {
        let _ = effort;
        Vec::new()
    }

    /// What was found out since the last time this was asked, for a log: each thing once.
    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }

    /// Reads an object, whole or the bytes of `range` (which must lie inside the object).
    ///
    /// The stream yields exactly the bytes asked for or ends with an error.
    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError>;

    /// As [`read`](Self::read) the bytes of `range`, of an object as it was listed: where the
    /// store tells by now that it has another size, which is the whole's, the parts that were
    /// read before belong to another object, and that is an error.
    async fn read_part(
        &self,
        object: &ObjectInfo,
        range: Range<u64>,
    ) -> Result<BoxRead, StoreError> {
        self.read(&object.name, Some(range)).await
    }

    /// Every object whose name starts with `prefix`, sorted by name: the whole list or an error.
    ///
    /// Only what this store can own is listed: no directories, symlinks or half-made files, and
    /// no keys that are not an [`ObjectName`].
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError>;

    /// Removes an object. One that is absent already is a success.
    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError>;
}

/// What is known of an object before its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// It will have at most so many bytes: a bucket sizes its parts by it. Without, the parts
    /// are those of a small object.
    pub at_most: Option<u64>,
    /// Whether an object that has the name is replaced. Otherwise the commit fails with
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists), in a bucket as far as its server knows
    /// conditional writes.
    pub replaces: bool,
}

impl Terms {
    /// Of an object whose name nobody has, of at most so many bytes.
    pub fn new_of(at_most: u64) -> Self {
        Self {
            at_most: Some(at_most),
            replaces: false,
        }
    }

    /// Of a small object that takes the place of an older one.
    pub fn replacing() -> Self {
        Self {
            at_most: None,
            replaces: true,
        }
    }
}

/// What a later run needs to go on with an upload: text of the store that gave it, for no other.
/// Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket(pub String);

/// An object on its way. Dropped without [`commit`](Upload::commit), it leaves nothing visible;
/// [`abort`](Upload::abort) also frees what the far side holds for it.
#[async_trait]
pub trait Upload: Send {
    /// The number of bytes that a write should carry so that none is copied.
    fn part_size(&self) -> usize;

    /// The bytes that it has: taken by [`write`](Self::write), or there before it was resumed.
    fn written(&self) -> u64;

    /// What goes on with this upload in another run. `None` while there is nothing to go on with,
    /// and in stores that cannot; once it is there it does not change.
    fn ticket(&self) -> Option<Ticket> {
        None
    }

    /// Takes the next bytes. Returns when there is room for more, not when they are safe.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes the object visible, whole and durable. An error may leave the far side in doubt:
    /// the object is then there whole or not at all.
    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError>;

    /// Drops what was written.
    async fn abort(self: Box<Self>) -> Result<(), StoreError>;
}

/// A store near enough to spool to: what was written can be read back before it is committed.
#[async_trait]
pub trait SpoolStore: Store {
    /// Begins an object like [`Store::begin`], readable while it grows.
    ///
    /// Refuses at once when there is no room for as many bytes as will come
    /// [at most](Terms::at_most), where that is told, and a name that is taken, unless it
    /// [replaces](Terms::replaces) what has it.
    async fn spool(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Spool>, StoreError>;

    /// Positioned reads of an object that is there, which stay possible when its name goes.
    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ReadBack>, StoreError>;
}

/// An [`Upload`] that others may follow while it grows.
#[async_trait]
pub trait Spool: Upload {
    /// A reader from the first byte on. It ends when [`seal`](Spool::seal) is called and it has
    /// read everything; it fails when the spool is dropped or aborted before.
    fn tail(&self) -> Box<dyn Tail>;

    /// Positioned reads of what has been written so far. Blocking: not for an async worker.
    fn reader(&self) -> Result<Box<dyn ReadBack>, StoreError>;

    /// Makes every byte durable (file synced) and tells the tails that nothing will follow.
    /// The object stays invisible; only commit or abort may come next.
    async fn seal(&mut self) -> Result<(), StoreError>;
}

/// Reads what a [`Spool`] or an object holds, from any place, blocking.
pub trait ReadBack: Send + Sync {
    /// Its bytes, of a spool those written so far.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` from `offset` on, or fails with [`io::ErrorKind::UnexpectedEof`].
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

/// Follows a [`Spool`]. Holds no more than the bytes asked for.
#[async_trait]
pub trait Tail: Send {
    /// The next `size` bytes, fewer only at the end, none after it. Waits for the writer.
    async fn next(&mut self, size: usize) -> Result<Bytes, StoreError>;
}

/// What a listing tells of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name in this store.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size: u64,
    /// When the store last saw it change, by the store's clock.
    pub modified: Option<DateTime<Utc>>,
}

/// Where a store is: `/opt/rke/etcd-snapshots` or `s3://bucket/folder`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location(String);

impl Location {
    /// Names a place as people would write it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
