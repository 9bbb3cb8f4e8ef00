//! A quarantine in any store, so that whatever befalls a store befalls it too.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use rollsnap_engine::quarantine::Quarantine;
use rollsnap_store::{ObjectName, Store, StoreError, Terms};

#[derive(Debug)]
pub(crate) struct StoreQuarantine<R, S> {
    pub(crate) room: R,
    /// Where what is taken comes from.
    pub(crate) objects: S,
}

#[async_trait]
impl<R: Store, S: Store> Quarantine for StoreQuarantine<R, S> {
    fn room(&self) -> &dyn Store {
        &self.room
    }

    /// In steps: whatever may come between them is worse than what a rename allows.
    async fn take(&self, name: &ObjectName) -> Result<(), StoreError> {
        let pieces = self.objects.read(name, None).await?;
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        let mut upload = self.room.begin(name, Terms::replacing()).await?;
        upload.write(pieces.concat().into()).await?;
        upload.commit().await?;
        self.objects.delete(name).await
    }
}
