//! Objects that are not what they should be: out of every listing, and not lost.

use std::fs;
use std::io;
use std::ops::Range;

use async_trait::async_trait;

use super::folder::{Folder, Found};
use super::{LocalDir, off_worker};
use crate::{
    BoxRead, ErrorKind, Location, ObjectInfo, ObjectName, Store, StoreError, Terms, Upload,
};

/// A store beside a directory's objects, into which those can be moved. Cheap to clone.
///
/// Its directory is made by the first write; without it the store is empty.
#[derive(Debug, Clone)]
pub struct Quarantine {
    /// The directory as a store.
    dir: LocalDir,
    /// Where the objects are that may be moved here.
    objects: Folder,
}

impl Quarantine {
    pub(super) fn new(dir: LocalDir, objects: Folder) -> Self {
        Self { dir, objects }
    }

    /// Moves an object here, replacing one of the same name in one step, and makes that durable.
    /// Its bytes are where they were, so a full disk does not hinder it.
    ///
    /// [`NotFound`](ErrorKind::NotFound) when there is no such object. Once begun it runs to its
    /// end, even when the future is dropped.
    pub async fn take(&self, name: &ObjectName) -> Result<(), StoreError> {
        let (room, objects, name) = (self.room(), self.objects.clone(), name.clone());
        let home = self.dir.home().clone();
        off_worker("move", move || {
            let from = objects.file(name.as_str());
            let absent = || {
                let message = "no such object";
                StoreError::at(ErrorKind::NotFound, "move", from.display(), message)
            };
            let Found::File(_) = objects.look("move", name.as_str())? else {
                return Err(absent());
            };
            home.ready_for_quarantine()?;
            fs::rename(&from, room.file(name.as_str())).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => absent(),
                _ => StoreError::io("move", from.display(), error),
            })?;
            // The new name first: a crash in between may leave both, never neither.
            room.sync("move")?;
            objects.sync("move")
        })
        .await
    }

    fn room(&self) -> Folder {
        self.dir.root().clone()
    }

    async fn is_there(&self, verb: &'static str) -> Result<bool, StoreError> {
        let room = self.room();
        off_worker(verb, move || room.is_there(verb)).await
    }
}

#[async_trait]
impl Store for Quarantine {
    fn location(&self) -> &Location {
        self.dir.location()
    }

    async fn begin(&self, name: &ObjectName, terms: Terms) -> Result<Box<dyn Upload>, StoreError> {
        let home = self.dir.home().clone();
        off_worker("create", move || home.ready_for_quarantine()).await?;
        self.dir.begin(name, terms).await
    }

    async fn read(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<BoxRead, StoreError> {
        if !self.is_there("read").await? {
            let (kind, message) = (ErrorKind::NotFound, "no such object");
            return Err(StoreError::new(
                kind,
                "read",
                self.location(),
                name,
                message,
            ));
        }
        self.dir.read(name, range).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        if !self.is_there("list").await? {
            return Ok(Vec::new());
        }
        self.dir.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        if !self.is_there("delete").await? {
            return Ok(());
        }
        self.dir.delete(name).await
    }
}
