//! A bucket behind TLS, with an authority that nobody knows unless told.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

use crate::bucket::{ACCESS_KEY, BUCKET, SECRET_KEY};
use crate::docker::{Container, Network};
use crate::images;

const HOST: &str = "s3";

/// The keys as RKE has passed them since v1.1.19, v1.2.8 and v1.3.0.
pub(super) fn keys_in_environment() -> Vec<String> {
    vec![
        format!("S3_ACCESS_KEY={}", STANDARD.encode(ACCESS_KEY)),
        format!("S3_SECRET_KEY={}", STANDARD.encode(SECRET_KEY)),
    ]
}

/// The keys as RKE passed them before, for everybody to see.
pub(super) fn keys_in_flags() -> Vec<String> {
    vec![
        format!("--s3-accessKey={ACCESS_KEY}"),
        format!("--s3-secretKey={SECRET_KEY}"),
    ]
}

/// rclone's S3 server, and the directory of its objects.
#[derive(Debug)]
pub(super) struct SecureBucket {
    _container: Container,
    objects: TempDir,
    certificates: Certificates,
}

impl SecureBucket {
    pub(super) fn start(network: &Network) -> Self {
        let objects = TempDir::with_prefix("rollsnap-objects-").expect("a temporary directory");
        fs::create_dir(objects.path().join(BUCKET)).expect("a bucket can be made");
        let tls = objects.path().join("tls");
        fs::create_dir(&tls).expect("a directory can be made");
        let certificates = Certificates::issue(tls, &[HOST]);
        let inside = |file: &std::path::Path| {
            let name = file.file_name().expect("it is a file").to_string_lossy();
            format!("/objects/tls/{name}")
        };
        let command = [
            "serve".to_owned(),
            "s3".to_owned(),
            "--addr=0.0.0.0:443".to_owned(),
            format!("--auth-key={ACCESS_KEY},{SECRET_KEY}"),
            format!("--cert={}", inside(&certificates.server())),
            format!("--key={}", inside(&certificates.server_key())),
            "/objects".to_owned(),
        ];
        let options = [format!("--volume={}:/objects", objects.path().display())];
        let container = Container::run(HOST, network, &options, &images::rclone(), &command);
        Self {
            _container: container,
            objects,
            certificates,
        }
    }

    /// The flags that RKE makes of an `s3backupconfig`.
    pub(super) fn flags(&self, folder: &str) -> Vec<String> {
        let ca = fs::read(self.certificates.ca()).expect("it was written");
        let mut flags = vec![
            "--s3-backup=true".to_owned(),
            format!("--s3-endpoint={HOST}"),
            format!("--s3-bucketName={BUCKET}"),
            "--s3-region=us-east-1".to_owned(),
            format!("--s3-endpoint-ca={}", STANDARD.encode(ca)),
        ];
        if !folder.is_empty() {
            flags.push(format!("--s3-folder={folder}"));
        }
        flags
    }

    pub(super) fn object(&self, key: &str) -> Option<Vec<u8>> {
        fs::read(self.objects.path().join(BUCKET).join(key)).ok()
    }

    /// The keys below a folder, or at the top.
    pub(super) fn keys(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.objects.path().join(BUCKET).join(folder));
        let names = entries.into_iter().flatten().flatten();
        let mut keys: Vec<String> = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        keys.sort();
        keys
    }
}
