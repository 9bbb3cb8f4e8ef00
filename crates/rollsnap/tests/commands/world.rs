//! What the program works on: a directory to look into, a bucket that comes and goes.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::s3_peer::{ACCESS_KEY, SECRET_KEY};
use rollsnap_testkit::s3_server;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::program::LIMIT;

/// A bucket whose server can be stopped and started on its port and its data.
pub(crate) struct Bucket {
    dir: TempDir,
    address: SocketAddr,
    server: Option<AbortOnDropHandle<()>>,
}

impl Bucket {
    pub(crate) const NAME: &str = "snapshots";
    pub(crate) const FOLDER: &str = "cluster-a";

    /// A bucket whose server is up.
    pub(crate) async fn up() -> Self {
        let mut bucket = Self::down().await;
        bucket.start().await;
        bucket
    }

    /// A bucket whose server is not up yet.
    pub(crate) async fn down() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(dir.path().join(Self::NAME)).expect("a bucket can be made");
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a loopback port is free");
        Self {
            dir,
            address: listener.local_addr().expect("it is bound"),
            server: None,
        }
    }

    pub(crate) async fn start(&mut self) {
        let listener = TcpListener::bind(self.address).await;
        let listener = listener.expect("the port is still free");
        let service = s3_server::service(self.dir.path(), ACCESS_KEY, SECRET_KEY);
        let serving = tokio::spawn(s3_server::serve(listener, service));
        self.server = Some(AbortOnDropHandle::new(serving));
    }

    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where an object of the folder is a file.
    pub(crate) fn object(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The names in the folder.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        names(&self.folder())
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join(Self::NAME).join(Self::FOLDER)
    }
}

/// A member that answers, and an empty directory: what most tests begin with.
pub(crate) async fn etcd_and_dir() -> (EtcdReal, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (EtcdReal::builder().start().await, dir)
}

/// The names in a directory but the program's own corner; none where it is missing.
pub(crate) fn names(dir: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return BTreeSet::new();
    };
    entries
        .map(|entry| entry.expect("it can be listed").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name != ".rollsnap")
        .collect()
}

/// Waits until a snapshot's manifest tells of its verification.
pub(crate) async fn a_verified_snapshot_stands(dir: &Path, name: &str) {
    let manifest = dir.join(format!("{name}.manifest.json"));
    let deadline = Instant::now() + LIMIT;
    while !fs::read_to_string(&manifest).is_ok_and(|text| text.contains("\"verification\"")) {
        assert!(Instant::now() < deadline, "{name} is not verified");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Returns once a stream is being spooled.
pub(crate) async fn a_save_runs(dir: &Path) {
    // A manifest that is rewritten and an index go through the spool too.
    let beside = [".manifest.json", ".keys.index"];
    let is_stream = |part: &str| beside.iter().all(|end| !part.contains(end));
    comes(&dir.join(".rollsnap/spool"), is_stream).await;
}

/// Waits for such a name in a directory.
pub(crate) async fn comes(dir: &Path, is_it: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !names(dir).iter().any(|name| is_it(name)) {
        assert!(
            Instant::now() < deadline,
            "it does not come into {}",
            dir.display()
        );
        sleep(Duration::from_millis(5)).await;
    }
}

/// The snapshots in a directory: names without their manifests and indexes.
pub(crate) fn snapshots(dir: &Path) -> Vec<String> {
    let mut names = Vec::from_iter(names(dir));
    names.retain(|name| !name.ends_with(".manifest.json") && !name.ends_with(".keys.index"));
    names
}

/// Nothing stands in the directory, and nothing half-made lies in the program's corner.
#[track_caller]
pub(crate) fn assert_nothing_written(dir: &Path) {
    assert_eq!(names(dir), BTreeSet::new());
    assert_nothing_half_made(dir);
}

#[track_caller]
pub(crate) fn assert_nothing_half_made(dir: &Path) {
    for room in ["spool", "pending"] {
        assert_eq!(names(&dir.join(".rollsnap").join(room)), BTreeSet::new());
    }
    for snapshot in snapshots(dir) {
        let manifest = dir.join(format!("{snapshot}.manifest.json"));
        assert!(manifest.exists(), "{snapshot} has no manifest");
    }
}
