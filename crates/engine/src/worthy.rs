//! Before a snapshot takes the place of another of its name, it is proved as deep as any other is
//! afterwards: nothing good goes for something that may be broken.
//!
//! It is examined in its spool, so that the name has the old one until the new one holds. What does
//! not hold is copied into the quarantine, for it is evidence, and what has the name stays. A crash
//! leaves the old one and a spool, which the directory's own sweep removes.

use std::sync::Arc;

use futures_util::TryStreamExt;
use rollsnap_store::{ReadBack, Spool, StoreError, Terms};
use tokio::time::{Duration, Instant};

use crate::drafts::Claim;
use crate::examine::Examiner;
use crate::manifest::Verdict;
use crate::name::Part;
use crate::pipeline::{Order, Pipeline};
use crate::plain::{AtAnyPlace, pieces};
use crate::proof::{Bytes, Proof, Shared, Verdicts};
use crate::quarantine::{Quarantined, trim};
use crate::replacement;
use crate::save_error::Cause;
use crate::{Manifest, key_index};

/// Leave to give a spool its name.
pub(crate) struct Leave {
    /// What keeps others away meanwhile; none where nothing may be replaced.
    pub(crate) claim: Option<Claim>,
    /// What was found, where it had to be proved first.
    pub(crate) proved: Option<Verdicts>,
    /// How long that took.
    pub(crate) took: Duration,
}

impl Pipeline {
    /// Waits until a sealed spool may have its name. Where it would replace a snapshot that takes
    /// its proof, and others are let in meanwhile.
    pub(crate) async fn leave(
        &self,
        order: &Order,
        manifest: &Manifest,
        spool: Spooled,
    ) -> Result<Leave, Cause> {
        let (mut proved, mut took) = (None, Duration::ZERO);
        if !order.replaces {
            let claim = None;
            return Ok(Leave {
                claim,
                proved,
                took,
            });
        }
        loop {
            let claim = replacement::claim(&*self.local, &*self.drafts).await?;
            let examiner = match &self.examiner {
                Some(examiner) if proved.is_none() && self.replaces_one(manifest).await? => {
                    examiner
                }
                _ => {
                    let claim = Some(claim);
                    return Ok(Leave {
                        claim,
                        proved,
                        took,
                    });
                }
            };
            drop(claim);
            let began = Instant::now();
            proved = Some(self.worthy(manifest, &**examiner, &spool).await?);
            took = began.elapsed();
        }
    }

    /// Whether a snapshot has the name, in any encoding.
    async fn replaces_one(&self, manifest: &Manifest) -> Result<bool, StoreError> {
        let name = &manifest.name;
        let there = self.local.list(name.as_str()).await?;
        let mut parts = there.iter().map(|object| Part::of(&object.name));
        Ok(parts.any(|part| matches!(part, Some(Part::Stored(held, _)) if held == *name)))
    }

    /// Proves a spool, or says why it does not hold.
    async fn worthy(
        &self,
        manifest: &Manifest,
        examiner: &dyn Examiner,
        spool: &Spooled,
    ) -> Result<Verdicts, Cause> {
        let at = Bytes::Spooled(Arc::clone(&spool.0));
        let silent = Arc::new(|_, _| {});
        let found = self.examined(manifest.clone(), examiner, at, silent).await;
        let found = found.map_err(|cause| Cause::Unproved(Box::new(cause)))?;
        let found = found.expect("a spool stays where it is");
        let fault = match found.judged.verdict() {
            Some(Verdict::Corrupt) => "the database is broken",
            Some(Verdict::Disputed) => "the members disagree",
            Some(Verdict::Held) | None => return Ok(found),
        };
        let kept = self.keep_aside(&found.judged, spool).await;
        let kept = match kept {
            Ok(path) => format!("this one is in {path}"),
            Err(error) => format!("this one could not be kept: {error}"),
        };
        let finding = Quarantined {
            manifest: found.judged,
            path: String::new(),
        };
        let finding = finding.finding().to_owned();
        Err(Cause::Unworthy {
            fault,
            finding,
            kept,
        })
    }

    /// Copies a spool into the quarantine, and returns where it is then.
    async fn keep_aside(&self, judged: &Manifest, spool: &Spooled) -> Result<String, StoreError> {
        let room = self.quarantine.room();
        let object = judged.name.stored(judged.stored.codec);
        let size = judged.stored.content.size;
        let terms = Terms {
            at_most: Some(size),
            ..Terms::replacing()
        };
        let mut upload = room.begin(&object, terms).await?;
        let bytes = Arc::new(AtAnyPlace(Box::new(Shared(Arc::clone(&spool.0)))));
        let mut pieces = pieces(bytes, 0..size);
        let path = format!("{}/{object}", room.location());
        let fault = |error| StoreError::io("read", path.clone(), error);
        while let Some(piece) = pieces.try_next().await.map_err(fault)? {
            upload.write(piece).await?;
        }
        crate::follow::put_manifest(room, judged).await?;
        upload.commit().await?;
        // The next one trims again.
        let _ = trim(room).await;
        Ok(path)
    }
}

/// What a sealed spool holds, to be read by several.
pub(crate) struct Spooled(Arc<dyn ReadBack>);

impl Spooled {
    pub(crate) fn of(spool: &dyn Spool) -> Result<Self, StoreError> {
        Ok(Self(spool.reader()?.into()))
    }
}

/// What is told of a snapshot that was proved before it had its name, once it has it.
pub(crate) async fn told(proved: Verdicts) -> Proof {
    Proof::Kept {
        unindexed: key_index::publish(proved.index).await.err().map(Box::new),
        manifest: Box::new(proved.judged),
        unasked: proved.unasked,
    }
}
