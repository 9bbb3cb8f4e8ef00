//! An upload that follows a spool while it grows.
//!
//! etcd's stream never waits for a bucket: it goes to the spool at disk speed, and this reads
//! behind it. Memory is what the store holds in flight, whatever the database's size.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rollsnap_store::{ErrorKind, Location, ObjectName, Store, StoreError, Tail, Terms, Upload};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::{Codec, Manifest, SnapshotName, replacement};

/// How long a bucket has to forget an upload. A save that failed is tried again after a second,
/// and must not find the last one's upload still there.
const ABANDON: Duration = Duration::from_secs(5);

/// A running upload, not yet visible.
///
/// Dropped, it is [abandoned](Self::abandon) beside the caller, or once its snapshot
/// [stands](Self::stands) merely dropped with all that is begun: [`tended`](crate::tended) says
/// what becomes of it then.
pub struct Following {
    remote: Arc<dyn Store>,
    /// Here until it is waited for.
    task: Option<Task>,
    stands: bool,
    replaces: bool,
    began: Instant,
}

type Task = AbortOnDropHandle<Result<Box<dyn Upload>, StoreError>>;

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Following({})", self.remote.location())
    }
}

impl Following {
    /// Begins to copy what `tail` reads to the snapshot's object, on these terms. Nothing becomes
    /// visible before [`commit`](Self::commit); if the spool is dropped, so is the upload.
    pub fn start(
        remote: Arc<dyn Store>,
        name: SnapshotName,
        codec: Codec,
        terms: Terms,
        tail: Box<dyn Tail>,
    ) -> Self {
        let task = tokio::spawn(copy(Arc::clone(&remote), name, codec, terms, tail));
        Self {
            remote,
            task: Some(AbortOnDropHandle::new(task)),
            stands: false,
            replaces: terms.replaces,
            began: Instant::now(),
        }
    }

    /// The snapshot that it copies is published here: what is sent of it is of use, whoever goes
    /// on with it.
    #[must_use]
    pub fn stands(mut self) -> Self {
        self.stands = true;
        self
    }

    /// Waits until everything is there, makes it visible, and writes the manifest last. What it
    /// replaces goes then, and is refused if it is another cluster's. Returns how long the whole
    /// upload took.
    pub async fn commit(mut self, manifest: &Manifest) -> Result<Duration, StoreError> {
        let task = self
            .task
            .take()
            .expect("whoever takes it takes all of this");
        let upload = task.await.unwrap_or_else(|error| {
            Err(StoreError::at(
                ErrorKind::Unavailable,
                "upload to",
                self.remote.location(),
                "the upload was dropped",
            )
            .caused_by(error))
        })?;
        let remote = &*self.remote;
        if self.replaces {
            let (name, cluster) = (&manifest.name, manifest.cluster_id);
            if let Err(taken) = replacement::refuse_another(remote, name, cluster).await {
                // The first error tells why; a failing clean-up only leaves invisible parts.
                let _ = upload.abort().await;
                return Err(taken);
            }
            replacement::strip(remote, name).await?;
        }
        upload.commit().await?;
        put_manifest(remote, manifest).await?;
        if self.replaces {
            replacement::supersede(remote, manifest).await?;
        }
        Ok(self.began.elapsed())
    }

    /// Frees what was sent of a snapshot that is not to be. Its spool must be gone or sealed,
    /// which ends the copying.
    ///
    /// Bounded: a bucket that hangs is not waited for.
    pub async fn abandon(mut self) {
        if let Some(task) = self.task.take() {
            free(task).await;
        }
    }

    /// As [`abandon`](Self::abandon), without waiting for it.
    pub fn discard(mut self) {
        self.stands = false;
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // Without a runtime the process is at its end, and nothing can be sent any more.
        if let (Some(task), false, Ok(runtime)) =
            (self.task.take(), self.stands, Handle::try_current())
        {
            runtime.spawn(free(task));
        }
    }
}

async fn free(mut task: Task) {
    let freed = async {
        // Its error is the spool's end, which the caller knows better.
        if let Ok(Ok(upload)) = (&mut task).await {
            let _ = upload.abort().await;
        }
    };
    let _ = timeout(ABANDON, freed).await;
}

async fn copy(
    remote: Arc<dyn Store>,
    name: SnapshotName,
    codec: Codec,
    terms: Terms,
    mut tail: Box<dyn Tail>,
) -> Result<Box<dyn Upload>, StoreError> {
    if !terms.replaces
        && let Some(taken) = taken(&*remote, &name, codec).await?
    {
        return Err(taken);
    }
    let mut upload = remote.begin(&name.stored(codec), terms).await?;
    let size = upload.part_size();
    loop {
        match tail.next(size).await {
            Ok(piece) if piece.is_empty() => return Ok(upload),
            // What arrived may be gone on with.
            Ok(piece) => upload.write(piece).await?,
            Err(error) => {
                // The first error tells why; a failing clean-up only leaves invisible parts.
                let _ = upload.abort().await;
                return Err(error);
            }
        }
    }
}

/// The error of a name that is taken there; `None` when it is free. Members that share a folder
/// may choose one name in the same second, and one-offs are given equal names on purpose.
pub async fn taken(
    remote: &dyn Store,
    name: &SnapshotName,
    codec: Codec,
) -> Result<Option<StoreError>, StoreError> {
    let ours = [name.stored(codec), name.manifest()];
    let there = remote.list(name.as_str()).await?;
    let taken = there.into_iter().find(|there| ours.contains(&there.name));
    Ok(taken.map(|there| occupied(remote.location(), &there.name)))
}

/// The error of a name that another snapshot has.
pub(crate) fn occupied(location: &Location, object: &ObjectName) -> StoreError {
    let message = "another snapshot has this name; nothing is overwritten";
    StoreError::new(ErrorKind::AlreadyExists, "write", location, object, message)
        .with_hint("give each member its own folder, or this snapshot another name")
}

/// Writes a manifest, replacing an older one whole.
pub async fn put_manifest(store: &dyn Store, manifest: &Manifest) -> Result<(), StoreError> {
    let mut upload = store
        .begin(&manifest.name.manifest(), Terms::replacing())
        .await?;
    upload.write(Bytes::from(manifest.to_bytes())).await?;
    upload.commit().await?;
    Ok(())
}
