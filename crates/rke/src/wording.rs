//! The sentences of the old program's log, which people grep and dashboards count.

use std::fmt::Display;

use crate::argv::Form;

/// The first line of the loop.
pub const ROLLING: &str = "Initializing Rolling Backups";
/// The first line of a single save.
pub const ONE_TIME: &str = "Initializing Onetime Backup";
/// The member is not well.
pub const UNWELL: &str = "Checking member health failed from etcd member";
/// An attempt failed.
pub const FAILED: &str = "Backup failed";
/// Before the fields of the bucket.
pub const SETTING_S3: &str = "invoking set s3 service client";
/// The same where no keys are given.
pub const SETTING_S3_BY_ROLE: &str = "invoking set s3 service client use IAM role";

/// Before the objects of the bucket that are too old are deleted.
pub const ROTATING_S3: &str = "Invoking delete s3 backup files";
/// A file whose name tells no time.
pub const NOT_PARSED: &str = "Couldn't parse backup";

/// Kubernetes is asked for the cluster's state. There is no kubectl any more; the words stay.
pub const ASKING_STATE: &str = "Trying to retrieve secret full-cluster-state using kubectl";
/// It did not give it.
pub const STATE_NOT_GIVEN: &str = "Failed to retrieve secret full-cluster-state using kubectl";
/// The snapshot goes without.
pub const NO_STATE: &str = "Error while trying to retrieve cluster state from cluster";
/// The state is beside the snapshot.
pub const STATE_WRITTEN: &str = "Successfully written state file content to file";
/// What RKE had laid there stays.
pub const STATE_NOT_REMOVED: &str = "Removing statefile failed";

/// A file is gone, as the newer form says it.
pub const DELETED: &str = "Deleted local backup";
/// A file is not gone.
pub const NOT_DELETED: &str = "Delete local backup failed";

/// A snapshot stands.
pub fn created(form: Form) -> &'static str {
    match form {
        Form::Rolling => "Created backup",
        Form::EtcdBackup => "Created local backup",
    }
}

/// A file is gone.
pub fn deleted(form: Form) -> &'static str {
    match form {
        Form::Rolling => "Deleted backup",
        Form::EtcdBackup => DELETED,
    }
}

/// The bucket cannot be used as it is set up.
pub fn s3_refused(error: impl Display) -> String {
    format!("failed to set s3 server: {error}")
}

/// An upload begins.
pub fn uploading(key: impl Display) -> String {
    format!("invoking uploading backup file [{key}] to s3")
}

/// An upload ended well.
pub fn uploaded(key: impl Display, size: u64) -> String {
    format!("Successfully uploaded [{key}] of size [{size}]")
}

/// An upload failed. RKE looks for the words before the colon.
pub fn not_uploaded(error: impl Display) -> String {
    format!("failed to upload etcd snapshot file: {error}")
}

/// An object is to go.
pub fn deleting_object(key: impl Display) -> String {
    format!("Start to delete s3 backup file [{key}]")
}

/// An object is gone.
pub fn deleted_object(key: impl Display) -> String {
    format!("Success delete s3 backup file [{key}]")
}

/// Several are gone.
pub fn removed_objects(keys: &[String]) -> String {
    format!("removed backups: {} from object store", keys.join(", "))
}

/// The cluster's state is looked for.
pub fn looking_for_state(name: impl Display) -> String {
    format!("Trying to get statefile from backup [{name}]")
}

/// A file was unpacked.
pub fn extracted(entry: impl Display, archive: impl Display, target: impl Display) -> String {
    format!("Successfully extracted file [{entry}] from file [{archive}] to destination [{target}]")
}

/// The first line of a download.
pub const DOWNLOADING: &str = "Initializing Download Backups";

/// A snapshot is looked for in the bucket.
pub fn looking_in_bucket(name: impl Display) -> String {
    format!("Invoking downloading backup files: {name}")
}

/// An object came.
pub fn downloaded_object(key: impl Display) -> String {
    format!("Successfully downloaded [{key}]")
}

/// A node is asked.
pub fn downloading_from(url: impl Display) -> String {
    format!("Trying to download backup file from: {url}")
}

/// A node gave a snapshot. The space at the end has always been there.
pub fn downloaded_from(name: impl Display, host: impl Display) -> String {
    format!("Successfully download {name} from {host} ")
}

/// An archive was unpacked for a download.
pub fn unpacked(archive: impl Display, file: impl Display) -> String {
    format!("Decompressed [{archive}] to [{file}]")
}

/// An archive was unpacked to be served.
pub fn unpacked_from(archive: impl Display) -> String {
    format!("Extracted from {archive}")
}

/// What Go's parser says of a file's name before its first `_`, which is to have the form of a time
/// (RFC 3339); `None` where it has.
pub fn not_a_time(file: &str) -> Option<String> {
    let text = file.split('_').next().unwrap_or_default();
    let fault = |rest: &str, part: &str| {
        let layout = "2006-01-02T15:04:05Z07:00";
        Some(format!(
            "parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {part:?}"
        ))
    };
    let mut rest = text;
    for part in [
        "2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05",
    ] {
        let digits = part.starts_with(|first: char| first.is_ascii_digit());
        let taken = match rest.get(..part.len()) {
            Some(word) if digits => word.bytes().all(|byte| byte.is_ascii_digit()),
            Some(word) => word == part,
            None => false,
        };
        if !taken {
            return fault(rest, part);
        }
        rest = &rest[part.len()..];
    }
    let is_zone = match rest.as_bytes() {
        [b'Z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].into_iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if is_zone { None } else { fault(rest, "Z07:00") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_time_is_refused_in_gos_words() {
        let layout = "2006-01-02T15:04:05Z07:00";
        for (file, said) in [
            (
                "mysnap",
                "parsing time \"mysnap\" as \"LAYOUT\": cannot parse \"mysnap\" as \"2006\"",
            ),
            (
                "c-x-r_2020",
                "parsing time \"c-x-r\" as \"LAYOUT\": cannot parse \"c-x-r\" as \"2006\"",
            ),
            (
                "2018-05-04T18:40:16_etcd",
                "parsing time \"2018-05-04T18:40:16\" as \"LAYOUT\": cannot parse \"\" as \"Z07:00\"",
            ),
            (
                "2018-05-04",
                "parsing time \"2018-05-04\" as \"LAYOUT\": cannot parse \"\" as \"T\"",
            ),
        ] {
            assert_eq!(not_a_time(file), Some(said.replace("LAYOUT", layout)));
        }
        for time in [
            "2018-05-04T18:40:16Z_etcd.zip",
            "2018-05-04T18:40:16+08:00_other",
        ] {
            assert_eq!(not_a_time(time), None);
        }
    }
}
