//! `rollsnap save`: one snapshot now, kept until somebody deletes it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rollsnap_engine::catalog::Reader;
use rollsnap_engine::event::{Event, Observer};
use rollsnap_engine::gentle::Hearer;
use rollsnap_engine::manifest::{Class, Manifest, Verdict};
use rollsnap_engine::pipeline::{Order, Pipeline, Saved};
use rollsnap_engine::proof::Proof;
use rollsnap_engine::reconcile::complete_drafts;
use rollsnap_engine::restore::Choice;
use rollsnap_engine::room::Shrunk;
use rollsnap_engine::save_error::SaveError;
use rollsnap_engine::{Catalog, Codec, Kind, SnapshotName, key_index, prune};
use rollsnap_rke::duration::GoDuration;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{Location, StoreError};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::progress::Bar;
use crate::assembly;
use crate::config::Settings;
use crate::journal::{self, Journal};
use crate::output::{self, Size};
use crate::report::{Failure, chain};

#[derive(Serialize)]
pub(crate) struct Report<'a> {
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
        Some(text) => self::name(text)?,
        None => SnapshotName::one_off(context.clock.now(), style),
    };
    let local = assembly::local(&settings)?;
    let mut pipeline = assembly::pipeline(&settings, &local, &context.clock)?;
    pipeline.remote = pipeline.remote.map(|remote| context.tend(remote));
    pipeline.hearer = Hearer::new(Arc::new(Journal));
    let bar = Bar::new();
    let stop = &context.orders.stop;
    let taken = take(&pipeline, &local, name, stop, &bar, &Nobody).await?;
    drop(bar);

    let report = Report::of(&settings, &taken);
    output::tell(context.format, &report, || text(&report))?;
    taken.lacks().map_or(Ok(()), Err)
}

/// Who hears nothing: this command prints what came of it.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn tell(&self, _: Event<'_>) {}
}

/// The name that somebody gave.
pub(crate) fn name(text: &str) -> Result<SnapshotName, Failure> {
    if Choice::of_word(text).is_some() {
        return Err(reserved(text));
    }
    Ok(SnapshotName::new(text)?)
}

/// Takes a one-off of this name, proves it, and copies it if there is a bucket.
pub(crate) async fn take(
    pipeline: &Pipeline,
    local: &LocalDir,
    name: SnapshotName,
    stop: &CancellationToken,
    bar: &Bar,
    observer: &dyn Observer,
) -> Result<Taken, Failure> {
    complete_drafts(local, &*pipeline.drafts).await?;
    let known = Reader::default().read(local).await?;
    if known.find(&name).is_some() {
        let message = format!("save {name}: a snapshot of this name is already there");
        return Err(Failure::new(Kind::Usage, message)
            .with_hint("choose another name, or delete that snapshot first"));
    }
    let order = one_off(&known, name, pipeline.codec);
    let saved = pipeline
        .save(&order, &|done, total| bar.at(done, total))
        .await?;
    let (manifest, took) = (&saved.manifest, saved.took);
    observer.tell(Event::Saved { manifest, took });
    let taken = complete(stop, pipeline, saved, bar, observer).await?;
    let manifest = &taken.manifest;
    if let Some(verification) = &manifest.verification {
        let took = verification.took;
        observer.tell(Event::Verified { manifest, took });
    }
    if let Some(location) = &taken.remote {
        observer.tell(Event::Uploaded {
            manifest,
            location,
            took: taken.took,
            resumed: 0,
        });
    }
    Ok(taken)
}

impl<'a> Report<'a> {
    pub(crate) fn of(settings: &Settings, taken: &'a Taken) -> Self {
        let snapshot = &taken.manifest;
        let verification = snapshot.verification.as_ref();
        let proof = verification.map_or(Duration::ZERO, |verification| verification.took);
        Self {
            seconds: (taken.took + proof).as_secs_f64(),
            path: path(&settings.dir.value, snapshot),
            snapshot,
            remote: taken.remote.as_ref().map(ToString::to_string),
        }
    }
}

/// A snapshot that stands here, and what it lacks.
pub(crate) struct Taken {
    pub(crate) manifest: Manifest,
    /// From the first question to etcd to the published manifest.
    pub(crate) took: Duration,
    /// Where its copy is.
    pub(crate) remote: Option<Location>,
    /// Why it does not count as proved, in words that stand alone.
    pub(crate) unproved: Option<Failure>,
    /// Why it is not in the bucket.
    pub(crate) uncopied: Option<Failure>,
}

impl Taken {
    /// What it lacks to be proved and copied.
    pub(crate) fn lacks(self) -> Option<Failure> {
        let Self {
            manifest,
            unproved,
            uncopied,
            ..
        } = self;
        unproved.or(uncopied.map(|cause| not_copied(&manifest, cause)))
    }
}

/// What follows a snapshot that is published: its proof, and its copy if there is a bucket. An error
/// where it stands no more.
pub(crate) async fn complete(
    stop: &CancellationToken,
    pipeline: &Pipeline,
    saved: Saved,
    bar: &Bar,
    observer: &dyn Observer,
) -> Result<Taken, Failure> {
    let Saved {
        manifest,
        took,
        upload,
        proof,
        ..
    } = saved;
    let (manifest, unproved) = if let Some(proof) = proof {
        judged(&manifest.name, proof, observer)?
    } else {
        bar.say("verifying".to_owned());
        proved(stop, pipeline, manifest, bar, observer).await?
    };

    let (mut remote, mut uncopied) = (None, None);
    // Without its proof nothing is copied: dropped, an upload is aborted.
    let is_proved = pipeline.examiner.is_none() || manifest.verification.is_some();
    let upload = upload.filter(|_| is_proved);
    if let (Some(upload), Some(store)) = (upload, &pipeline.remote) {
        bar.say(format!("to {}", store.location()));
        tokio::select! {
            result = upload.commit(&manifest) => match result {
                Ok(_) => {
                    remote = Some(store.location().clone());
                    let copied = key_index::copy(&*pipeline.local, &**store, &manifest.name);
                    if let Err(error) = copied.await {
                        not_indexed(&manifest, error);
                    }
                }
                Err(error) => uncopied = Some(error.into()),
            },
            () = stop.cancelled() => {
                uncopied = Some(Failure::new(Kind::Canceled, "stopped before the end"));
            }
        }
    }
    Ok(Taken {
        manifest,
        took,
        remote,
        unproved,
        uncopied,
    })
}

fn one_off(known: &Catalog, name: SnapshotName, codec: Codec) -> Order {
    Order {
        name,
        class: Class::OneOff,
        after: known.newest().map_or(0, |manifest| manifest.order),
        shrunk: Shrunk::of(known, codec),
        replaces: false,
    }
}

/// A one-off of a live member, in the directory alone, verified as others are: what to come back to
/// after a restore. `before-restore-TIME` is its name, or the next that is free. Returns its manifest
/// and where it is.
pub(super) async fn before_restore(context: &Context) -> Result<(Manifest, String), Failure> {
    let settings = context.settings_with_etcd()?;
    let local = assembly::local(&settings)?;
    let pipeline = Pipeline {
        remote: None,
        peers: None,
        ..assembly::pipeline(&settings, &local, &context.clock)?
    };
    complete_drafts(&local, &*pipeline.drafts).await?;
    let known = Reader::default().read(&local).await?;
    let at = context.clock.now();
    let mut names = (1..).map(|number| SnapshotName::before_restore(at, number));
    let free = names.find(|name| known.find(name).is_none());
    let name = free.ok_or_else(|| Failure::new(Kind::Bug, "every name is taken"))?;
    let order = one_off(&known, name, pipeline.codec);
    let bar = Bar::new();
    let saved = pipeline
        .save(&order, &|done, total| bar.at(done, total))
        .await?;
    let taken = complete(&context.orders.stop, &pipeline, saved, &bar, &Nobody).await?;
    let path = path(&settings.dir.value, &taken.manifest);
    taken.unproved.map_or(Ok((taken.manifest, path)), Err)
}

/// Takes back what [`before_restore`] saved, where nothing is restored after all.
pub(super) async fn not_before_restore(
    context: &Context,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let local = assembly::local(&context.settings_with_etcd()?)?;
    Ok(prune::delete(&local, &manifest.name, manifest.stored.codec).await?)
}

/// The failure of a name that `restore` understands otherwise.
fn reserved(word: &str) -> Failure {
    let message = format!("save {word}: to restore, {word} is the newest snapshot that fits");
    Failure::new(Kind::Usage, message).with_hint("choose another name")
}

/// The manifest with what its verification found, or why it could not be verified. An error
/// where the snapshot is no more: it was broken and is in quarantine, or somebody deleted it.
async fn proved(
    stop: &CancellationToken,
    pipeline: &Pipeline,
    manifest: Manifest,
    bar: &Bar,
    observer: &dyn Observer,
) -> Result<(Manifest, Option<Failure>), Failure> {
    let proof = tokio::select! {
        proof = pipeline.prove(manifest.clone(), bar.hearer()) => proof,
        () = stop.cancelled() => {
            let stopped = Failure::new(Kind::Canceled, "stopped before the end");
            let failure = not_verified(&manifest, stopped);
            return Ok((manifest, Some(failure)));
        }
    };
    match proof {
        Ok(proof) => judged(&manifest.name, proof, observer),
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

/// What a proof comes to: as [`proved`].
fn judged(
    name: &SnapshotName,
    proof: Proof,
    observer: &dyn Observer,
) -> Result<(Manifest, Option<Failure>), Failure> {
    match proof {
        Proof::Kept {
            manifest,
            unasked,
            unindexed,
        } => {
            if let Some(error) = unindexed {
                not_indexed(&manifest, *error);
            }
            let failure = unasked.map(|error| not_compared(&manifest, error.into()));
            let failure = failure.or_else(|| disputed(&manifest));
            Ok((*manifest, failure))
        }
        Proof::Quarantined(quarantined) => {
            observer.tell(Event::Quarantined(&quarantined));
            Err(SaveError::broken(&quarantined).into())
        }
        Proof::Gone => {
            let message = format!("save {name}: somebody deleted it meanwhile");
            Err(Failure::new(Kind::Store, message))
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

/// The snapshot stands all the same, and a daemon on this directory will copy it. Not before its hint
/// is followed, where it is the set-up that is wrong or another snapshot that has the name there.
fn not_copied(manifest: &Manifest, cause: Failure) -> Failure {
    let name = &manifest.name;
    let later = match cause.kind {
        Kind::Config => String::new(),
        _ => format!(" (rollsnap upload {name} does that later)"),
    };
    let message = format!("{name} is saved, but not copied{later}: {}", cause.message);
    Failure { message, ..cause }
}

fn path(dir: &Path, manifest: &Manifest) -> String {
    let object = manifest.name.stored(manifest.stored.codec);
    dir.join(object.as_str()).display().to_string()
}

/// One line with everything that somebody who typed it wants to know.
fn text(report: &Report<'_>) -> String {
    let Report {
        snapshot,
        path,
        remote,
        seconds,
    } = report;
    let took = Duration::from_secs_f64(*seconds);
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
