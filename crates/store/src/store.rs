//! The door to every store: a handful of calls, and what each promises.

use std::fmt;
use std::io;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::{ObjectName, StoreError};

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
    async fn begin(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StoreError>;

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

/// An object on its way. Dropped without [`commit`](Upload::commit), it leaves nothing visible;
/// [`abort`](Upload::abort) also frees what the far side holds for it.
#[async_trait]
pub trait Upload: Send {
    /// The number of bytes that a write should carry so that none is copied.
    fn part_size(&self) -> usize;

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
    /// With `expected`, the bytes that will come, refuses at once when there is no room for them.
    /// Refuses a name that is taken: nothing is ever overwritten by a spool.
    async fn spool(
        &self,
        name: &ObjectName,
        expected: Option<u64>,
    ) -> Result<Box<dyn Spool>, StoreError>;

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
