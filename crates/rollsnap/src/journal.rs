//! What the engine tells, as lines of the log.
//!
//! The wording of the first two is the documentation's and people's dashboards': `Initializing
//! Rolling Backups` with `creation` and `retention`, `Created backup` with `name` and `runtime`.
//! Other fields follow those.

use std::time::Duration;

use rollsnap_engine::SnapshotName;
use rollsnap_engine::event::{Event, Observer, Recovery};
use rollsnap_engine::gentle::Haste;
use rollsnap_engine::manifest::{self, Manifest, Verdict};
use rollsnap_engine::quarantine::Quarantined;
use rollsnap_engine::save_error::SaveError;
use rollsnap_engine::schedule::{Schedule, Timetable};
use rollsnap_rke::duration::GoDuration;
use rollsnap_store::{Location, StoreError};
use tracing::{debug, error, info, warn};

use crate::check::{Outcome, Trial};
use crate::config::{Bucket, Row};
use crate::herald::Whom;
use crate::report::{Failure, chain};

/// Writes every event to the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Journal;

impl Observer for Journal {
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each event")]
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Started { schedule, keep } => tell_started(schedule, GoDuration(keep)),
            Event::Waiting { first } if first.is_zero() => {}
            // What changes without anything having happened.
            Event::Next { .. }
            | Event::Begins { .. }
            | Event::RemoteListed { .. }
            | Event::RemoteRotation { .. } => {}
            Event::Waiting { first } => {
                info!(wait = %GoDuration(first), "Next backup is not due yet");
            }
            Event::Recovered(recovery) => tell_recovery(&recovery),
            Event::RecoveryFailed { location, error } => {
                tell_trouble(
                    location,
                    error,
                    "Could not put right what an earlier run left",
                );
            }
            Event::MirrorBlind { location, error } => {
                tell_trouble(location, error, "Cannot look for backups to upload");
            }
            Event::Saved { manifest, took } => tell_saved(manifest, GoDuration(took)),
            Event::Verified { manifest, took } => tell_verified(manifest, GoDuration(took)),
            Event::NotCompared { name, error } => warn!(
                name = %name,
                error = %chain(error),
                hint = error.hint(),
                "Cannot compare a snapshot with what the members hold"
            ),
            Event::NotIndexed { name, error } => warn!(
                name = %name,
                error = %chain(error),
                hint = error.hint(),
                "Cannot write the index of a backup's keys"
            ),
            Event::Quarantined(quarantined) => tell_quarantined(quarantined),
            Event::ProofFailed { name, error } => warn!(
                name = %name,
                error = %chain(error),
                hint = error.hint(),
                "Cannot verify a snapshot; nothing older is deleted for it"
            ),
            Event::Defragmenting { error } => info!(
                found = %chain(error),
                "The backup waits for the end of a defragmentation"
            ),
            Event::Tight { name, error } => warn!(
                name = %name,
                error = %chain(error),
                hint = error.hint(),
                "There may be no room for this backup"
            ),
            Event::PaceLetGo { haste } => tell_haste(haste),
            Event::RetentionHeld(true) => warn!(
                hint = "compact, defragment, then etcdctl alarm disarm",
                "etcd has no space left; no backup is deleted until that is over"
            ),
            Event::RetentionHeld(false) => {
                info!("etcd has space again; rotation goes on");
            }
            Event::SaveFailed {
                name,
                error,
                attempt,
                retry_in,
            } => tell_failure(name, error, attempt, GoDuration(retry_in)),
            Event::Uploaded {
                manifest,
                location,
                took,
                resumed,
            } => info!(
                name = %manifest.name,
                runtime = %GoDuration(took),
                size = manifest.stored.content.size,
                resumed = (resumed > 0).then_some(resumed),
                location = %location,
                "Uploaded backup"
            ),
            Event::ReadBack { manifest, location } => tell_read_back(manifest, location),
            Event::ReadBackFailed { location, error } => {
                tell_trouble(location, error, "Cannot read backups in the bucket back");
            }
            Event::Drills { every, last, age } => tell_last_drill(GoDuration(every), last, age),
            Event::Drilled { manifest } => tell_drilled(manifest),
            Event::DrillFailed { error } => warn!(
                error = %chain(error),
                kind = error.kind().label(),
                hint = error.hint(),
                "Cannot rehearse a restore"
            ),
            Event::Replaced { manifest, location } => tell_replaced(manifest, location),
            Event::NotCopied { name, error } => error!(
                name = %name,
                error = %chain(error),
                hint = error.hint(),
                "Backup was not uploaded"
            ),
            Event::RemoteDown {
                location,
                error,
                owed,
            } => error!(
                location = %location,
                error = %chain(error),
                hint = error.hint(),
                owed,
                "Uploads fail; backups are kept locally and uploaded later"
            ),
            Event::RemoteBack { location } => info!(location = %location, "Uploads work again"),
            Event::Deleted {
                name,
                location,
                reason,
                took,
                ..
            } => info!(
                name = %name,
                runtime = %GoDuration(took),
                reason = %reason,
                location = %location,
                "Deleted backup"
            ),
            Event::HeldBack { name, location } => info!(
                name = %name,
                location = %location,
                "Backup is kept beyond its number until it is uploaded"
            ),
            Event::LeftAlone {
                location,
                snapshots,
                others,
                ..
            } => info!(
                location = %location,
                snapshots,
                others,
                "What another program made here is left alone"
            ),
            Event::SteppedAside { name, wait } => info!(
                name = %name,
                wait = %GoDuration(wait),
                "Another member saves in the same second; the next backup is taken a little later"
            ),
            Event::BundleUploaded { object, location } => info!(
                name = %object.name,
                size = object.size,
                location = %location,
                "Uploaded RKE's certificates"
            ),
            Event::BundleUnfit { error } => warn!(
                error = %chain(error),
                hint = error.hint(),
                "RKE's certificates were not uploaded"
            ),
            Event::Locked { name, location } => info!(
                name = %name,
                location = %location,
                "Backup is under a lock; it is deleted once that ends"
            ),
            Event::Remarked { location, remark } => warn!(
                part = "bucket",
                location = %location,
                found = remark.message,
                hint = remark.hint,
                "The set-up has a weakness"
            ),
            Event::SweepFailed { location, error } => {
                tell_trouble(
                    location,
                    error,
                    "Cannot look for what cut uploads left in the bucket",
                );
            }
            Event::PruneFailed { location, error } => error!(
                location = %location,
                error = %chain(error),
                hint = error.hint(),
                "Rotation failed; nothing was deleted that should stay"
            ),
            Event::ClockJumped { by } => warn!(
                by = %signed(by),
                "The wall clock was set; nothing is deleted for its age until that is past doubt"
            ),
        }
    }
}

/// Writes what is in force, for somebody who looks for a fault. Secrets are not among it.
pub fn tell_settings(settings: &[Row]) {
    for Row {
        name,
        value,
        origin,
    } in settings
    {
        debug!(name, value = %value, by = %origin, "Setting");
    }
}

/// Warns that nobody vouches for the bucket's server.
pub fn warn_of_insecure(bucket: &Bucket) {
    warn!(
        bucket = %bucket.name.value,
        endpoint = %bucket.endpoint.value,
        by = bucket.insecure_skip_verify.as_ref().map(|said| said.origin.to_string()),
        hint = "give its CA with --s3-endpoint-ca instead",
        "The bucket's certificate is not checked: whoever stands between can read and change all"
    );
}

/// Writes what came of trying out the set-up: a line for each thing that is not as it should be,
/// and one for all.
pub fn tell_trials(trials: &[Trial]) {
    let (mut held, mut weak, mut failed) = (0, 0, 0);
    if let Some(source) = trials.iter().find_map(Trial::source_of_keys) {
        info!(source, "Found the keys of the bucket");
    }
    for Trial {
        part,
        location,
        what,
        outcome,
    } in trials
    {
        match outcome {
            Outcome::Held(_) => held += 1,
            Outcome::Untried(_) => {}
            Outcome::Weak { message, hint } => {
                weak += 1;
                warn!(
                    part = %part,
                    location,
                    check = what,
                    found = message,
                    hint = hint.as_deref(),
                    "The set-up has a weakness"
                );
            }
            Outcome::Failed(failure) => {
                failed += 1;
                warn!(
                    part = %part,
                    location,
                    check = what,
                    error = %failure.message,
                    kind = failure.kind.label(),
                    hint = failure.hint.as_deref(),
                    "The set-up does not hold"
                );
            }
        }
    }
    info!(held, weak, failed, "Checked the set-up");
}

/// Writes that others cannot be told how backups go.
pub fn tell_unheard(whom: Whom, failure: &Failure) {
    let Failure {
        kind,
        message,
        hint,
    } = failure;
    match whom {
        Whom::Ping => warn!(
            error = %message,
            kind = kind.label(),
            hint = hint.as_deref(),
            "Cannot ping; backups go on without"
        ),
        // Its API server is down whenever etcd is.
        Whom::Kubernetes => info!(
            error = %message,
            kind = kind.label(),
            hint = hint.as_deref(),
            "Cannot post Events to Kubernetes; backups go on without"
        ),
    }
}

/// Writes that they are told again.
pub fn tell_heard(whom: Whom) {
    match whom {
        Whom::Ping => info!("Pings work again"),
        Whom::Kubernetes => info!("Kubernetes takes Events again"),
    }
}

/// An interval is called as the documentation always called it.
fn tell_started(schedule: &Schedule, keep: GoDuration) {
    let (every, at) = match schedule {
        Schedule::Every(interval) => (Some(GoDuration(*interval).to_string()), None),
        Schedule::At(timetable) => (None, Some(timetable)),
    };
    info!(
        creation = every,
        cron = at.map(Timetable::text),
        zone = at.map(|at| at.zone().to_string()),
        retention = %keep,
        "Initializing Rolling Backups"
    );
}

/// What could not be done at a place, and is tried again.
fn tell_trouble(location: &Location, error: &StoreError, what: &str) {
    warn!(
        location = %location,
        error = %chain(error),
        hint = error.hint(),
        "{what}"
    );
}

/// What ends the limit of one backup.
fn tell_haste(haste: Haste) {
    match haste {
        Haste::Grown(by) => warn!(
            grown = by,
            "etcd's database grows while it is read; the backup goes on at full speed"
        ),
        Haste::Silent => warn!(
            "etcd does not answer while its database is read; the backup goes on at full speed"
        ),
    }
}

fn tell_saved(manifest: &Manifest, took: GoDuration) {
    info!(
        name = %manifest.name,
        runtime = %took,
        size = manifest.stored.content.size,
        revision = manifest.revision,
        member = manifest.member_name.as_deref(),
        digest = %manifest.database.digest,
        "Created backup"
    );
}

fn tell_failure(name: &SnapshotName, error: &SaveError, attempt: u32, retry_in: GoDuration) {
    error!(
        name = %name,
        attempt,
        error = %chain(error),
        kind = error.kind().label(),
        hint = error.hint(),
        retry_in = %retry_in,
        "Backup failed"
    );
}

fn tell_verified(manifest: &Manifest, took: GoDuration) {
    let contents = manifest.contents.as_ref();
    info!(
        name = %manifest.name,
        runtime = %took,
        keys = contents.map(|contents| contents.live_keys),
        revision = manifest.revision,
        hash = contents.map(|contents| contents.hash),
        "Verified snapshot"
    );
    if manifest.verdict() == Some(Verdict::Disputed) {
        let verification = manifest.verification.as_ref();
        let finding = verification.and_then(|verification| verification.findings.first());
        error!(
            name = %manifest.name,
            finding = finding.map(String::as_str),
            "Members disagree about a snapshot"
        );
    }
}

fn tell_read_back(manifest: &Manifest, location: &Location) {
    let Some(reading) = &manifest.read_back else {
        return;
    };
    let (name, runtime) = (&manifest.name, GoDuration(reading.took));
    match &reading.finding {
        None => info!(
            name = %name,
            runtime = %runtime,
            size = manifest.stored.content.size,
            location = %location,
            "Read backup back from the bucket"
        ),
        Some(finding) => error!(
            name = %name,
            runtime = %runtime,
            finding,
            location = %location,
            "Backup in the bucket is no longer what was uploaded"
        ),
    }
}

fn tell_last_drill(every: GoDuration, last: Option<&Manifest>, age: Option<Duration>) {
    let drill = last.and_then(|manifest| manifest.drill.as_ref());
    info!(
        every = %every,
        last = last.map(|manifest| manifest.name.to_string()),
        age = age.map(|age| GoDuration(age).to_string()),
        runtime = drill.map(|drill| GoDuration(drill.took).to_string()),
        result = drill.map(|drill| drill.result.as_str()),
        "Restores are rehearsed"
    );
}

fn tell_drilled(manifest: &Manifest) {
    let Some(drill) = &manifest.drill else {
        return;
    };
    let (name, runtime) = (&manifest.name, GoDuration(drill.took));
    let boot = drill.boot.as_ref();
    let etcd = boot.map(|boot| boot.etcd_version.as_str());
    let boot = boot.map(|boot| GoDuration(boot.took).to_string());
    match drill.result {
        manifest::Outcome::Held => info!(
            name = %name,
            runtime = %runtime,
            etcd,
            boot,
            "Rehearsed a restore"
        ),
        manifest::Outcome::Corrupt => error!(
            name = %name,
            runtime = %runtime,
            finding = drill.finding.as_deref(),
            "Backup cannot be restored"
        ),
        manifest::Outcome::Failed => error!(
            name = %name,
            runtime = %runtime,
            etcd,
            boot,
            finding = drill.finding.as_deref(),
            "Backup was restored, but etcd does not go on with it"
        ),
    }
}

fn tell_replaced(manifest: &Manifest, location: &Location) {
    warn!(
        name = %manifest.name,
        location = %location,
        "Replaced a backup in the bucket that was no longer what had been uploaded"
    );
}

fn tell_quarantined(quarantined: &Quarantined) {
    error!(
        name = %quarantined.manifest.name,
        finding = quarantined.finding(),
        path = %quarantined.path,
        "Quarantined snapshot"
    );
}

fn tell_recovery(recovery: &Recovery) {
    match recovery {
        Recovery::Completed(name) => {
            info!(name = %name, "Completed a backup that an earlier run had published");
        }
        Recovery::Forgotten(name) => {
            info!(name = %name, "Forgot a backup that an earlier run had not published");
        }
        Recovery::Swept(file) => info!(file = %file, "Removed what an interrupted backup left"),
        Recovery::Deleted(name) => info!(name = %name, "Finished a deletion"),
        Recovery::Freed(object) => {
            info!(object = %object, "Freed what a cut upload had left in the bucket");
        }
    }
}

fn signed(by: chrono::TimeDelta) -> String {
    let sign = if by < chrono::TimeDelta::zero() {
        "-"
    } else {
        "+"
    };
    format!(
        "{sign}{}",
        GoDuration(by.abs().to_std().unwrap_or_default())
    )
}
