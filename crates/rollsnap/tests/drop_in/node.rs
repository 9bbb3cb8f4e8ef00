//! A node of RKE's: an etcd with certificates, and the directory of snapshots.

use std::path::{Path, PathBuf};

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::{ACCESS_KEY, SECRET_KEY};
use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

use crate::program::{Outcome, Program};
use crate::world::{self, Bucket};

/// A node of RKE's.
pub(crate) struct Node {
    pub(crate) etcd: EtcdReal,
    pub(crate) certificates: Certificates,
    backup: TempDir,
    kubernetes: TempDir,
    /// Keeps the certificates.
    _ssl: TempDir,
}

impl Node {
    pub(crate) async fn up() -> Self {
        let ssl = tempfile::tempdir().unwrap();
        let certificates = Certificates::issue(ssl.path(), &[]);
        let etcd = EtcdReal::builder().tls(&certificates).start().await;
        etcd.put("/registry/namespaces/default", "n").await;
        Self {
            etcd,
            certificates,
            backup: tempfile::tempdir().unwrap(),
            kubernetes: tempfile::tempdir().unwrap(),
            _ssl: ssl,
        }
    }

    /// What is `/backup` in the containers.
    pub(crate) fn backup(&self) -> &Path {
        self.backup.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.backup().join(name)
    }

    /// The snapshots, without what we lay beside them.
    pub(crate) fn snapshots(&self) -> Vec<String> {
        world::snapshots(self.backup())
    }

    /// A line of the old program, without certificates and endpoints.
    pub(crate) fn bare(&self, line: &str) -> Program {
        Program::new(line.split_whitespace())
            .dir(self.backup())
            .env("ROLLSNAP_KUBERNETES", self.kubernetes())
    }

    /// What is `/etc/kubernetes` in the containers.
    pub(crate) fn kubernetes(&self) -> &Path {
        self.kubernetes.path()
    }

    /// The same with the certificates that RKE names.
    pub(crate) fn certified(&self, line: &str) -> Program {
        self.bare(line)
            .arg_path("--cacert", &self.certificates.ca())
            .arg_path("--cert", &self.certificates.client())
            .arg_path("--key", &self.certificates.client_key())
    }

    /// The same with the endpoint as RKE gives it, without a scheme.
    pub(crate) fn call(&self, line: &str) -> Program {
        let endpoint = format!("--endpoints={}", self.etcd.address());
        self.certified(line).args([endpoint])
    }
}

/// The flags that RKE gives for this bucket, keys among them as it did before v1.1.19.
pub(crate) fn to(bucket: &Bucket) -> Vec<String> {
    vec![
        "--s3-backup=true".to_owned(),
        format!("--s3-endpoint={}", bucket.endpoint()),
        format!("--s3-bucketName={}", Bucket::NAME),
        "--s3-region=".to_owned(),
        format!("--s3-folder={}", Bucket::FOLDER),
        format!("--s3-accessKey={ACCESS_KEY}"),
        format!("--s3-secretKey={SECRET_KEY}"),
    ]
}

/// The last line of a call that failed as RKE sees it: all that it shows.
#[track_caller]
pub(crate) fn reason(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code, Some(1), "{}", outcome.err);
    let last = outcome.err.lines().last().unwrap();
    assert!(last.contains(" level=fatal msg="), "{}", outcome.err);
    last
}
