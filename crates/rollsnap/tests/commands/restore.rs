//! etcd's own tools take what rollsnap keeps.

use std::fs;
use std::path::Path;
use std::process::Command;

use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;
use rollsnap_testkit::tools;
use serde_json::Value;

use crate::program::Program;
use crate::world::etcd_and_dir;

fn tool(name: &str, words: &[&str]) -> String {
    let output = Command::new(tools::path(name))
        .env_clear()
        .env("ETCDCTL_API", "3")
        .args(words)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {words:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every status and restore, and the revision that status tells.
fn assert_accepted(snapshot: &Path, revision: &Value) {
    let path = snapshot.to_str().unwrap();
    for program in ["etcdctl-3.4", "etcdctl-3.5", "etcdutl-3.5"] {
        let status = tool(program, &["snapshot", "status", path, "-w", "json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(&status["revision"], revision, "{program}");
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        // Without --skip-hash-check: the digest at its end is what they check.
        tool(
            program,
            &[
                "snapshot",
                "restore",
                path,
                "--data-dir",
                data.to_str().unwrap(),
            ],
        );
        assert!(data.join("member/snap/db").exists(), "{program}");
    }
}

#[tokio::test]
async fn etcds_tools_take_a_snapshot_of_either_version_plain_and_behind_tls() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        for secure in [false, true] {
            let (ssl, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let builder = EtcdReal::builder().version(version);
            let etcd = if secure {
                builder
                    .tls(&Certificates::issue(ssl.path(), &[]))
                    .start()
                    .await
            } else {
                builder.start().await
            };
            etcd.put("/registry/pods/a", "b").await;
            let save = Program::new(["save", "--name", "n", "-o", "json"])
                .etcd(&etcd)
                .dir(dir.path());
            let saved = save.run().await.json();
            assert_accepted(&dir.path().join("n"), &saved["snapshot"]["revision"]);
        }
    }
}

#[tokio::test]
async fn a_compressed_snapshot_decodes_to_what_etcds_tools_take() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.put("/registry/pods/a", vec![b'a'; 100_000]).await;
    let saved = Program::new(["save", "--name", "n", "--compression", "zstd", "-o", "json"])
        .etcd(&etcd)
        .dir(dir.path())
        .run()
        .await
        .json();
    let stored = dir.path().join("n.zst");
    assert_eq!(saved["path"], stored.to_str().unwrap());
    let packed = fs::read(&stored).unwrap();
    assert_eq!(saved["snapshot"]["stored"]["size"], packed.len());
    let plain = zstd::decode_all(&packed[..]).unwrap();
    assert_eq!(saved["snapshot"]["database"]["size"], plain.len() - 32);
    assert!(packed.len() < plain.len() / 2);
    let decoded = dir.path().join("decoded");
    fs::write(&decoded, plain).unwrap();
    assert_accepted(&decoded, &saved["snapshot"]["revision"]);
}
