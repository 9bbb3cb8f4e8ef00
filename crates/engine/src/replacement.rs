//! A snapshot that takes the place of an older one of its name.
//!
//! What is known of the old one never lies beside the new one's bytes: databases often have equal
//! sizes, and nothing would tell that the manifest is another's. In the directory:
//!
//! | step | a crash after it leaves | and the next start |
//! |---|---|---|
//! | the new manifest is a draft | the old one | removes the draft |
//! | the old manifest is put aside, among the drafts | the old one | the same, and what is aside |
//! | the old index and manifest are deleted | the old one without them | gives it its manifest back |
//! | the new one gets the name | the new one without manifest | completes it by its draft |
//! | the draft becomes its manifest | the new one, and the old one where its encoding was another | deletes that |
//!
//! A bucket has no room to put things aside. A crash there leaves the old object without its
//! manifest, or the new one: the mirror pays what is missing.

use std::time::Duration;

use rollsnap_store::{ErrorKind, ObjectName, Store, StoreError};
use tokio::time::{Instant, sleep};

use crate::drafts::{Claim, Drafts};
use crate::follow::{occupied, put_manifest};
use crate::image;
use crate::manifest::Id;
use crate::name::Part;
use crate::reconcile::content_of;
use crate::{Manifest, SnapshotName};

/// What the file ends with that holds the old manifest, or nothing where there was none.
const ASIDE: &str = ".replaced";

/// How long others are waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// The time between two looks whether they are done.
const LOOK: Duration = Duration::from_millis(100);

/// The error of a name that another cluster's snapshot has: that is never replaced. What has no
/// manifest is taken for the cluster's own, as the old program takes it.
pub(crate) async fn refuse_another(
    store: &dyn Store,
    name: &SnapshotName,
    cluster: Id,
) -> Result<(), StoreError> {
    let beside = manifest_beside(store, name).await?;
    match beside.filter(|beside| beside.cluster_id != cluster) {
        None => Ok(()),
        Some(_) => Err(occupied(store.location(), &name.manifest())),
    }
}

/// Deletes what lies beside the snapshot of that name. Until its successor has the name, it is one
/// without a manifest.
pub(crate) async fn strip(store: &dyn Store, name: &SnapshotName) -> Result<(), StoreError> {
    store.delete(&name.index()).await?;
    store.delete(&name.manifest()).await
}

/// Deletes what has the snapshot's name in another encoding, once it lies there itself.
pub(crate) async fn supersede(store: &dyn Store, manifest: &Manifest) -> Result<(), StoreError> {
    let (name, codec) = (&manifest.name, manifest.stored.codec);
    let there = store.list(name.as_str()).await?;
    let is_itself = |object: &ObjectName| *object == name.stored(codec);
    if !there.iter().any(|there| is_itself(&there.name)) {
        return Ok(());
    }
    for object in there {
        let part = Part::of(&object.name);
        let is_namesake = matches!(part, Some(Part::Stored(held, _)) if held == *name);
        if is_namesake && !is_itself(&object.name) {
            store.delete(&object.name).await?;
        }
    }
    Ok(())
}

/// Waits until nobody else is at it: for a moment where another replaces a snapshot, as long as it
/// takes to read one where what a crash left is put right.
pub(crate) async fn claim(store: &dyn Store, drafts: &dyn Drafts) -> Result<Claim, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(claim) = drafts.claim().await? {
            return Ok(claim);
        }
        if Instant::now() >= deadline {
            let message = "another process has been replacing a snapshot for minutes";
            let (kind, location) = (ErrorKind::Unavailable, store.location());
            return Err(StoreError::at(kind, "lock", location, message)
                .with_hint("look for a rollsnap that hangs or was paused"));
        }
        sleep(LOOK).await;
    }
}

/// Takes from the directory what lies beside the snapshot of that name, if there is one, and puts
/// its manifest aside.
pub(crate) async fn make_way(
    store: &dyn Store,
    drafts: &dyn Drafts,
    name: &SnapshotName,
) -> Result<(), StoreError> {
    let there = store.list(name.as_str()).await?;
    let is_old = |object: &ObjectName| match Part::of(object) {
        Some(Part::Stored(held, _) | Part::Manifest(held) | Part::Index(held)) => held == *name,
        Some(Part::Bundle) | None => false,
    };
    if !there.iter().any(|there| is_old(&there.name)) {
        return Ok(());
    }
    let beside = image::load(store, &name.manifest()).await?;
    let aside = aside(name);
    // What an earlier run put aside is all that is known of a snapshot that has no manifest.
    if beside.is_some() || drafts.get(&aside).await?.is_none() {
        drafts
            .put(&aside, beside.unwrap_or_default().into())
            .await?;
    }
    strip(store, name).await
}

/// Ends what [`make_way`] began, however far it came: the one that lies there has its manifest,
/// and nothing else has its name. Drafts of manifests come first.
pub(crate) async fn settle(
    store: &dyn Store,
    drafts: &dyn Drafts,
    name: &SnapshotName,
) -> Result<(), StoreError> {
    let aside = aside(name);
    let Some(bytes) = drafts.get(&aside).await? else {
        return Ok(());
    };
    let old = Manifest::read(name, &bytes).ok();
    match (manifest_beside(store, name).await?, old) {
        (None, Some(old)) => give_back(store, &old).await?,
        (None, None) => {}
        (Some(beside), Some(old)) if beside.is_of_same(&old) => {}
        (Some(new), _) => supersede(store, &new).await?,
    }
    drafts.remove(&aside).await
}

/// The snapshot whose manifest was put aside under that name.
pub(crate) fn of_aside(draft: &ObjectName) -> Option<SnapshotName> {
    SnapshotName::new(draft.as_str().strip_suffix(ASIDE)?).ok()
}

/// Gives a snapshot its manifest back, if it still is what that tells.
async fn give_back(store: &dyn Store, old: &Manifest) -> Result<(), StoreError> {
    let object = old.name.stored(old.stored.codec);
    match content_of(store, &object).await {
        Ok(held) if held == old.stored.content => put_manifest(store, old).await,
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The manifest that lies beside a snapshot and can be read.
pub(crate) async fn manifest_beside(
    store: &dyn Store,
    name: &SnapshotName,
) -> Result<Option<Manifest>, StoreError> {
    let beside = image::load(store, &name.manifest()).await?;
    Ok(beside.and_then(|bytes| Manifest::read(name, &bytes).ok()))
}

fn aside(name: &SnapshotName) -> ObjectName {
    ObjectName::new(format!("{name}{ASIDE}")).expect("a name leaves room for a suffix")
}
