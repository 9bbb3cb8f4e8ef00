//! What the engine tells, in the old program's words. What that had no words for is said in ours.

use std::time::Duration;

use rollsnap_engine::event::{Event, Observer};
use rollsnap_engine::manifest::Manifest;
use rollsnap_engine::save_error::SaveError;
use rollsnap_rke::argv::{Bucket, Form};
use rollsnap_rke::duration::GoDuration;
use rollsnap_rke::wording;
use rollsnap_store::{Location, ObjectName};
use tracing::{error, info, warn};

use crate::journal::Journal;
use crate::report::{Failure, chain};

/// Writes events to the log of a call.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) form: Form,
    /// The bucket, where one is named.
    pub(super) bucket: Option<Bucket>,
    /// How long a snapshot is kept.
    pub(super) retention: Duration,
    /// What is wrong with its settings. Snapshots are taken all the same.
    pub(super) refused: Option<Failure>,
    /// Where it is, where it can be used.
    pub(super) remote: Option<Location>,
}

impl Observer for Voice {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Saved { manifest, took } => self.tell_saved(manifest, took),
            Event::SaveFailed { error, attempt, .. } => tell_failure(error, attempt),
            Event::Deleted {
                name,
                codec,
                location,
                took,
                ..
            } => self.tell_deleted(&name.stored(codec), location, took),
            Event::Uploaded { manifest, .. } => self.tell_uploaded(manifest),
            Event::RemoteDown { error, owed, .. } => error!(
                hint = error.hint(),
                owed,
                "{}",
                wording::not_uploaded(chain(error))
            ),
            // Where another snapshot has the name, or the file changed.
            Event::NotCopied { name, error } => error!(
                hint = error.hint(),
                name = %name,
                "{}",
                wording::not_uploaded(chain(error))
            ),
            Event::RemoteRotation { .. } => info!(
                retention = %GoDuration(self.retention),
                "{}",
                wording::ROTATING_S3
            ),
            Event::LeftAlone {
                location,
                ref names,
                ..
            } => {
                self.tell_unparsed(location, names);
                Journal.tell(event);
            }
            event => Journal.tell(event),
        }
    }
}

impl Voice {
    /// The words for a snapshot that stands, and for what is about to become of it.
    pub(super) fn tell_saved(&self, manifest: &Manifest, took: Duration) {
        info!(
            name = %manifest.name,
            runtime = %GoDuration(took),
            "{}",
            wording::created(self.form)
        );
        let Some(bucket) = &self.bucket else { return };
        if let Some(refused) = &self.refused {
            self.tell_refused(refused);
        } else {
            tell_bucket(bucket);
            info!(
                "{}",
                wording::uploading(bucket.key(object(manifest).as_str()))
            );
        }
    }

    pub(super) fn tell_uploaded(&self, manifest: &Manifest) {
        let Some(bucket) = &self.bucket else { return };
        let key = bucket.key(object(manifest).as_str());
        info!("{}", wording::uploaded(key, manifest.stored.content.size));
    }

    fn tell_refused(&self, refused: &Failure) {
        let Some(bucket) = &self.bucket else { return };
        let text = wording::s3_refused(&refused.message);
        let (access_key, endpoint_ca) = fields(bucket);
        error!(
            "s3-accessKey" = access_key,
            "s3-bucketName" = bucket.name,
            "s3-endpoint" = bucket.endpoint,
            "s3-endpoint-ca" = endpoint_ca,
            "s3-folder" = bucket.folder,
            "s3-region" = bucket.region,
            hint = refused.hint.as_deref(),
            "{text}"
        );
    }

    /// What the old program found in a directory and took for no snapshot of its own. It said so at
    /// every turn; here it is said once.
    fn tell_unparsed(&self, location: &Location, names: &[ObjectName]) {
        if self.remote.as_ref() == Some(location) {
            return;
        }
        for name in names {
            if let Some(error) = wording::not_a_time(name.as_str()) {
                warn!(error, name = %name, "{}", wording::NOT_PARSED);
            }
        }
    }

    fn tell_deleted(&self, file: &ObjectName, location: &Location, took: Duration) {
        match &self.bucket {
            Some(bucket) if self.remote.as_ref() == Some(location) => {
                let key = bucket.key(file.as_str());
                info!("{}", wording::deleting_object(&key));
                info!("{}", wording::deleted_object(&key));
            }
            _ => info!(
                name = %file,
                runtime = %GoDuration(took),
                "{}",
                wording::deleted(self.form)
            ),
        }
    }
}

fn object(manifest: &Manifest) -> ObjectName {
    manifest.name.stored(manifest.stored.codec)
}

/// The words for an attempt that failed.
pub(super) fn tell_failure(error: &SaveError, attempt: u32) {
    let (data, error_text) = (error.hint().unwrap_or_default(), chain(error));
    if error.is_unwell() {
        warn!(data, error = error_text, "{}", wording::UNWELL);
    } else {
        warn!(attempt, data, error = error_text, "{}", wording::FAILED);
    }
}

fn tell_bucket(bucket: &Bucket) {
    let (access_key, endpoint_ca) = fields(bucket);
    info!(
        "s3-accessKey" = access_key,
        "s3-bucketName" = bucket.name,
        "s3-endpoint" = bucket.endpoint,
        "s3-endpoint-ca" = endpoint_ca,
        "s3-folder" = bucket.folder,
        "s3-region" = bucket.region,
        "{}",
        wording::SETTING_S3
    );
    if bucket.access_key.reveal().is_empty() && bucket.secret_key.reveal().is_empty() {
        info!("{}", wording::SETTING_S3_BY_ROLE);
    }
}

/// The old program wrote the access key and the CA in full. Stars say that there is one.
fn fields(bucket: &Bucket) -> (&'static str, &'static str) {
    let stars = |text: &str| if text.is_empty() { "" } else { "***" };
    (
        stars(bucket.access_key.reveal()),
        stars(&bucket.endpoint_ca),
    )
}
