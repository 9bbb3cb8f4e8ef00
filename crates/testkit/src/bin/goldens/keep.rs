//! A snapshot, and the answers of etcd's own tools, as files.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::{Compression, GzBuilder};
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::tools;

/// How the database leaves its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// By the maintenance call: an image and its digest.
    BySnapshot,
    /// As a copy of the stopped server's own file: no digest, and pages beyond the last in use.
    ByCopy,
}

/// Keeps all that is known of this server as `dir/name.*`; tells the bytes of the snapshot.
pub(crate) async fn keep(mut etcd: EtcdReal, taken: Taken, dir: &Path, name: &str) -> u64 {
    let file = |what: &str| dir.join(format!("{name}.{what}"));
    let mut client = etcd.client().await;
    let revision = client.get("none", None).await.expect("ask for a revision");
    let revision = revision.header().expect("a header").revision();

    let keys = answer(etcdctl(&etcd, &["get", "", "--from-key", "-w", "json"]));
    pack(&file("keys.json.gz"), &keys);
    let hash_kv = answer(etcdctl(&etcd, &["endpoint", "hashkv", "-w", "json"]));
    fs::write(file("hashkv.json"), hash_kv).expect("write the hashkv");
    // Half way may be compacted away: then there is no answer to keep.
    let half = revision / 2;
    let rev = format!("--rev={half}");
    let mut ask = etcdctl(&etcd, &["endpoint", "hashkv", "-w", "json", &rev]);
    let said = ask.output().expect("run etcdctl");
    if half > 0 && said.status.success() {
        fs::write(file(&format!("hashkv-at-{half}.json")), said.stdout).expect("write the hashkv");
    }

    let work = tempfile::tempdir().expect("a temporary directory");
    let snapshot = work.path().join("snapshot.db");
    match taken {
        Taken::BySnapshot => {
            let path = snapshot.display().to_string();
            answer(etcdctl(&etcd, &["snapshot", "save", &path]));
        }
        Taken::ByCopy => {
            etcd.stop().await;
            fs::copy(etcd.data_dir().join("member/snap/db"), &snapshot).expect("copy the database");
        }
    }
    for (tool, by) in [("etcdutl-3.5", "3.5.1"), ("etcdctl-3.4", "3.4.23")] {
        let mut status = Command::new(tools::path(tool));
        status
            .env("ETCDCTL_API", "3")
            .args(["snapshot", "status", "-w", "json"])
            .arg(&snapshot);
        let said = answer(status);
        fs::write(file(&format!("status-by-{by}.json")), said).expect("write the status");
    }
    let bytes = fs::read(&snapshot).expect("read the snapshot");
    pack(&file("db.gz"), &bytes);
    bytes.len() as u64
}

fn etcdctl(etcd: &EtcdReal, arguments: &[&str]) -> Command {
    let mut command = etcd.etcdctl();
    command.args(arguments);
    command
}

fn answer(mut command: Command) -> Vec<u8> {
    let said = command
        .output()
        .unwrap_or_else(|e| panic!("run {command:?}: {e}"));
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{command:?}: {complaint}");
    said.stdout
}

fn pack(path: &Path, bytes: &[u8]) {
    let file = File::create(path).unwrap_or_else(|e| panic!("create {}: {e}", path.display()));
    let mut gzip = GzBuilder::new().write(file, Compression::best());
    gzip.write_all(bytes).expect("write a gzip file");
    gzip.finish().expect("write a gzip file");
}
