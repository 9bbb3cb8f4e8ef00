//! What is tried of one small object: put, refused, replaced, read, looked at, removed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue, IF_NONE_MATCH};

use super::{NAME, OF_AN_OBJECT, Told, Trial, held, weak};
use crate::s3::call::Call;
use crate::s3::error::Fault;
use crate::s3::request::{BucketClient, Reply};
use crate::{ErrorKind, Outcome, StoreError};

const FIRST: &[u8] = b"rollsnap tries this bucket out; this object may be deleted\n";
const SECOND: &[u8] = b"rollsnap tries this bucket out once more; delete this object\n";

const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");

/// An object of the trial.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    trial: &'a Trial<'a>,
    pub(super) key: String,
    object: String,
    /// What the bucket keeps of it, where it keeps versions.
    versions: Mutex<Vec<String>>,
}

impl<'a> Sample<'a> {
    pub(super) fn new(trial: &'a Trial<'a>, suffix: &str) -> Self {
        let name = format!("{NAME}{}{suffix}", trial.unique);
        Self {
            trial,
            key: format!("{}{name}", trial.folder),
            object: format!("{}/{name}", trial.location),
            versions: Mutex::default(),
        }
    }

    pub(super) fn call(&self, method: Method) -> Call<'_> {
        Call::new(method, &self.key).of_a_trial()
    }

    pub(super) async fn ask(&self, call: &Call<'_>) -> Result<Reply, Fault> {
        let reply = self.client().call(call).await?;
        if let Some(version) = reply.header(VERSION).filter(|version| *version != "null") {
            let mut versions = self.versions();
            if !versions.iter().any(|known| known == version) {
                versions.push(version.to_owned());
            }
        }
        Ok(reply)
    }

    fn versions(&self) -> MutexGuard<'_, Vec<String>> {
        // Every change is one push: a holder that panicked left nothing half done.
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn client(&self) -> &BucketClient {
        self.trial.client
    }

    pub(super) fn failed(&self, verb: &'static str, fault: Fault) -> Outcome {
        Outcome::Failed(self.client().tell(verb, &self.object, fault))
    }

    fn wrong(&self, kind: ErrorKind, message: impl Into<String>, hint: &str) -> Outcome {
        let error = StoreError::at(kind, "check", &self.object, message);
        Outcome::Failed(error.with_hint(hint))
    }

    fn put(&self, content: &'static [u8]) -> Call<'_> {
        self.call(Method::PUT)
            .body(Bytes::from_static(content))
            .checked()
    }
}

/// On the condition that nobody has the name.
pub(super) fn if_new(call: Call<'_>) -> Call<'_> {
    call.header(IF_NONE_MATCH, HeaderValue::from_static("*"))
}

/// Puts the object and tries everything that needs one.
pub(super) async fn try_out(sample: &Sample<'_>, told: &mut Told) {
    if let Err(fault) = sample.ask(&sample.put(FIRST)).await {
        told.add("put", sample.failed("put", fault));
        told.all_untried(&OF_AN_OBJECT, "nothing could be put");
        return;
    }
    told.add("put", held(format!("{} bytes", FIRST.len())));
    told.add("conditional write", conditional_write(sample).await);
    let written = match sample.ask(&sample.put(SECOND)).await {
        Ok(_) => {
            told.add("overwrite", held("manifests can be kept up to date"));
            SECOND
        }
        Err(fault) => {
            told.add("overwrite", sample.failed("overwrite", fault));
            FIRST
        }
    };
    told.add("read", read(sample, written).await);
    let head = sample.call(Method::HEAD);
    let head = head.header(CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
    match sample.ask(&head).await {
        Ok(reply) => {
            told.add("checksum", checksum(sample, &reply, written));
            told.add("encryption", encryption(sample, &reply));
        }
        Err(fault) => {
            told.add("checksum", sample.failed("look at", fault));
            told.untried("encryption", "the object cannot be looked at");
        }
    }
}

/// A second object under the name must be refused.
async fn conditional_write(sample: &Sample<'_>) -> Outcome {
    match sample.ask(&if_new(sample.put(SECOND))).await {
        Err(fault) if fault.is_failed_condition() => held("a name that is taken stays as it is"),
        Err(fault) if !fault.is_unknown_there() => sample.failed("put if new", fault),
        Ok(_) | Err(_) => weak(
            "the server knows no If-None-Match: two that write one name at once are not kept apart",
            "give each cluster a folder of its own; what was overwritten is found by its digest",
        ),
    }
}

async fn read(sample: &Sample<'_>, written: &[u8]) -> Outcome {
    match sample.ask(&sample.call(Method::GET)).await {
        Ok(reply) if reply.body.as_bytes() == written => held("what was put came back"),
        Ok(_) => sample.wrong(
            ErrorKind::Corrupt,
            "other bytes came back than were put",
            "trust no copy in this bucket: see what stands between and whether the server is sound",
        ),
        Err(fault) => sample.failed("read", fault),
    }
}

fn checksum(sample: &Sample<'_>, reply: &Reply, written: &'static [u8]) -> Outcome {
    match reply.header(CHECKSUM) {
        Some(kept) if kept == sample.put(written).checksum() => held("SHA-256 is checked and kept"),
        Some(_) => sample.wrong(
            ErrorKind::Corrupt,
            "the server keeps another SHA-256 than that of what was put",
            "trust no copy in this bucket: see whether the server is sound",
        ),
        None => weak(
            "the server keeps no SHA-256: whether a copy is still what it was, only reading tells",
            "verify the copies now and then: rollsnap verify --remote",
        ),
    }
}

/// What the server says of how it keeps the object, against what was asked for.
fn encryption(sample: &Sample<'_>, reply: &Reply) -> Outcome {
    const TOLD: [&str; 2] = [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
    ];
    let told = TOLD.iter().find_map(|name| reply.header(*name));
    match (sample.client().writing().proof_of_encryption(), told) {
        (Some((name, value)), _) if reply.headers.get(&name) == Some(value) => {
            held(format!("as asked: {}", told.unwrap_or_default()))
        }
        (Some(_), told) => sample.wrong(
            ErrorKind::Config,
            format!(
                "the server was asked to encrypt and tells of {}",
                told.unwrap_or("no encryption")
            ),
            "use a server that knows this kind of encryption, or leave sse out",
        ),
        (None, Some(told)) => held(format!("by the bucket's default: {told}")),
        (None, None) => held("none asked for, none told"),
    }
}

/// Removes both objects, by the request that retention will make.
pub(super) async fn remove(whole: &Sample<'_>, in_parts: &Sample<'_>) -> Outcome {
    let mut outcome = held("gone");
    for sample in [whole, in_parts] {
        let keeps_versions = !sample.versions().is_empty();
        match delete(sample).await {
            Ok(true) if keeps_versions => {
                outcome =
                    held("hidden: the bucket keeps versions, until a rule of yours ends them");
            }
            Ok(true) => {}
            Ok(false) => {
                return sample.wrong(
                    ErrorKind::Unavailable,
                    "it is still there after it was deleted",
                    "see whether the server, or a cache before it, is sound",
                );
            }
            Err(fault) => return sample.failed("delete", fault),
        }
    }
    outcome
}

/// Whether it is gone. Versions and the mark that hides them go too, where that is allowed.
async fn delete(sample: &Sample<'_>) -> Result<bool, Fault> {
    match sample.ask(&sample.call(Method::DELETE)).await {
        Ok(_) => {}
        Err(fault) if fault.has_status(404) => {}
        Err(fault) => return Err(fault),
    }
    let is_gone = match sample.ask(&sample.call(Method::HEAD)).await {
        Ok(_) => false,
        Err(fault) if fault.has_status(404) => true,
        Err(fault) => return Err(fault),
    };
    let versions = std::mem::take(&mut *sample.versions());
    for version in versions {
        let call = sample.call(Method::DELETE).query("versionId", version);
        let _ = sample.client().call(&call).await;
    }
    Ok(is_gone)
}
