//! The proof of one snapshot that is published here: examined, its manifest rewritten, and moved
//! aside if it does not hold.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_etcd::SourceError;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, ReadBack, Store, StoreError};
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

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Examine(#[from] ExamineError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProofError {
    /// What it means.
    pub fn kind(&self) -> crate::Kind {
        match &self.cause {
            Cause::Examine(_) => crate::Kind::Store,
            Cause::Store(error) => error.kind().into(),
        }
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        match &self.cause {
            Cause::Examine(_) => Some("look at the disk; it is tried again later"),
            Cause::Store(error) => error.hint(),
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
                let began = Instant::now();
                let Some(stored) = self.reopen(&manifest).await? else {
                    return Ok(Proof::Gone);
                };
                let codec = manifest.stored.codec;
                let (tell, pieces) = key_index::pieces();
                let (found, index) = tokio::join!(
                    examiner.examine(stored, codec, progress, tell),
                    key_index::take(&*self.local, &manifest.name, pieces),
                );
                let found = found?;
                let is_indexed = found.indexed;
                let mut judged = judge(manifest, found, self.clock.now(), began.elapsed());
                if judged.verdict() == Some(Verdict::Held) {
                    if is_indexed {
                        unindexed = key_index::publish(index).await.err().map(Box::new);
                    }
                    unasked = self.ask(&mut judged, &**examiner, began).await?;
                }
                put_manifest(&*self.local, &judged).await?;
                judged
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

    /// The stored bytes; `None` where they are gone.
    async fn reopen(&self, manifest: &Manifest) -> Result<Option<Box<dyn ReadBack>>, StoreError> {
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
        let Some(stored) = self.reopen(held).await? else {
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
    let now = image::find(store, before.name.as_str()).await?;
    if now.and_then(|found| found.manifest).as_ref() != Some(before) {
        return Ok(false);
    }
    put_manifest(store, after).await?;
    Ok(true)
}
