//! One save, from the first question to the published manifest.
//!
//! ```text
//! etcd stream -> trailer hasher -> encoder -> spool --(digest equal?)--> sync, rename, manifest
//!                                               `.. followed by the upload ..> complete, manifest
//! ```
//!
//! Commit points in order: the snapshot's name, its manifest, and only then, for the caller to
//! await, its [proof] and the bucket's. Until the first, nothing is visible
//! anywhere; whatever fails before it leaves nothing behind.

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rollsnap_etcd::{MemberStatus, Peers, Source};
use rollsnap_snapfile::bolt::BoltError;
use rollsnap_snapfile::mvcc::{Revision, last_revision};
use rollsnap_snapfile::{Proof, TrailerHasher};
use rollsnap_store::{ErrorKind, ObjectInfo, Spool, SpoolStore, Store, StoreError, Terms};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::codec::{Subject, Writer, pages};
use crate::drafts::{Claim, Drafts};
use crate::enclosure::{Enclosed, Enclosure};
use crate::examine::Examiner;
use crate::follow::{Following, put_manifest};
use crate::gentle::{self, Hearer, Pieces};
use crate::manifest::{Class, Content, FORMAT, Id, Method, Stored, Verdict, Verification};
use crate::name::Part;
use crate::quarantine::Quarantine;
use crate::room::Shrunk;
use crate::save_error::{Cause, SaveError};
use crate::worthy::{self, Spooled};
use crate::{Clock, Codec, Manifest, SnapshotName, proof, reconcile, replacement};

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
    /// What goes into a zip beside it, where something does. No other encoding has room for it.
    pub enclosure: Option<Arc<dyn Enclosure>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The longest that one attempt may take until its snapshot is proved, where there is such a
    /// limit.
    pub limit: Option<Duration>,
    /// The most bytes that are read from etcd in a second, where there is such a limit. It is let
    /// go where it would do etcd harm.
    pub max_rate: Option<NonZeroU64>,
    /// Who hears what happens meanwhile.
    pub hearer: Hearer,
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
    /// What the newest of the same encoding shrank to, where one is known.
    pub shrunk: Option<Shrunk>,
    /// Whether it takes the place of a snapshot of its name, here and in the
    /// bucket, unless that is another cluster's. Otherwise a name that is taken is refused.
    pub replaces: bool,
}

/// A snapshot that is proved, published and durable here.
#[derive(Debug)]
pub struct Saved {
    /// What is known of it.
    pub manifest: Manifest,
    /// What came of its proof, where that came first: of a snapshot that replaces another.
    pub proof: Option<proof::Proof>,
    /// How long it took without its proof, by the monotonic clock.
    pub took: Duration,
    /// Its upload, to be committed by the caller once it is proved as deep as is wanted; `None`
    /// without a bucket.
    pub upload: Option<Following>,
    /// Whether its zip holds what was given to be enclosed.
    pub holds_more: bool,
    /// Whether the cluster had no space left for writes when it was taken.
    pub has_no_space: bool,
}

/// Hears how far the stream is: bytes so far, and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

impl Pipeline {
    /// Takes one snapshot. Dropping the future leaves nothing visible, or the whole of it
    /// (its manifest is then completed at the next start). Of one that is replaced, it leaves the
    /// old one or the new one (whose manifest then comes back at the next start), and the new one
    /// only when it is proved.
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
                Terms {
                    at_most: Some(self.codec.at_most(total)),
                    replaces: order.replaces,
                },
                spool.tail(),
            )
        };
        let upload = self.remote.as_ref().map(follow);

        let enclosed = self.enclosed(&order.name);
        let subject = Subject {
            name: &order.name,
            begun: started_at,
            size: total,
        };
        let published = async {
            let mut writer = Writer::begin(spool, self.codec, subject).await?;
            let told = |done| progress(done, total);
            let capture = self.capture(stream, &mut writer, enclosed, &told);
            let captured = self.in_time(began, capture).await?;
            let mut manifest = self.describe(order, &status, &captured, started_at);
            let spooled = Spooled::of(writer.spool())?;
            let leave = Box::pin(self.leave(order, &manifest, spooled)).await?;
            if let Some(proved) = &leave.proved {
                manifest = proved.judged.clone();
            }
            self.publish(leave.claim, writer, &manifest).await?;
            let took = began.elapsed().saturating_sub(leave.took);
            let proof = match leave.proved {
                Some(proved) => Some(Box::pin(worthy::told(proved)).await),
                None => None,
            };
            Ok((manifest, captured.holds_more, proof, took))
        };
        match published.await {
            Ok((manifest, holds_more, proof, took)) => Ok(Saved {
                holds_more,
                has_no_space: status.has_no_space(),
                manifest,
                proof,
                took,
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

    /// Begins to look for what is enclosed, beside the stream.
    fn enclosed(&self, name: &SnapshotName) -> Option<AbortOnDropHandle<Option<Enclosed>>> {
        let enclosure = self
            .enclosure
            .as_ref()
            .filter(|_| self.codec == Codec::Zip)?;
        let (enclosure, name) = (Arc::clone(enclosure), name.clone());
        let look = async move { enclosure.enclosed(&name).await };
        Some(AbortOnDropHandle::new(tokio::spawn(look)))
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
        if !order.replaces {
            self.refuse_taken(&order.name).await?;
        }
        let status = gentle::patiently(&self.hearer, || self.source.status());
        let status = status.await.map_err(Cause::Unwell)?;
        if order.replaces {
            let cluster = Id(status.cluster_id);
            replacement::refuse_another(&*self.local, &order.name, cluster).await?;
        }
        if status.is_learner {
            return Err(Cause::Learner(self.source.endpoint().to_owned()));
        }
        // An empty stream ends at the first look and is asked again below.
        let stream = gentle::patiently(&self.hearer, || self.source.snapshot()).await?;
        // Where nothing can be written any more a snapshot is wanted as soon as can be.
        let rate = self.max_rate.filter(|_| !status.has_no_space());
        let mut stream = gentle::read(&self.source, stream, &status, rate, &self.hearer).fuse();

        // The first chunk tells the size, so a full disk is known before anything is written.
        let first = stream.try_next().await?;
        let total = first
            .as_ref()
            .map_or(0, |c| c.bytes.len() as u64 + c.remaining + TRAILER);
        let stream = stream::iter(first.map(Ok)).chain(stream).boxed();
        let spool = self.spool(order, total).await?;
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
        mut stream: Pieces,
        writer: &mut Writer,
        enclosed: Option<AbortOnDropHandle<Option<Enclosed>>>,
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
        let enclosed = match enclosed {
            // A snapshot never fails by what is beside it.
            Some(enclosed) => enclosed.await.ok().flatten(),
            None => None,
        };
        let plain = Content {
            digest: proof.whole,
            size: proof.size,
        };
        let holds_more = enclosed.as_ref().is_some_and(Enclosed::fits);
        let stored = writer.seal(plain, enclosed).await?;
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
            holds_more,
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
            drill: None,
        }
    }

    /// Gives a sealed spool its name and its manifest. The draft comes first, so that a crash
    /// between the two is put right at the next start, and a disk that becomes full comes too late.
    async fn publish(
        &self,
        claim: Option<Claim>,
        writer: Writer,
        manifest: &Manifest,
    ) -> Result<(), Cause> {
        let (local, drafts) = (&*self.local, &*self.drafts);
        let draft = Bytes::from(manifest.to_bytes());
        drafts.put(&manifest.name.manifest(), draft).await?;
        if claim.is_none() {
            return self.name(writer, manifest).await;
        }
        let replaced = async {
            replacement::make_way(local, drafts, &manifest.name).await?;
            self.name(writer, manifest).await
        };
        let replaced = Box::pin(replaced).await;
        // The old one gets its manifest back, or goes. What this cannot do, the next start does.
        let ended = reconcile::complete_draft(local, drafts, &manifest.name);
        let _ = Box::pin(ended).await;
        replaced
    }

    /// Gives a sealed spool that has its draft its name and its manifest.
    async fn name(&self, writer: Writer, manifest: &Manifest) -> Result<(), Cause> {
        let draft = manifest.name.manifest();
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
    stream: Pieces,
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
    /// Whether something was enclosed.
    holds_more: bool,
}
