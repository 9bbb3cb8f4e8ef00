//! `services.etcd` of RKE's `cluster.yml`, or the same keys in a small file of their own.
//!
//! The keys are those of RKE (`types/backup_types.go` and `types/rke_types.go` of rancher/rke):
//! `snapshot`, `creation` and `retention` since v0.1.7, `backup_config` since v0.2.0. RKE itself
//! ignores what it does not know; that cost people months of backups (`endpoint_ca` for
//! `custom_ca`, `s3backupconfig` one level too high). Here every key of the backup sections must
//! be right, while the rest of the file may hold anything.
//!
//! A file is a `cluster.yml` as soon as one of RKE's own top-level keys stands in it. Otherwise
//! it is a small file: `backup_config` and the older keys at the top level, or the keys of
//! `backup_config` themselves. `dir`, `endpoints` and their like are ours and stand at the top
//! level of either.

mod keys;
mod reading;
mod tiers;
mod value;
mod word;

use std::num::NonZeroU64;
use std::time::Duration;

use crate::{Faults, Secret, text, yaml};

use reading::Reading;

pub use crate::text::MAX_BYTES;
pub use tiers::Tiers;
pub use word::{Addressing, Compression, LockMode, PruneForeign, Sse, Verify};

/// A value, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value, checked.
    pub value: T,
    /// Its line, counted from 1.
    pub line: u32,
    /// The keys that lead to it, joined by dots.
    pub key_path: String,
}

/// What one file says. None is "not said": the key is missing, null, or an empty text, as
/// `rke config` writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterYml {
    /// `snapshot`: whether snapshots are taken at all.
    pub snapshot: Option<Located<bool>>,
    /// `creation`: the older form of the interval.
    pub creation: Option<Located<Duration>>,
    /// `retention` as a duration: the older form, an age.
    pub retention: Option<Located<Duration>>,
    /// `backup_config`, which supersedes the older form key by key.
    pub backup_config: Option<Located<BackupConfig>>,
    /// Keys that RKE does not have.
    pub own: Own,
}

/// `backup_config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupConfig {
    /// `enabled`: whether snapshots are taken at all.
    pub enabled: Option<Located<bool>>,
    /// `interval_hours`, within [`bounds::INTERVAL_HOURS`](crate::bounds::INTERVAL_HOURS).
    pub interval_hours: Option<Located<u32>>,
    /// `retention` as a number of snapshots, within
    /// [`bounds::RETENTION_COUNT`](crate::bounds::RETENTION_COUNT).
    pub retention: Option<Located<u32>>,
    /// `s3backupconfig`.
    pub s3backupconfig: Option<Located<S3BackupConfig>>,
    /// `safe_timestamp`: `-` for `:` in names.
    pub safe_timestamp: Option<Located<bool>>,
    /// `timeout` of one attempt; whole seconds in RKE, a duration is taken too.
    pub timeout: Option<Located<Duration>>,
    /// `compression`, our own.
    pub compression: Option<Located<Compression>>,
    /// `cron`, our own: five fields, not looked into.
    pub cron: Option<Located<String>>,
    /// `zone`, our own: the name of a time zone, not looked up.
    pub zone: Option<Located<String>>,
    /// `retention_tiers`, our own.
    pub retention_tiers: Option<Located<Tiers>>,
}

/// `s3backupconfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3BackupConfig {
    /// `access_key`.
    pub access_key: Option<Located<Secret>>,
    /// `secret_key`.
    pub secret_key: Option<Located<Secret>>,
    /// `access_key_file`, our own: a file that holds nothing but the key.
    pub access_key_file: Option<Located<String>>,
    /// `secret_key_file`, our own.
    pub secret_key_file: Option<Located<String>>,
    /// `bucket_name`.
    pub bucket_name: Option<Located<String>>,
    /// `region`.
    pub region: Option<Located<String>>,
    /// `endpoint`: a host, a host and port, or an URL.
    pub endpoint: Option<Located<String>>,
    /// `custom_ca`: PEM text, as RKE has it, or the path of a file.
    pub custom_ca: Option<Located<String>>,
    /// `folder`.
    pub folder: Option<Located<String>>,
    /// `aws_profile`, our own as all that follow: a profile of the files that AWS' tools share.
    pub aws_profile: Option<Located<String>>,
    /// `anonymous`: whether requests are not signed.
    pub anonymous: Option<Located<bool>>,
    /// `addressing`: where the bucket's name goes.
    pub addressing: Option<Located<Addressing>>,
    /// `insecure_skip_verify`: whether anybody may vouch for the server.
    pub insecure_skip_verify: Option<Located<bool>>,
    /// `storage_class`: what the objects are billed as.
    pub storage_class: Option<Located<String>>,
    /// `tags`: texts such as `team=etcd`, one, several between commas, or a list.
    pub tags: Option<Located<Vec<String>>>,
    /// `sse`: who encrypts the objects there.
    pub sse: Option<Located<Sse>>,
    /// `kms_key_id`: the key service's key.
    pub kms_key_id: Option<Located<String>>,
    /// `sse_customer_key_file`: path of a file that holds nothing but our own key.
    pub sse_customer_key_file: Option<Located<String>>,
    /// `object_lock_mode`: who may delete an object before its time.
    pub object_lock_mode: Option<Located<LockMode>>,
    /// `object_lock_period`: that time.
    pub object_lock_period: Option<Located<Duration>>,
    /// `legal_hold`: whether objects stay until somebody lifts the hold.
    pub legal_hold: Option<Located<bool>>,
    /// `upload_rate`: most bytes a second for all uploads together.
    pub upload_rate: Option<Located<NonZeroU64>>,
    /// `verify_remote`: the time in which every copy is read back once.
    pub verify_remote: Option<Located<Duration>>,
}

/// Keys of our own at the top level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// `dir`: where snapshots are kept.
    pub dir: Option<Located<String>>,
    /// `endpoints`: one text, or a list; a text may hold several between commas.
    pub endpoints: Option<Located<Vec<String>>>,
    /// `cacert`: path of the CA that signed etcd's certificate.
    pub cacert: Option<Located<String>>,
    /// `cert`: path of the client certificate.
    pub cert: Option<Located<String>>,
    /// `key`: path of the client certificate's key.
    pub key: Option<Located<String>>,
    /// `user`: `name` or `name:password`, hence kept like a secret.
    pub user: Option<Located<Secret>>,
    /// `password_file`: path of a file that holds the password.
    pub password_file: Option<Located<String>>,
    /// `verify`: how deep snapshots are verified.
    pub verify: Option<Located<Verify>>,
    /// `verify_nice`: how much that gives way to others, within
    /// [`bounds::NICE`](crate::bounds::NICE).
    pub verify_nice: Option<Located<u32>>,
    /// `compare_members`: whether each snapshot is compared with what the members hold.
    pub compare_members: Option<Located<bool>>,
    /// `max_rate`: most bytes a second at which etcd's stream is read.
    pub max_rate: Option<Located<NonZeroU64>>,
    /// `drill`: the time between two rehearsals of a restore.
    pub drill: Option<Located<Duration>>,
    /// `drill_boot`: path of the etcd that is started on what was restored.
    pub drill_boot: Option<Located<String>>,
    /// `prune_foreign`: where the old program's rolling snapshots go by their age.
    pub prune_foreign: Option<Located<PruneForeign>>,
    /// `http`: where the daemon answers over HTTP: an address, or `off`.
    pub http: Option<Located<String>>,
    /// `http_socket`: path of the Unix socket where it does too.
    pub http_socket: Option<Located<String>>,
    /// `http_token_file`: path of a file that holds the bearer token.
    pub http_token_file: Option<Located<String>>,
    /// `http_cert`: path of the certificate that it shows.
    pub http_cert: Option<Located<String>>,
    /// `http_key`: path of that certificate's key.
    pub http_key: Option<Located<String>>,
    /// `ping_url`: whom the daemon tells of each attempt. Who knows it may speak there.
    pub ping_url: Option<Located<Secret>>,
    /// `ping_url_file`: path of a file that holds nothing but that.
    pub ping_url_file: Option<Located<String>>,
    /// `kubeconfig`: path of the file that tells where Kubernetes is.
    pub kubeconfig: Option<Located<String>>,
    /// `kubernetes_events`: whether Events are posted there.
    pub kubernetes_events: Option<Located<bool>>,
    /// `node_name`: the Node that they are about.
    pub node_name: Option<Located<String>>,
}

/// Reads a file's bytes; `file` is its name for messages.
///
/// At most 4 MiB of UTF-8 (a byte order mark is passed over) holding one YAML document that is a
/// mapping. Whatever the content, the largest file takes about a second and 300 MB at worst; most
/// files of some kilobytes take neither.
///
/// # Errors
/// Every fault at once, in the order of the lines; one alone when the file cannot be read as YAML.
pub fn parse(file: &str, bytes: &[u8]) -> Result<ClusterYml, Faults> {
    let (said, faults) = read(file, bytes);
    faults.map_or(Ok(said), Err)
}

/// As [`parse`], but what is right in a file with faults is not lost: a value with a fault counts
/// as not said. For whoever goes on to look for faults elsewhere.
pub fn read(file: &str, bytes: &[u8]) -> (ClusterYml, Option<Faults>) {
    let read = text::decode(bytes).and_then(|text| yaml::read(text, &keys::TOP));
    match read {
        Ok(node) => Reading::new(file).top(&node),
        Err((line, wrong)) => {
            let faults = Faults::whole(file, line, wrong);
            (ClusterYml::default(), Some(faults))
        }
    }
}

#[cfg(test)]
mod tests;
