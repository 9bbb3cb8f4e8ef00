//! The S3 server in a container, its bucket seen from outside as a directory.

use std::fs;

use tempfile::TempDir;

use crate::docker::{Container, Network};
use crate::images;

/// Its name on the network.
pub(crate) const HOST: &str = "s3";
pub(crate) const BUCKET: &str = "snapshots";
pub(crate) const ACCESS_KEY: &str = "canary-access-0b6c1f";
/// Whoever sees this outside of a key file has found a leak.
pub(crate) const SECRET_KEY: &str = "canary-secret-7d41e9a2";

#[derive(Debug)]
pub(crate) struct Bucket {
    _container: Container,
    dir: TempDir,
}

impl Bucket {
    pub(crate) fn start(network: &Network) -> Self {
        let dir = TempDir::with_prefix("rollsnap-bucket-").expect("a temporary directory");
        let options = [format!("--volume={}:/data", dir.path().display())];
        let command = [
            "--listen=0.0.0.0:9000".to_owned(),
            "--dir=/data".to_owned(),
            format!("--bucket={BUCKET}"),
            format!("--access-key={ACCESS_KEY}"),
            format!("--secret-key={SECRET_KEY}"),
        ];
        let image = images::s3_server();
        let container = Container::run(HOST, network, &options, &image, &command);
        Self {
            _container: container,
            dir,
        }
    }

    /// The object of this key: visible only when it was completed.
    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        fs::read(self.dir.path().join(BUCKET).join(key)).ok()
    }

    /// The keys at the top of the bucket.
    pub(crate) fn keys(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join(BUCKET));
        let mut keys: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        keys.sort();
        keys
    }
}
