//! The proof of one snapshot that is published here: examined, its manifest rewritten, and moved
//! aside if it does not hold.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_etcd::SourceError;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, ReadBack, Store, StoreError, Upload};
use tokio::time::Instant;

use crate::compare::compare;
use crate::examine::{ExamineError, Examined, Examiner, Progress};
use crate::follow::put_manifest;
use crate::manifest::{MAX_MEMBERS, MemberHash, Method, Verdict, Verification};
use crate::pipeline::Pipeline;
use crate::quarantine::{Quarantined, move_aside};
use crate::{Manifest, SnapshotName, image, key_index};

/// What came of a proof.
#[derive(Debug)]
pub enum Proof {
    /// Its manifest says now what it was found to be: it held, or members dispute it.
    Kept {
        /// Everything known of it.
        manifest: Box<Manifest>,
        /// Why it was not compared with the members, where that was wanted.
        unasked: Option<SourceError>,
        /// Why the index of its keys could not be written.
        unindexed: Option<Box<StoreError>>,
    },
    /// It is not what it should be.
    Quarantined(Box<Quarantined>),
    /// Somebody deleted it meanwhile.
    Gone,
}

/// Why a snapshot is as unproved as before.
#[derive(Debug, thiserror::Error)]
#[error("verify {name}")]
pub struct ProofError {
    name: SnapshotName,
    #[source]
    cause: Cause,
}

/// What hinders a proof.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The bytes could not be examined.
    #[error(transparent)]
    Examine(#[from] ExamineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the bytes are that are examined.
pub(crate) enum Bytes {
    /// Under the snapshot's name.
    Named,
    /// In a spool that is sealed.
    Spooled(Arc<dyn ReadBack>),
}

/// What was found of a snapshot, before anybody is told.
pub(crate) struct Verdicts {
    /// Its manifest with the verification.
    pub(crate) judged: Manifest,
    /// The index of its keys, to be published where the snapshot is.
    pub(crate) index: Result<Option<Box<dyn Upload>>, StoreError>,
    /// Why it was not compared with the members, where that was wanted.
    pub(crate) unasked: Option<SourceError>,
}

/// Reads that several share.
pub(crate) struct Shared(pub(crate) Arc<dyn ReadBack>);

impl ReadBack for Shared {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }
}

impl ProofError {
    /// What it means.
    pub fn kind(&self) -> crate::Kind {
        self.cause.kind()
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        self.cause.hint()
    }
}

impl Cause {
    pub(crate) fn kind(&self) -> crate::Kind {
        match self {
            Self::Examine(_) => crate::Kind::Store,
            Self::Store(error) => error.kind().into(),
        }
    }

    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Examine(_) => Some("look at the disk; it is tried again later"),
            Self::Store(error) => error.hint(),
        }
    }
}

impl Pipeline {
    /// How deep every snapshot is verified.
    pub fn method(&self) -> Method {
        match self.examiner {
            Some(_) => Method::Deep,
            None => Method::Digest,
        }
    }

    /// Examines a published snapshot and does what follows from it. Dropping the future leaves it
    /// as unproved as before, or the whole done; [`quarantine`](crate::quarantine) has the steps
    /// in between.
    pub async fn prove(&self, manifest: Manifest, progress: Progress) -> Result<Proof, ProofError> {
        let name = manifest.name.clone();
        let proof = self.run_proof(manifest, progress).await;
        proof.map_err(|cause| ProofError { name, cause })
    }

    async fn run_proof(&self, manifest: Manifest, progress: Progress) -> Result<Proof, Cause> {
        let (mut unasked, mut unindexed) = (None, None);
        let judged = match (&self.examiner, manifest.verdict()) {
            // An earlier run died before it could move it.
            (_, Some(Verdict::Corrupt)) | (None, _) => manifest,
            (Some(examiner), _) => {
                let at = Bytes::Named;
                let Some(found) = self.examined(manifest, &**examiner, at, progress).await? else {
                    return Ok(Proof::Gone);
                };
                if !stands(&*self.local, &found.judged).await? {
                    return Ok(Proof::Gone);
                }
                unindexed = key_index::publish(found.index).await.err().map(Box::new);
                unasked = found.unasked;
                put_manifest(&*self.local, &found.judged).await?;
                found.judged
            }
        };
        if judged.verdict() != Some(Verdict::Corrupt) {
            let manifest = Box::new(judged);
            return Ok(Proof::Kept {
                manifest,
                unasked,
                unindexed,
            });
        }
        let moved = move_aside(&*self.local, &*self.quarantine, &judged).await?;
        Ok(moved.map_or(Proof::Gone, |moved| Proof::Quarantined(Box::new(moved))))
    }

    /// Reads a snapshot through and compares it with what the members hold, as far as either is
    /// wanted. Nothing is written; `None` where it is gone.
    pub(crate) async fn examined(
        &self,
        manifest: Manifest,
        examiner: &dyn Examiner,
        at: Bytes,
        progress: Progress,
    ) -> Result<Option<Verdicts>, Cause> {
        let began = Instant::now();
        let Some(stored) = self.reopen(&at, &manifest).await? else {
            return Ok(None);
        };
        let codec = manifest.stored.codec;
        let (tell, pieces) = key_index::pieces();
        let (found, mut index) = tokio::join!(
            examiner.examine(stored, codec, progress, tell),
            key_index::take(&*self.local, &manifest.name, pieces),
        );
        let found = found?;
        // Another may have taken its place meanwhile; of that nothing is known here.
        if matches!(at, Bytes::Named) && !stands(&*self.local, &manifest).await? {
            return Ok(None);
        }
        let is_indexed = found.indexed;
        let mut judged = judge(manifest, found, self.clock.now(), began.elapsed());
        let mut unasked = None;
        let holds = judged.verdict() == Some(Verdict::Held);
        if !(holds && is_indexed) {
            index = Ok(None);
        }
        if holds {
            unasked = self.ask(&mut judged, examiner, &at, began).await?;
        }
        Ok(Some(Verdicts {
            judged,
            index,
            unasked,
        }))
    }

    /// The stored bytes; `None` where they are gone.
    async fn reopen(
        &self,
        at: &Bytes,
        manifest: &Manifest,
    ) -> Result<Option<Box<dyn ReadBack>>, StoreError> {
        if let Bytes::Spooled(spooled) = at {
            return Ok(Some(Box::new(Shared(Arc::clone(spooled)))));
        }
        let object = manifest.name.stored(manifest.stored.codec);
        match self.local.open(&object).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            stored => stored.map(Some),
        }
    }

    /// Compares a snapshot that held with what the members hold, where that is wanted.
    async fn ask(
        &self,
        held: &mut Manifest,
        examiner: &dyn Examiner,
        at: &Bytes,
        began: Instant,
    ) -> Result<Option<SourceError>, Cause> {
        let Some(peers) = &self.peers else {
            return Ok(None);
        };
        let said = match peers.hash_kv(held.revision).await {
            Ok(said) => said,
            Err(error) => return Ok(Some(error)),
        };
        // Gone by now, it is found to be by what follows.
        let Some(stored) = self.reopen(at, held).await? else {
            return Ok(None);
        };
        let comparison = compare(held, &said, examiner, stored).await?;
        let findings = comparison.findings();
        let result = if findings.is_empty() {
            Verdict::Held
        } else {
            Verdict::Disputed
        };
        let (at, took) = (self.clock.now(), began.elapsed());
        let done = Verification::new(at, Method::Deep, result, &findings, took);
        held.verification = Some(done);
        let members = comparison.members.iter().take(MAX_MEMBERS);
        held.members = members.map(MemberHash::from).collect();
        Ok(None)
    }
}

/// What of an examined snapshot is not what its manifest tells.
pub fn strange(manifest: &Manifest, found: &Examined) -> Vec<String> {
    let differs = |what: &str, actual: Option<Digest>, told: Digest| {
        let actual = actual.filter(|actual| *actual != told)?;
        Some(format!(
            "the {what}'s digest is {actual}, its manifest tells of {told}"
        ))
    };
    let stored = manifest.stored.content.digest;
    let database = differs("database", found.database, manifest.database.digest);
    let file = differs("file", found.stored, stored);
    [database, file].into_iter().flatten().collect()
}

/// The manifest with what was found.
///
/// Where the bytes were altered, it is the digest that did not hold: that verdict is of this copy
/// alone, and no other store is told ([`Manifest::knows_more_than`]).
pub fn judge(
    mut manifest: Manifest,
    found: Examined,
    at: DateTime<Utc>,
    took: Duration,
) -> Manifest {
    let strange = strange(&manifest, &found);
    let altered = found.altered || !strange.is_empty();
    let findings = [found.findings, strange].concat();
    let method = if altered {
        Method::Digest
    } else {
        manifest.contents = found.contents;
        Method::Deep
    };
    let result = if findings.is_empty() {
        Verdict::Held
    } else {
        Verdict::Corrupt
    };
    manifest.verification = Some(Verification::new(at, method, result, &findings, took));
    manifest
}

/// Writes into the manifest beside a snapshot what was found of it. `manifest` is what lay there
/// when the examination began; where anything else lies there now, or nothing, or where members
/// dispute what held, nothing is written. Returns whether it was.
pub async fn record(
    store: &dyn Store,
    manifest: &Manifest,
    judged: &Manifest,
) -> Result<bool, StoreError> {
    let held = judged.verdict() == Some(Verdict::Held);
    if held && manifest.verdict() == Some(Verdict::Disputed) {
        return Ok(false);
    }
    exchange(store, manifest, judged).await
}

/// Puts a manifest in the place of another beside the same snapshot. Where anything else than
/// `before` lies there by now, or nothing, nothing is written. Returns whether it was.
pub async fn exchange(
    store: &dyn Store,
    before: &Manifest,
    after: &Manifest,
) -> Result<bool, StoreError> {
    if beside(store, before).await?.as_ref() != Some(before) {
        return Ok(false);
    }
    put_manifest(store, after).await?;
    Ok(true)
}

/// Whether the snapshot of that name is still this one, whatever others found out of it since.
async fn stands(store: &dyn Store, manifest: &Manifest) -> Result<bool, StoreError> {
    let now = beside(store, manifest).await?;
    Ok(now.is_some_and(|now| now.is_of_same(manifest)))
}

/// The manifest that lies beside the snapshot of that name now.
async fn beside(store: &dyn Store, manifest: &Manifest) -> Result<Option<Manifest>, StoreError> {
    let now = image::find(store, manifest.name.as_str()).await?;
    Ok(now.and_then(|found| found.manifest))
}
