//! Snapshots beside what the members of a real cluster hold.

use std::fs;

use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use serde_json::Value;

use crate::program::Program;
use crate::running::field;

#[tokio::test]
async fn every_member_of_a_real_cluster_agrees_to_a_snapshot_of_one_of_them() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let mut members = EtcdReal::builder().version(version).start_cluster(3).await;
        for value in ["first", "second", "third"] {
            members[0].put("a", value).await;
        }
        let compaction = members[0].etcdctl().args(["compaction", "3"]).status();
        assert!(compaction.unwrap().success());
        members[2].stop().await;

        let dir = tempfile::tempdir().unwrap();
        let mut daemon = Program::new(["run", "--creation", "1h", "--compare-members"])
            .etcd(&members[1])
            .dir(dir.path())
            .start();
        let verified = daemon.line("Verified snapshot").await;
        let end = daemon.stop().await;
        assert_eq!(end.count("Members disagree"), 0);
        let manifest = format!("{}.manifest.json", field(&verified, "name"));
        let manifest = fs::read(dir.path().join(manifest)).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["verification"]["result"], "held");
        let told = manifest["members"].as_array().unwrap();
        assert_eq!(told.len(), 3);
        for member in told {
            if member["name"] == members[2].name() {
                assert!(
                    member["agrees"].is_null() && member["error"].is_string(),
                    "{member}"
                );
            } else {
                assert_eq!(member["agrees"], true, "{member}");
            }
        }
    }
}
