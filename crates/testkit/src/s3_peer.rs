//! An S3 server inside the test (s3s-fs, signatures checked) that fails when told to.
//!
//! A bucket is a directory. What goes wrong, and what came so far, is the peer's [`Traffic`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a test server that cannot do its part fails the test, wherever it is"
)]

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::s3_server;
pub use crate::s3_traffic::{Fault, Rule, Seen, Traffic};
use crate::s3_uploads;

/// The access key that the peer knows.
pub const ACCESS_KEY: &str = "rollsnap-access";
/// Its secret.
pub const SECRET_KEY: &str = "rollsnap-canary-secret";

/// A running server. Its tasks, connections and objects end with it.
#[derive(Debug)]
pub struct S3Peer {
    address: SocketAddr,
    dir: TempDir,
    traffic: Arc<Traffic>,
    _task: AbortOnDropHandle<()>,
}

impl S3Peer {
    /// Listens on a free loopback port, with the named bucket in it.
    pub async fn start(bucket: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir(dir.path().join(bucket)).expect("a bucket can be made");
        let service = s3_server::undated(dir.path(), ACCESS_KEY, SECRET_KEY);
        let traffic = Arc::new(Traffic::new());
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (passing, root) = (Arc::clone(&traffic), dir.path().to_owned());
        let serving = s3_server::listen(listener, move |request| {
            let (traffic, service) = (Arc::clone(&passing), service.clone());
            let root = root.clone();
            async move {
                let carry_out = |request| s3_uploads::carry_out(service, root, request);
                traffic.answer(request, carry_out).await
            }
        });
        Self {
            address,
            dir,
            traffic,
            _task: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its buckets are directories.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub fn pending_uploads(&self) -> usize {
        fs::read_dir(self.dir.path())
            .expect("the directory is there")
            .filter_map(Result::ok)
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with(".upload-") && name.ends_with(".json")
            })
            .count()
    }
}

impl Deref for S3Peer {
    type Target = Traffic;

    fn deref(&self) -> &Traffic {
        &self.traffic
    }
}
