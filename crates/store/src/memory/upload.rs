//! Uploads in memory, with a bucket's ways: whole pieces stay when the upload is dropped, until
//! somebody goes on with it or frees it.

use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};

use super::{Memory, Taken};
use crate::{ErrorKind, ObjectInfo, ObjectName, ReadBack, StoreError, Ticket, Upload};

/// What the far side holds of uploads that nobody ended, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    begun: u64,
    uploads: BTreeMap<u64, Pieces>,
}

/// The pieces of one upload.
#[derive(Debug)]
struct Pieces {
    name: ObjectName,
    taken: Taken,
    /// By their numbers: whoever sends one again puts it in the place of the first.
    all: Vec<Bytes>,
    /// When the last came; `None` in a store that is told no time.
    touched: Option<DateTime<Utc>>,
}

impl Unfinished {
    pub(super) fn names(&self) -> Vec<ObjectName> {
        let names = self.uploads.values().map(|pieces| pieces.name.clone());
        names.collect()
    }

    /// Removes what is `ours` and was not touched since. Returns the names.
    pub(super) fn sweep(
        &mut self,
        ours: &(dyn for<'a> Fn(&'a ObjectName) -> bool + Send + Sync),
        before: DateTime<Utc>,
    ) -> Vec<ObjectName> {
        let mut old = Vec::new();
        self.uploads.retain(|_, pieces| {
            let is_old = pieces.touched.is_some_and(|at| at < before) && ours(&pieces.name);
            if is_old {
                old.push(pieces.name.clone());
            }
            !is_old
        });
        old
    }

    pub(super) fn forget(&mut self, name: &ObjectName, ticket: &Ticket) {
        if let Some(number) = self.find(name, ticket) {
            self.uploads.remove(&number);
        }
    }

    fn find(&self, name: &ObjectName, ticket: &Ticket) -> Option<u64> {
        let number = ticket.0.parse().ok()?;
        let pieces = self.uploads.get(&number)?;
        (pieces.name == *name).then_some(number)
    }
}

/// An object on its way.
#[derive(Debug)]
pub(super) struct MemoryUpload {
    store: Memory,
    name: ObjectName,
    taken: Taken,
    /// Its number, from the first whole piece on.
    number: Option<u64>,
    /// Whole pieces.
    sent: usize,
    /// The bytes that do not fill a piece yet.
    rest: BytesMut,
}

impl MemoryUpload {
    pub(super) fn new(store: Memory, name: ObjectName, taken: Taken) -> Self {
        Self {
            store,
            name,
            taken,
            number: None,
            sent: 0,
            rest: BytesMut::new(),
        }
    }

    /// The upload of that ticket, with the whole pieces that equal the first of `content`. Without
    /// one it is freed.
    pub(super) fn resume(
        store: &Memory,
        name: &ObjectName,
        ticket: &Ticket,
        content: &dyn ReadBack,
    ) -> io::Result<Option<Self>> {
        let mut held = store.held();
        let unfinished = &mut held.unfinished;
        let Some(number) = unfinished.find(name, ticket) else {
            return Ok(None);
        };
        let Some(pieces) = unfinished.uploads.get_mut(&number) else {
            return Ok(None);
        };
        let equal = equal_pieces(&pieces.all, store.piece, content)?;
        if equal == 0 {
            unfinished.uploads.remove(&number);
            return Ok(None);
        }
        Ok(Some(Self {
            taken: pieces.taken,
            number: Some(number),
            sent: equal,
            ..Self::new(store.clone(), name.clone(), Taken::Refuse)
        }))
    }

    fn send(&mut self, piece: Bytes) -> Result<(), StoreError> {
        let touched = self.store.now();
        let mut held = self.store.held();
        let unfinished = &mut held.unfinished;
        let number = *self.number.get_or_insert_with(|| {
            unfinished.begun += 1;
            let pieces = Pieces {
                name: self.name.clone(),
                taken: self.taken,
                all: Vec::new(),
                touched,
            };
            unfinished.uploads.insert(unfinished.begun, pieces);
            unfinished.begun
        });
        let Some(pieces) = unfinished.uploads.get_mut(&number) else {
            drop(held);
            return Err(self.gone("write"));
        };
        match pieces.all.get_mut(self.sent) {
            Some(older) => *older = piece,
            None => pieces.all.push(piece),
        }
        pieces.touched = touched;
        drop(held);
        self.sent += 1;
        Ok(())
    }

    fn gone(&self, verb: &'static str) -> StoreError {
        let message = "the upload was ended elsewhere";
        self.store
            .error(ErrorKind::Unavailable, verb, &self.name, message)
    }
}

/// The number of leading pieces that equal those of `content`.
fn equal_pieces(pieces: &[Bytes], size: usize, content: &dyn ReadBack) -> io::Result<usize> {
    let mut buffer = vec![0; size];
    let mut offset = 0;
    for (number, held) in pieces.iter().enumerate() {
        match content.read_at(offset, &mut buffer) {
            Ok(()) if buffer == *held => offset += size as u64,
            Ok(()) => return Ok(number),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(number),
            Err(error) => return Err(error),
        }
    }
    Ok(pieces.len())
}

#[async_trait]
impl Upload for MemoryUpload {
    fn part_size(&self) -> usize {
        self.store.piece
    }

    fn written(&self) -> u64 {
        (self.sent * self.store.piece + self.rest.len()) as u64
    }

    fn ticket(&self) -> Option<Ticket> {
        self.number.map(|number| Ticket(number.to_string()))
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.rest.extend_from_slice(&bytes);
        while self.rest.len() >= self.store.piece {
            let piece = self.rest.split_to(self.store.piece);
            self.send(piece.freeze())?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo, StoreError> {
        let mut held = self.store.held();
        let mut object = match self.number {
            None => Vec::new(),
            Some(number) => match held.unfinished.uploads.remove(&number) {
                Some(pieces) => pieces.all[..self.sent].concat(),
                None => return Err(self.gone("commit")),
            },
        };
        object.extend_from_slice(&self.rest);
        self.store
            .publish(&mut held, &self.name, object.into(), self.taken)
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        if let Some(number) = self.number {
            self.store.held().unfinished.uploads.remove(&number);
        }
        Ok(())
    }
}
