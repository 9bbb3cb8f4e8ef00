//! Drafts in any store, so that whatever befalls a store befalls them too; and drafts that get lost.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use rollsnap_engine::drafts::{Claim, Drafts};
use rollsnap_store::{ErrorKind, ObjectName, Store, StoreError, Terms};

#[derive(Debug)]
pub(crate) struct StoreDrafts<S> {
    pub(crate) drafts: S,
    /// Where a published draft goes.
    pub(crate) objects: S,
}

impl<S: Store> StoreDrafts<S> {
    async fn write(store: &S, name: &ObjectName, bytes: Bytes) -> Result<(), StoreError> {
        let mut upload = store.begin(name, Terms::replacing()).await?;
        upload.write(bytes).await?;
        upload.commit().await.map(drop)
    }
}

#[async_trait]
impl<S: Store> Drafts for StoreDrafts<S> {
    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StoreError> {
        Self::write(&self.drafts, name, bytes).await
    }

    async fn get(&self, name: &ObjectName) -> Result<Option<Bytes>, StoreError> {
        match self.drafts.read(name, None).await {
            Ok(pieces) => {
                let pieces: Vec<Bytes> = pieces.try_collect().await?;
                Ok(Some(pieces.concat().into()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self) -> Result<Vec<ObjectName>, StoreError> {
        let list = self.drafts.list("").await?;
        Ok(list.into_iter().map(|info| info.name).collect())
    }

    /// In steps: whatever may come between them is worse than what a rename allows.
    async fn publish(&self, name: &ObjectName) -> Result<(), StoreError> {
        let Some(bytes) = self.get(name).await? else {
            return Err(lost(name));
        };
        Self::write(&self.objects, name, bytes).await?;
        self.remove(name).await
    }

    async fn remove(&self, name: &ObjectName) -> Result<(), StoreError> {
        self.drafts.delete(name).await
    }

    async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        Ok(Some(Box::new(())))
    }
}

/// Drafts that another process takes away as soon as they are put.
#[derive(Debug)]
pub(crate) struct LostDrafts;

#[async_trait]
impl Drafts for LostDrafts {
    async fn put(&self, _: &ObjectName, _: Bytes) -> Result<(), StoreError> {
        Ok(())
    }

    async fn get(&self, _: &ObjectName) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }

    async fn list(&self) -> Result<Vec<ObjectName>, StoreError> {
        Ok(Vec::new())
    }

    async fn publish(&self, name: &ObjectName) -> Result<(), StoreError> {
        Err(lost(name))
    }

    async fn remove(&self, _: &ObjectName) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        Ok(Some(Box::new(())))
    }
}

fn lost(name: &ObjectName) -> StoreError {
    StoreError::at(ErrorKind::NotFound, "publish", name, "no such draft")
}
