//! A call of the old program as settings of ours.
//!
//! What the call says stands above everything else that we know. What it cannot say, such as the
//! depth of verification, is said to us as always: in the environment, under names of our own.

use std::path::PathBuf;

use rollsnap_rke::argv::{Bucket, Call, Certificates, Origin};

use crate::config::options::Id;
use crate::config::{Environment, Flags};

/// The directory of snapshots in RKE's containers.
const BACKUP: &str = "/backup";

/// The flags of ours that say what the call says.
pub(super) fn flags(call: &Call, environment: &Environment) -> Flags {
    let mut flags = Flags::default();
    if environment.get("ROLLSNAP_DIR").is_none() {
        flags.set(Id::Dir, BACKUP);
    }
    // Sidecars share the network of their node, and there may be several.
    if environment.get("ROLLSNAP_HTTP").is_none() {
        flags.set(Id::Http, "off");
    }
    let (bucket, debug) = match call {
        Call::Save(save) => {
            flags.set(Id::Endpoints, &*save.etcd.endpoints);
            certificates(&mut flags, &save.etcd.certificates);
            (save.bucket.as_ref(), save.debug)
        }
        Call::Download(download) => match &download.from {
            Origin::Bucket(bucket) => (Some(bucket), download.debug),
            Origin::Node { .. } => (None, download.debug),
        },
        Call::Delete(delete) => (delete.bucket.as_ref(), false),
        Call::ExtractStateFile(extract) => (extract.bucket.as_ref(), extract.debug),
        Call::Serve(_) => (None, false),
    };
    match bucket {
        Some(bucket) => self::bucket(&mut flags, bucket),
        None => flags.set(Id::S3, "false"),
    }
    if debug {
        flags.set(Id::Debug, "true");
    }
    flags
}

fn certificates(flags: &mut Flags, paths: &Certificates) {
    let text = |path: &PathBuf| path.display().to_string();
    flags.set(Id::Cacert, text(&paths.cacert));
    flags.set(Id::Cert, text(&paths.cert));
    flags.set(Id::Key, text(&paths.key));
}

/// Said even where it is empty: variables for other programs of Amazon's are not for this one.
fn bucket(flags: &mut Flags, bucket: &Bucket) {
    flags.set(Id::S3, "true");
    flags.set(Id::BucketName, &*bucket.name);
    flags.set(Id::S3Endpoint, &*bucket.endpoint);
    flags.set(Id::S3EndpointCa, &*bucket.endpoint_ca);
    flags.set(Id::Region, &*bucket.region);
    flags.set(Id::Folder, &*bucket.folder);
    for (id, key) in [
        (Id::AccessKey, &bucket.access_key),
        (Id::SecretKey, &bucket.secret_key),
    ] {
        if !key.reveal().is_empty() {
            flags.set(id, key.reveal());
        }
    }
}
