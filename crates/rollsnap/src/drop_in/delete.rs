//! `etcd-backup delete`: one snapshot by its exact name, here and in the bucket.

use std::time::Duration;

use rollsnap_engine::image;
use rollsnap_engine::name::Part;
use rollsnap_engine::{Codec, SnapshotName, prune};
use rollsnap_rke::argv::Delete;
use rollsnap_rke::duration::GoDuration;
use rollsnap_rke::wording;
use rollsnap_store::{ObjectName, Store, StoreError};
use tokio::time::Instant;
use tracing::{info, warn};

use super::snapshot_named;
use crate::assembly;
use crate::commands::Context;
use crate::report::{Failure, chain};

pub(super) async fn run(delete: &Delete, context: &Context) -> Result<(), Failure> {
    let name = snapshot_named(&delete.name)?;
    // What is wrong with the bucket's settings keeps nothing here from going.
    let settings = context.settings_without_bucket()?;
    let local = assembly::local_to_read(&settings)?;
    if delete.cleanup {
        // The bucket is not even looked at: RKE gives its flags all the same.
        return clean_up(&local, &name).await;
    }
    delete_here(&local, &name).await?;
    let Some(bucket) = &delete.bucket else {
        return Ok(());
    };
    let remote = assembly::remote_needed(&context.settings()?)?;
    let deleted = delete_all(&*remote, &name).await?;
    let keys = deleted.iter().map(|file| bucket.key(file.name.as_str()));
    let keys: Vec<_> = keys.collect();
    if !keys.is_empty() {
        info!("{}", wording::removed_objects(&keys));
    }
    Ok(())
}

async fn delete_here(local: &dyn Store, name: &SnapshotName) -> Result<(), Failure> {
    for file in delete_all(local, name).await? {
        let path = format!("{}/{}", local.location(), file.name);
        info!(name = path, runtime = %GoDuration(file.took), "{}", wording::DELETED);
    }
    Ok(())
}

/// What was deleted.
struct Deleted {
    name: ObjectName,
    took: Duration,
}

/// Deletes every form of one snapshot, and what lies beside it. Absent is success, and a name that
/// only begins so is another's.
async fn delete_all(store: &dyn Store, name: &SnapshotName) -> Result<Vec<Deleted>, StoreError> {
    let mut deleted = Vec::new();
    for codec in forms(store, name).await? {
        let began = Instant::now();
        prune::delete(store, name, codec).await?;
        deleted.push(Deleted {
            name: name.stored(codec),
            took: began.elapsed(),
        });
    }
    if let Some(name) = gzip_named(store, name).await? {
        let began = Instant::now();
        store.delete(&name).await?;
        let took = began.elapsed();
        deleted.push(Deleted { name, took });
    }
    Ok(deleted)
}

/// The zip that v0.1.29 and v0.1.30 called `.gz`.
async fn gzip_named(
    store: &dyn Store,
    name: &SnapshotName,
) -> Result<Option<ObjectName>, StoreError> {
    let objects = store.list(name.as_str()).await?;
    let mut names = objects.into_iter().map(|object| object.name);
    Ok(names.find(|there| there.as_str().strip_prefix(name.as_str()) == Some(".gz")))
}

/// In which forms a snapshot lies in a store.
async fn forms(store: &dyn Store, name: &SnapshotName) -> Result<Vec<Codec>, StoreError> {
    let objects = store.list(name.as_str()).await?;
    let forms = objects
        .iter()
        .filter_map(|object| match Part::of(&object.name) {
            Some(Part::Stored(held, codec)) if held == *name => Some(codec),
            _ => None,
        });
    Ok(forms.collect())
}

/// Removes the unpacked copy that `download` or `serve` left beside the archive. One without an
/// archive is no copy but the snapshot, and so is one that its manifest speaks of.
async fn clean_up(local: &dyn Store, name: &SnapshotName) -> Result<(), Failure> {
    let forms = forms(local, name).await?;
    if !forms.contains(&Codec::None) {
        return Ok(());
    }
    let raw = name.stored(Codec::None);
    let found = image::find(local, name.as_str()).await?;
    let is_told_of = found.is_some_and(|it| it.manifest.is_some() && it.object.name == raw);
    let has_archive = forms.len() > 1 || gzip_named(local, name).await?.is_some();
    if !has_archive || is_told_of {
        info!(name = %name, "Kept a snapshot that is no copy of an archive");
        return Ok(());
    }
    let began = Instant::now();
    match local.delete(&raw).await {
        Ok(()) => {
            let (path, took) = (format!("{}/{raw}", local.location()), began.elapsed());
            info!(name = path, runtime = %GoDuration(took), "{}", wording::DELETED);
            Ok(())
        }
        Err(error) => {
            warn!(error = chain(&error), name = %raw, "{}", wording::NOT_DELETED);
            Err(error.into())
        }
    }
}
