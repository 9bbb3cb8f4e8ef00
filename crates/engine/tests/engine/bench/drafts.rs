//! Drafts in any store, so that whatever befalls a store befalls them too.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use rollsnap_engine::drafts::Drafts;
use rollsnap_store::{ErrorKind, ObjectName, Store, StoreError};

#[derive(Debug)]
pub(crate) struct StoreDrafts<S>(pub(crate) S);

#[async_trait]
impl<S: Store> Drafts for StoreDrafts<S> {
    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StoreError> {
        let mut upload = self.0.begin(name).await?;
        upload.write(bytes).await?;
        upload.commit().await.map(drop)
    }

    async fn get(&self, name: &ObjectName) -> Result<Option<Bytes>, StoreError> {
        match self.0.read(name, None).await {
            Ok(pieces) => {
                let pieces: Vec<Bytes> = pieces.try_collect().await?;
                Ok(Some(pieces.concat().into()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self) -> Result<Vec<ObjectName>, StoreError> {
        let list = self.0.list("").await?;
        Ok(list.into_iter().map(|info| info.name).collect())
    }

    async fn remove(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.0.delete(name).await
    }
}
