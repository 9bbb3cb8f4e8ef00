//! Which keys there are, at which level they belong, and what people write for them.

use crate::nearest;
use crate::yaml::{Shape, Want};

/// A level of the file that has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Our own keys at the top.
    Own,
    /// `services.etcd`, the older keys.
    Etcd,
    /// `backup_config`.
    Backup,
    /// `s3backupconfig`.
    S3,
}

impl Level {
    const ALL: [Self; 4] = [Self::S3, Self::Backup, Self::Etcd, Self::Own];

    /// The keys that belong here.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        let keys: &[(&str, Want)] = match self {
            Self::Own => &OWN,
            Self::Etcd => ETCD.0,
            Self::Backup => BACKUP.0,
            Self::S3 => S3.0,
        };
        keys.iter().map(|(key, _)| *key)
    }
}

const OWN: [(&str, Want); 24] = [
    ("dir", Want::Value),
    ("endpoints", Want::Values),
    ("cacert", Want::Value),
    ("cert", Want::Value),
    ("key", Want::Value),
    ("user", Want::Value),
    ("password_file", Want::Value),
    ("verify", Want::Value),
    ("verify_nice", Want::Value),
    ("compare_members", Want::Value),
    ("max_rate", Want::Value),
    ("drill", Want::Value),
    ("drill_boot", Want::Value),
    ("prune_foreign", Want::Value),
    ("http", Want::Value),
    ("http_socket", Want::Value),
    ("http_token_file", Want::Value),
    ("http_cert", Want::Value),
    ("http_key", Want::Value),
    ("ping_url", Want::Value),
    ("ping_url_file", Want::Value),
    ("kubeconfig", Want::Value),
    ("kubernetes_events", Want::Value),
    ("node_name", Want::Value),
];

static S3: Shape = Shape(&[
    ("access_key", Want::Value),
    ("secret_key", Want::Value),
    ("access_key_file", Want::Value),
    ("secret_key_file", Want::Value),
    ("bucket_name", Want::Value),
    ("region", Want::Value),
    ("endpoint", Want::Value),
    ("custom_ca", Want::Value),
    ("folder", Want::Value),
    ("aws_profile", Want::Value),
    ("anonymous", Want::Value),
    ("addressing", Want::Value),
    ("insecure_skip_verify", Want::Value),
    ("storage_class", Want::Value),
    ("tags", Want::Values),
    ("sse", Want::Value),
    ("kms_key_id", Want::Value),
    ("sse_customer_key_file", Want::Value),
    ("object_lock_mode", Want::Value),
    ("object_lock_period", Want::Value),
    ("legal_hold", Want::Value),
    ("upload_rate", Want::Value),
    ("verify_remote", Want::Value),
]);

static BACKUP: Shape = Shape(&[
    ("enabled", Want::Value),
    ("interval_hours", Want::Value),
    ("retention", Want::Value),
    ("s3backupconfig", Want::Section(&S3)),
    ("safe_timestamp", Want::Value),
    ("timeout", Want::Value),
    ("compression", Want::Value),
    ("cron", Want::Value),
    ("zone", Want::Value),
    ("retention_tiers", Want::Values),
]);

static ETCD: Shape = Shape(&[
    ("snapshot", Want::Value),
    ("creation", Want::Value),
    ("retention", Want::Value),
    ("backup_config", Want::Section(&BACKUP)),
]);

static SERVICES: Shape = Shape(&[("etcd", Want::Section(&ETCD))]);

/// The top of either form of file: read first, told apart afterwards.
pub(super) static TOP: Shape = Shape(&[
    ("services", Want::Section(&SERVICES)),
    OWN[0],
    OWN[1],
    OWN[2],
    OWN[3],
    OWN[4],
    OWN[5],
    OWN[6],
    OWN[7],
    OWN[8],
    OWN[9],
    OWN[10],
    OWN[11],
    OWN[12],
    OWN[13],
    OWN[14],
    OWN[15],
    OWN[16],
    OWN[17],
    OWN[18],
    OWN[19],
    OWN[20],
    OWN[21],
    OWN[22],
    OWN[23],
    ETCD.0[0],
    ETCD.0[1],
    ETCD.0[2],
    ETCD.0[3],
    BACKUP.0[0],
    BACKUP.0[1],
    BACKUP.0[3],
    BACKUP.0[4],
    BACKUP.0[5],
    BACKUP.0[6],
    BACKUP.0[7],
    BACKUP.0[8],
    BACKUP.0[9],
]);

/// Top-level keys of RKE (`RancherKubernetesEngineConfig`): one of them makes a `cluster.yml`.
const RKE_TOP: [&str; 28] = [
    "services",
    "nodes",
    "network",
    "authentication",
    "addons",
    "addons_include",
    "system_images",
    "ssh_key_path",
    "ssh_cert_path",
    "ssh_agent_auth",
    "authorization",
    "ignore_docker_version",
    "enable_cri_dockerd",
    "kubernetes_version",
    "private_registries",
    "ingress",
    "cluster_name",
    "cloud_provider",
    "prefix_path",
    "win_prefix_path",
    "addon_job_timeout",
    "bastion_host",
    "monitoring",
    "restore",
    "rotate_certificates",
    "rotate_encryption_key",
    "dns",
    "upgrade_strategy",
];

/// Keys of RKE beside ours in `services.etcd` (`ETCDService` and `BaseService`).
const RKE_ETCD: [&str; 16] = [
    "external_urls",
    "ca_cert",
    "cert",
    "key",
    "path",
    "uid",
    "gid",
    "image",
    "extra_args",
    "extra_args_array",
    "extra_binds",
    "extra_env",
    "win_extra_args",
    "win_extra_args_array",
    "win_extra_binds",
    "win_extra_env",
];

/// Whether a top-level key shows that a file is a `cluster.yml`.
pub(super) fn is_rke_top(key: &str) -> bool {
    RKE_TOP.contains(&key)
}

/// Whether RKE has this key in `services.etcd`.
pub(super) fn is_rke_etcd(key: &str) -> bool {
    RKE_ETCD.contains(&key)
}

/// The level below `services.etcd` that has exactly this key.
pub(super) fn level_of(key: &str) -> Option<Level> {
    [Level::Etcd, Level::Backup, Level::S3]
        .into_iter()
        .find(|level| level.keys().any(|right| right == key))
}

/// What people have written for a key, by issue threads and by other tools' words.
const HABITS: [(&str, Level, &str); 27] = [
    ("endpoint_ca", Level::S3, "custom_ca"),
    ("s3_endpoint_ca", Level::S3, "custom_ca"),
    ("s3_endpoint", Level::S3, "endpoint"),
    ("ca", Level::S3, "custom_ca"),
    ("bucket", Level::S3, "bucket_name"),
    ("prefix", Level::S3, "folder"),
    ("access_key_id", Level::S3, "access_key"),
    ("secret_access_key", Level::S3, "secret_key"),
    ("profile", Level::S3, "aws_profile"),
    ("force_path_style", Level::S3, "addressing"),
    ("skip_ssl_verify", Level::S3, "insecure_skip_verify"),
    ("server_side_encryption", Level::S3, "sse"),
    ("object_lock", Level::S3, "object_lock_mode"),
    ("bandwidth_limit", Level::S3, "upload_rate"),
    ("s3_config", Level::Backup, "s3backupconfig"),
    ("s3", Level::Backup, "s3backupconfig"),
    ("interval", Level::Backup, "interval_hours"),
    ("schedule", Level::Backup, "cron"),
    ("timezone", Level::Backup, "zone"),
    ("time_zone", Level::Backup, "zone"),
    ("tiers", Level::Backup, "retention_tiers"),
    ("backup", Level::Etcd, "backup_config"),
    ("directory", Level::Own, "dir"),
    ("password", Level::Own, "password_file"),
    ("healthchecks_url", Level::Own, "ping_url"),
    ("healthcheck_url", Level::Own, "ping_url"),
    ("heartbeat_url", Level::Own, "ping_url"),
];

/// The right key for a wrong one, and its level: exactly there under another level, known as a
/// habit, or nearest by letters, at its own level first.
pub(super) fn meant(key: &str, at: Level) -> Option<(Level, &'static str)> {
    let exact = Level::ALL.into_iter().find_map(|level| {
        level
            .keys()
            .find(|right| *right == key)
            .map(|right| (level, right))
    });
    let habit = || {
        let plain = key.to_lowercase().replace('-', "_");
        let found = HABITS.iter().find(|(wrong, _, _)| *wrong == plain);
        found.map(|(_, level, right)| (*level, *right))
    };
    let near = |level: Level| nearest(key, level.keys()).map(|right| (level, right));
    exact
        .or_else(habit)
        .or_else(|| near(at))
        .or_else(|| Level::ALL.into_iter().find_map(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_our_own_is_read_at_the_top() {
        for key in Level::Own.keys() {
            assert!(TOP.0.iter().any(|(read, _)| *read == key), "{key}");
        }
    }
}
