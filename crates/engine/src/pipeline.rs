//! One save, from the first question to the published manifest.
//!
//! ```text
//! etcd stream -> trailer hasher -> encoder -> spool --(digest equal?)--> sync, rename, manifest
//!                                               `.. followed by the upload ..> complete, manifest
//! ```
//!
//! Commit points in order: the snapshot's name, its manifest, and only then, for the caller to
//! await, its [proof](crate::proof) and the bucket's. Until the first, nothing is visible
//! anywhere; whatever fails before it leaves nothing behind.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rollsnap_etcd::{MemberStatus, Peers, SnapshotStream, Source};
use rollsnap_snapfile::bolt::BoltError;
use rollsnap_snapfile::mvcc::{Revision, last_revision};
use rollsnap_snapfile::{Proof, TrailerHasher};
use rollsnap_store::{ErrorKind, ObjectInfo, Spool, SpoolStore, Store, StoreError};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::codec::{Writer, pages};
use crate::drafts::Drafts;
use crate::examine::Examiner;
use crate::follow::{Following, put_manifest};
use crate::manifest::{Class, Content, FORMAT, Id, Method, Stored, Verdict, Verification};
use crate::name::Part;
use crate::quarantine::Quarantine;
use crate::save_error::{Cause, SaveError};
use crate::{Clock, Codec, Manifest, SnapshotName};

/// Bytes of the digest that follows the database.
const TRAILER: u64 = 32;

/// Everything that a save needs, and nothing that changes from one to the next.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Where it comes from.
    pub source: Arc<dyn Source>,
    /// Where it is kept.
    pub local: Arc<dyn SpoolStore>,
    /// Where manifests wait for their snapshot's name.
    pub drafts: Arc<dyn Drafts>,
    /// Where it is copied to.
    pub remote: Option<Arc<dyn Store>>,
    /// How it is encoded.
    pub codec: Codec,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The longest that one attempt may take until its snapshot is proved, where there is such a
    /// limit.
    pub limit: Option<Duration>,
    /// Where goes what is found broken.
    pub quarantine: Arc<dyn Quarantine>,
    /// Who verifies what is published; without one the digest of the stream is the proof.
    pub examiner: Option<Arc<dyn Examiner>>,
    /// Whose data each new snapshot is compared with, where that is wanted.
    pub peers: Option<Arc<dyn Peers>>,
    /// The program's name and version, for the manifest.
    pub tool: String,
}

/// What is to be saved as what.
#[derive(Debug, Clone)]
pub struct Order {
    /// The name.
    pub name: SnapshotName,
    /// Whether retention applies.
    pub class: Class,
    /// The greatest [`Manifest::order`] known.
    pub after: u64,
}

/// A snapshot that is proved, published and durable here.
#[derive(Debug)]
pub struct Saved {
    /// What is known of it.
    pub manifest: Manifest,
    /// How long it took, by the monotonic clock.
    pub took: Duration,
    /// Its upload, to be committed by the caller once it is proved as deep as is wanted; `None`
    /// without a bucket.
    pub upload: Option<Following>,
}

/// Hears how far the stream is: bytes so far, and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

impl Pipeline {
    /// Takes one snapshot. Dropping the future leaves nothing visible, or the whole of it
    /// (its manifest is then completed at the next start).
    pub async fn save(&self, order: &Order, progress: Progress<'_>) -> Result<Saved, SaveError> {
        let result = self.run(order, progress).await;
        result.map_err(|cause| SaveError::new(order.name.clone(), cause))
    }

    async fn run(&self, order: &Order, progress: Progress<'_>) -> Result<Saved, Cause> {
        let began = Instant::now();
        let started_at = self.clock.now();
        let opened = self.in_time(began, self.open(order)).await?;
        let Opened {
            status,
            stream,
            total,
            spool,
        } = opened;
        let follow = |remote: &Arc<dyn Store>| {
            Following::start(
                Arc::clone(remote),
                order.name.clone(),
                self.codec,
                self.codec.at_most(total),
                spool.tail(),
            )
        };
        let upload = self.remote.as_ref().map(follow);

        let mut writer = Writer::new(spool, self.codec);
        let published = async {
            let told = |done| progress(done, total);
            let capture = self.capture(stream, &mut writer, &told);
            let captured = self.in_time(began, capture).await?;
            let manifest = self.describe(order, &status, &captured, started_at);
            self.publish(writer, &manifest).await?;
            Ok(manifest)
        };
        match published.await {
            Ok(manifest) => Ok(Saved {
                manifest,
                took: began.elapsed(),
                upload: upload.map(Following::stands),
            }),
            Err(cause) => {
                if let Some(upload) = upload {
                    upload.abandon().await;
                }
                Err(cause)
            }
        }
    }

    /// A step of an attempt that began then, as long as it may take. What publishes is not such a
    /// step: a snapshot that has its name stands.
    async fn in_time<T>(
        &self,
        began: Instant,
        step: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, Cause> {
        match self.limit {
            Some(limit) => timeout_at(began + limit, step)
                .await
                .unwrap_or(Err(Cause::Slow(limit))),
            None => step.await,
        }
    }

    /// Asks etcd for a snapshot, and makes room for it.
    async fn open(&self, order: &Order) -> Result<Opened, Cause> {
        self.refuse_taken(&order.name).await?;
        let status = self.source.status().await?;
        if status.is_learner {
            return Err(Cause::Learner(self.source.endpoint().to_owned()));
        }
        // An empty stream ends at the first look and is asked again below.
        let mut stream = self.source.snapshot().await?.fuse();

        // The first chunk tells the size, so a full disk is known before anything is written.
        let first = stream.try_next().await?;
        let total = first
            .as_ref()
            .map_or(0, |c| c.bytes.len() as u64 + c.remaining + TRAILER);
        let stream = stream::iter(first.map(Ok)).chain(stream).boxed();
        let object = order.name.stored(self.codec);
        let expected = (self.codec == Codec::None).then_some(total);
        let spool = self.local.spool(&object, expected).await?;
        Ok(Opened {
            status,
            stream,
            total,
            spool,
        })
    }

    /// Refuses a name that a snapshot has here in any encoding: both would share one manifest.
    async fn refuse_taken(&self, name: &SnapshotName) -> Result<(), StoreError> {
        let same = |object: &ObjectInfo| matches!(Part::of(&object.name), Some(Part::Stored(held, _)) if held == *name);
        match self
            .local
            .list(name.as_str())
            .await?
            .iter()
            .find(|object| same(object))
        {
            None => Ok(()),
            Some(held) => Err(StoreError::new(
                ErrorKind::AlreadyExists,
                "create",
                self.local.location(),
                &held.name,
                "the name is taken by another snapshot",
            )),
        }
    }

    /// Brings the stream into the spool, durable, and proves it.
    async fn capture(
        &self,
        mut stream: SnapshotStream,
        writer: &mut Writer,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Captured, Cause> {
        let mut hasher = TrailerHasher::default();
        let mut done = 0;
        while let Some(chunk) = stream.try_next().await? {
            hasher.push(&chunk.bytes);
            done += chunk.bytes.len() as u64;
            writer.push(chunk.bytes).await?;
            progress(done);
        }
        let proof = hasher.finish()?;
        let stored = writer
            .seal(Content {
                digest: proof.whole,
                size: proof.size,
            })
            .await?;
        let reader = writer.spool().reader()?;
        let codec = self.codec;
        let revision = spawn_blocking(move || {
            let pages = pages(reader, codec).map_err(BoltError::Read)?;
            last_revision(&*pages)
        });
        let revision = revision.await.map_err(io::Error::other)??;
        Ok(Captured {
            proof,
            stored,
            revision,
        })
    }

    fn describe(
        &self,
        order: &Order,
        status: &MemberStatus,
        captured: &Captured,
        started_at: DateTime<Utc>,
    ) -> Manifest {
        let Proof { database, size, .. } = captured.proof;
        let finished_at = self.clock.now();
        let millis = u64::try_from(started_at.timestamp_millis()).unwrap_or_default();
        Manifest {
            format: FORMAT,
            name: order.name.clone(),
            class: order.class,
            order: millis.max(order.after + 1),
            cluster_id: Id(status.cluster_id),
            member_id: Id(status.member_id),
            member_name: status.member_name.clone(),
            etcd_version: status.version.clone(),
            revision: captured.revision.map_or(1, |revision| revision.main),
            raft_term: status.raft_term,
            raft_applied_index: status.raft_applied_index,
            database: Content {
                digest: database,
                size: size - TRAILER,
            },
            stored: Stored {
                codec: self.codec,
                content: captured.stored,
            },
            started_at,
            finished_at,
            tool: self.tool.clone(),
            verification: self.examiner.is_none().then(|| {
                let took = Duration::ZERO;
                Verification::new(finished_at, Method::Digest, Verdict::Held, &[], took)
            }),
            contents: None,
            members: Vec::new(),
            read_back: None,
        }
    }

    /// Gives a sealed spool its name and its manifest. The draft comes first, so that a crash
    /// between the two is put right at the next start, and a disk that becomes full comes too late.
    async fn publish(&self, writer: Writer, manifest: &Manifest) -> Result<(), Cause> {
        let draft = manifest.name.manifest();
        self.drafts
            .put(&draft, Bytes::from(manifest.to_bytes()))
            .await?;
        if let Err(error) = writer.into_spool().commit().await {
            // It may have got its name all the same; then the draft is needed.
            if error.kind() == ErrorKind::AlreadyExists {
                let _ = self.drafts.remove(&draft).await;
            }
            return Err(error.into());
        }
        match self.drafts.publish(&draft).await {
            // Another process took it for one left over.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                put_manifest(&*self.local, manifest).await?;
            }
            done => done?,
        }
        Ok(())
    }
}

/// A stream that has begun, and where it goes.
struct Opened {
    status: MemberStatus,
    stream: SnapshotStream,
    /// Bytes that will come.
    total: u64,
    spool: Box<dyn Spool>,
}

/// What a stream turned out to be.
struct Captured {
    proof: Proof,
    stored: Content,
    /// `None` for a store that was never written to.
    revision: Option<Revision>,
}
