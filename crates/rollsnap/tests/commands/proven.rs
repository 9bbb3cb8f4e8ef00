//! `status` and `verify`: etcdutl's numbers without etcdutl, and every damage told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use serde_json::{Value, json};

use crate::program::Program;

/// The snapshots of four versions of etcd, with etcdutl's answers.
fn testdata(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join("snapfile/testdata").join(name)
}

fn answer(name: &str) -> Value {
    serde_json::from_slice(&fs::read(testdata(name)).unwrap()).unwrap()
}

fn program(verb: &str, operand: &Path) -> Program {
    Program::new([verb]).args([operand]).args(["-o", "json"])
}

/// What etcdutl prints of a file.
fn etcdutl(path: &Path) -> Value {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/etcdutl-3.5");
    let mut command = Command::new(tool);
    command.args(["snapshot", "status", "-w", "json"]).arg(path);
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn status_is_what_etcdutl_says_of_every_version() {
    for version in ["3.4.23", "3.5.1", "3.6.14", "3.7.1"] {
        // The golden files are kept in gzip, which is read like any other form.
        let path = testdata(&format!("{version}.db.gz"));
        let said = program("status", &path).run().await.json();
        let expected = answer(&format!("{version}.status-by-3.6.14.json"));
        for field in ["hash", "revision", "totalKey", "totalSize", "version"] {
            assert_eq!(said[field], expected[field], "{version}: {field}");
        }
        let before = answer(&format!("{version}.status-by-3.5.1.json"));
        assert_eq!(said["entries"], before["totalKey"], "{version}");
        assert_eq!(said["digest"]["state"], "held", "{version}");
        assert_eq!(
            said["members"].as_array().map(Vec::len),
            Some(1),
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_zip_of_the_old_program_is_read_like_a_snapshot() {
    let zip = testdata("../../engine/testdata/rke/v0.1.111.mysnapshot.zip");
    let said = program("status", &zip).run().await.json();
    assert_eq!(said["form"], "zip");
    assert_eq!(said["hash"], answer("3.5.1.status-by-3.5.1.json")["hash"]);
}

#[tokio::test]
async fn status_of_a_snapshot_just_saved_is_what_etcdutl_says() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let etcd = EtcdReal::builder().version(version).start().await;
        etcd.put("a", "first").await;
        etcd.put("a", "second").await;
        let dir = tempfile::tempdir().unwrap();
        for (name, compression) in [("plain", "none"), ("packed", "zstd")] {
            let save = ["save", "--name", name, "--compression", compression];
            Program::new(save)
                .dir(dir.path())
                .etcd(&etcd)
                .run()
                .await
                .ok();
        }
        let by_name = |name| Program::new(["status", name, "-o", "json"]).dir(dir.path());
        let expected = etcdutl(&dir.path().join("plain"));
        for name in ["plain", "packed"] {
            let said = by_name(name).run().await.json();
            for field in ["hash", "revision", "totalSize"] {
                assert_eq!(said[field], expected[field], "{name}: {field}");
            }
            assert_eq!(said["entries"], expected["totalKey"], "{name}");
            assert_eq!(
                (&said["totalKey"], &said["records"]),
                (&json!(1), &json!(2))
            );
            assert_eq!(said["cluster_id_by"], "manifest", "{name}");
        }
    }
}

/// A golden snapshot, changed.
fn damaged(dir: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let gunzip = Command::new("gzip")
        .arg("-dc")
        .arg(testdata("3.5.1.db.gz"))
        .output();
    let mut bytes = gunzip.unwrap().stdout;
    change(&mut bytes);
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn damage_is_told_with_its_place_and_stops_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let whole = damaged(path, "whole", |_| {});
    let flipped = damaged(path, "flipped", |bytes| bytes[500_000] ^= 1);
    let cut = damaged(path, "cut", |bytes| bytes.truncate(900_000));
    // Page 5's own number: the walk finds it wherever the page is in use.
    let strange = damaged(path, "strange", |bytes| {
        for page in 2..bytes.len() / 4096 {
            bytes[page * 4096] ^= 1;
        }
    });
    let empty = damaged(path, "empty", Vec::clear);
    let files = [&flipped, &whole, &cut, &strange, &empty];
    let verify = Program::new(["verify"]).args(files).args(["-o", "json"]);
    let outcome = verify.run().await;
    outcome.fails_with_result(Kind::Corrupt, &["4 of 5 snapshots corrupt", "hint: "]);
    let printed: Value = serde_json::from_str(&outcome.out).unwrap();
    let result = |index: usize| printed["snapshots"][index]["result"].as_str();
    let results: Vec<_> = (0..5).map(result).collect();
    let corrupt = Some("corrupt");
    assert_eq!(results, [corrupt, Some("held"), corrupt, corrupt, corrupt]);
    let first = |index: usize| printed["snapshots"][index]["findings"][0]["text"].to_string();
    assert!(first(0).contains("digest mismatch"), "{}", first(0));
    assert!(first(2).contains("it was cut"), "{}", first(2));
    let pages = printed["snapshots"][3]["findings"].as_array().unwrap();
    assert!(
        pages.iter().any(|finding| finding["page"].is_u64()),
        "{pages:?}"
    );

    let digest_only = Program::new(["verify", "--digest"])
        .args([&flipped])
        .run()
        .await;
    digest_only.fails_with_result(Kind::Corrupt, &["1 of 1"]);
    assert!(
        digest_only.out.contains("digest mismatch"),
        "{}",
        digest_only.out
    );
    let status = Program::new(["status"]).args([&strange]).run().await;
    status.fails(
        Kind::Corrupt,
        &["page ", "another page's number", "rollsnap verify"],
    );
    let status = Program::new(["status"]).args([&flipped]).run().await;
    status.fails_with_result(Kind::Corrupt, &["not that of its bytes"]);
    assert!(status.out.contains("WRONG"), "{}", status.out);
}

#[tokio::test]
async fn verify_all_tells_of_every_snapshot_of_the_directory() {
    let etcd = EtcdReal::builder().start().await;
    etcd.put("a", "b").await;
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let save = Program::new(["save", "--name", name]);
        save.dir(dir.path()).etcd(&etcd).run().await.ok();
    }
    let all = || Program::new(["verify", "--all"]).dir(dir.path()).run();
    let told = all().await.ok();
    assert!(
        told.contains("held       one: revision 2, 1 keys"),
        "{told}"
    );
    assert!(told.contains("held       two"), "{told}");

    // A snapshot put in the place of another is whole, and still not what its manifest tells.
    etcd.put("a", "c").await;
    let save = Program::new(["save", "--name", "three"]);
    save.dir(dir.path()).etcd(&etcd).run().await.ok();
    fs::copy(dir.path().join("three"), dir.path().join("two")).unwrap();
    let outcome = all().await;
    outcome.fails_with_result(Kind::Corrupt, &["1 of 3"]);
    assert!(
        outcome.out.contains("its manifest tells of"),
        "{}",
        outcome.out
    );
}
