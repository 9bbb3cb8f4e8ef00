//! `rollsnap save`: one snapshot now, kept until somebody deletes it.

use std::path::Path;
use std::time::Duration;

use rollsnap_engine::catalog::Reader;
use rollsnap_engine::manifest::{Class, Manifest, Verdict};
use rollsnap_engine::pipeline::{Order, Pipeline, Saved};
use rollsnap_engine::proof::Proof;
use rollsnap_engine::reconcile::complete_drafts;
use rollsnap_engine::restore::Choice;
use rollsnap_engine::save_error::SaveError;
use rollsnap_engine::{Kind, SnapshotName, key_index};
use rollsnap_rke::duration::GoDuration;
use rollsnap_store::StoreError;
use serde::Serialize;

use super::Context;
use super::progress::Bar;
use crate::assembly;
use crate::journal;
use crate::output::{self, Size};
use crate::report::{Failure, chain};

#[derive(Serialize)]
struct Report<'a> {
    snapshot: &'a Manifest,
    seconds: f64,
    path: String,
    /// Where the copy is; absent without a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
}

pub(super) async fn run(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let settings = context.settings_with_etcd()?;
    journal::tell_settings(&settings.report());
    let style = settings.making.time_style.value;
    let name = match name {
        Some(word) if Choice::of_word(word).is_some() => return Err(reserved(word)),
        Some(name) => SnapshotName::new(name)?,
        None => SnapshotName::one_off(context.clock.now(), style),
    };
    let local = assembly::local(&settings)?;
    let mut pipeline = assembly::pipeline(&settings, &local, &context.clock)?;
    pipeline.remote = pipeline.remote.map(|remote| context.tend(remote));
    complete_drafts(&local, &*pipeline.drafts).await?;
    let known = Reader::default().read(&local).await?;
    if known.find(&name).is_some() {
        let message = format!("save {name}: a snapshot of this name is already there");
        return Err(Failure::new(Kind::Usage, message)
            .with_hint("choose another name, or delete that snapshot first"));
    }
    let after = known.newest().map_or(0, |manifest| manifest.order);
    let order = Order {
        name,
        class: Class::OneOff,
        after,
    };
    let bar = Bar::new();
    let saved = pipeline
        .save(&order, &|done, total| bar.at(done, total))
        .await?;
    let Saved {
        manifest,
        took,
        upload,
    } = saved;
    bar.say("verifying".to_owned());
    let (manifest, mut failure) = proved(context, &pipeline, manifest, &bar).await?;

    let mut remote = None;
    // Without its proof nothing is copied: dropped, an upload is aborted.
    let is_proved = pipeline.examiner.is_none() || manifest.verification.is_some();
    let upload = upload.filter(|_| is_proved);
    if let (Some(upload), Some(store)) = (upload, &pipeline.remote) {
        bar.say(format!("to {}", store.location()));
        tokio::select! {
            result = upload.commit(&manifest) => match result {
                Ok(_) => {
                    remote = Some(store.location().to_string());
                    let copied = key_index::copy(&*pipeline.local, &**store, &manifest.name);
                    if let Err(error) = copied.await {
                        not_indexed(&manifest, error);
                    }
                }
                Err(error) => failure = failure.or(Some(not_copied(&manifest, error.into()))),
            },
            () = context.orders.stop.cancelled() => {
                let stopped = Failure::new(Kind::Canceled, "stopped before the end");
                failure = failure.or(Some(not_copied(&manifest, stopped)));
            }
        }
    }
    drop(bar);
    let verification = manifest.verification.as_ref();
    let took = took + verification.map_or(Duration::ZERO, |verification| verification.took);
    let report = Report {
        seconds: took.as_secs_f64(),
        path: path(&settings.dir.value, &manifest),
        snapshot: &manifest,
        remote,
    };
    output::tell(context.format, &report, || text(&report, took))?;
    failure.map_or(Ok(()), Err)
}

/// The failure of a name that `restore` understands otherwise.
fn reserved(word: &str) -> Failure {
    let message = format!("save {word}: to restore, {word} is the newest snapshot that fits");
    Failure::new(Kind::Usage, message).with_hint("choose another name")
}

/// The manifest with what its verification found, or why it could not be verified. An error
/// where the snapshot is no more: it was broken and is in quarantine, or somebody deleted it.
async fn proved(
    context: &Context,
    pipeline: &Pipeline,
    manifest: Manifest,
    bar: &Bar,
) -> Result<(Manifest, Option<Failure>), Failure> {
    let proof = tokio::select! {
        proof = pipeline.prove(manifest.clone(), bar.hearer()) => proof,
        () = context.orders.stop.cancelled() => {
            let stopped = Failure::new(Kind::Canceled, "stopped before the end");
            let failure = not_verified(&manifest, stopped);
            return Ok((manifest, Some(failure)));
        }
    };
    match proof {
        Ok(Proof::Kept {
            manifest,
            unasked,
            unindexed,
        }) => {
            if let Some(error) = unindexed {
                not_indexed(&manifest, *error);
            }
            let failure = unasked.map(|error| not_compared(&manifest, error.into()));
            let failure = failure.or_else(|| disputed(&manifest));
            Ok((*manifest, failure))
        }
        Ok(Proof::Quarantined(quarantined)) => Err(SaveError::broken(&quarantined).into()),
        Ok(Proof::Gone) => {
            let message = format!("save {}: somebody deleted it meanwhile", manifest.name);
            Err(Failure::new(Kind::Store, message))
        }
        Err(error) => {
            let cause = Failure {
                kind: error.kind(),
                message: chain(&error),
                hint: error.hint().map(str::to_owned),
            };
            let failure = not_verified(&manifest, cause);
            Ok((manifest, Some(failure)))
        }
    }
}

/// The snapshot stands all the same: its keys are found by reading it through.
fn not_indexed(manifest: &Manifest, cause: StoreError) {
    let (name, why) = (&manifest.name, Failure::from(cause).message);
    output::complain(&format!(
        "rollsnap: {name} is saved, but the index of its keys is not: {why}"
    ));
}

/// The snapshot stands all the same. What members hold is another matter.
fn not_compared(manifest: &Manifest, cause: Failure) -> Failure {
    let name = &manifest.name;
    let message = format!("{name} is saved, but not compared: {}", cause.message);
    Failure { message, ..cause }
}

/// A snapshot that is whole, of a cluster that is not.
fn disputed(manifest: &Manifest) -> Option<Failure> {
    let verification = manifest.verification.as_ref();
    let verification = verification.filter(|done| done.result == Verdict::Disputed)?;
    let message = format!(
        "{} is saved, but the members disagree: {}",
        manifest.name,
        verification.findings.join("; ")
    );
    let hint = "find out which member is right before anything is restored or replaced: each \
                snapshot holds what its member held";
    Some(Failure::new(Kind::Corrupt, message).with_hint(hint))
}

/// The snapshot stands all the same, and a daemon on this directory will verify it.
fn not_verified(manifest: &Manifest, cause: Failure) -> Failure {
    let name = &manifest.name;
    let message = format!(
        "{name} is saved, but not verified, and not copied (the daemon of this directory does \
         both later): {}",
        cause.message
    );
    Failure { message, ..cause }
}

/// The snapshot stands all the same, and a daemon on this directory will copy it.
fn not_copied(manifest: &Manifest, cause: Failure) -> Failure {
    let name = &manifest.name;
    let message = format!(
        "{name} is saved, but not copied (rollsnap upload {name} does that later): {}",
        cause.message
    );
    Failure { message, ..cause }
}

fn path(dir: &Path, manifest: &Manifest) -> String {
    let object = manifest.name.stored(manifest.stored.codec);
    dir.join(object.as_str()).display().to_string()
}

/// One line with everything that somebody who typed it wants to know.
fn text(report: &Report<'_>, took: Duration) -> String {
    let Report {
        snapshot,
        path,
        remote,
        ..
    } = report;
    let size = Size(snapshot.stored.content.size);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let runtime = GoDuration(Duration::from_millis(millis));
    let copy = remote
        .as_ref()
        .map(|remote| format!(", copied to {remote}"));
    let copy = copy.unwrap_or_default();
    format!(
        "{path}  {size}, revision {}, proved in {runtime}{copy}\n",
        snapshot.revision
    )
}
