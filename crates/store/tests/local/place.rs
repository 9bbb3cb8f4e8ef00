//! A directory for one test, and the few calls that every test makes.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::TryStreamExt;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{ObjectName, Store, StoreError, Terms};
use tempfile::TempDir;

/// An open store in a directory of its own, removed with everything in it.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) store: LocalDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalDir::open(dir.path()).unwrap();
        Self { dir, store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The names in `.rollsnap/spool`.
    pub(crate) fn parts(&self) -> Vec<String> {
        parts(self.dir.path())
    }
}

/// The names in the spool of the store at `root`.
pub(crate) fn parts(root: &Path) -> Vec<String> {
    fs::read_dir(root.join(".rollsnap/spool"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub(crate) fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

pub(crate) async fn put(store: &dyn Store, text: &str, content: &[u8]) -> Result<(), StoreError> {
    let mut upload = store.begin(&name(text), Terms::replacing()).await?;
    upload.write(Bytes::copy_from_slice(content)).await?;
    upload.commit().await?;
    Ok(())
}

pub(crate) async fn get(store: &dyn Store, text: &str) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.read(&name(text), None).await?.try_collect().await?;
    Ok(pieces.concat())
}

pub(crate) async fn names(store: &dyn Store) -> Vec<String> {
    let list = store.list("").await.unwrap();
    list.into_iter().map(|info| info.name.to_string()).collect()
}
