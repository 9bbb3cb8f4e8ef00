//! Databases that are broken on the member's disk: the digest that etcd sends with them is right.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_peer::{EtcdPeer, Script};
use rollsnap_testkit::etcd_real::EtcdReal;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::Program;
use crate::running::field;
use crate::web::{address, at};
use crate::world::{Bucket, assert_nothing_half_made, names, snapshots};

const PAGE: usize = 4096;

/// A database of a real etcd, without its digest.
pub(crate) async fn database() -> Vec<u8> {
    let (etcd, dir) = (
        EtcdReal::builder().start().await,
        tempfile::tempdir().unwrap(),
    );
    etcd.fill(1 << 20).await;
    let save = Program::new(["save", "--name", "whole"]).etcd(&etcd);
    save.dir(dir.path()).run().await.ok();
    let mut bytes = fs::read(dir.path().join("whole")).unwrap();
    bytes.truncate(bytes.len() - 32);
    bytes
}

/// The same with the first leaf of keys telling that it is another page. The path to the last
/// revision, which every save reads, is left alone.
pub(crate) fn broken(database: &[u8]) -> Vec<u8> {
    let mut broken = database.to_vec();
    let mut changed = 0;
    for page in broken.chunks_exact_mut(PAGE) {
        let is_leaf = page[8..10] == 2_u16.to_le_bytes();
        // The first element lies behind the header of 16 bytes, its key where it says.
        let place = u32::from_le_bytes(page[20..24].try_into().unwrap()) as usize + 16;
        let key = page.get(place..place + 17);
        // Revision 2 is the first of all; freed pages may have it too.
        let first = key.is_some_and(|key| key[..9] == *b"\0\0\0\0\0\0\0\x02_");
        if is_leaf && first {
            page[0..8].copy_from_slice(&0xdead_u64.to_le_bytes());
            changed += 1;
        }
    }
    assert!(changed > 0, "no leaf has the first revision");
    broken
}

fn quarantine(dir: &Path) -> std::path::PathBuf {
    dir.join(".rollsnap/quarantine")
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_save_of_a_broken_database_tells_what_is_wrong_and_where_it_is_kept() {
    let whole = database().await;
    let (dir, bucket) = (directory(), Bucket::up().await);
    let peer = EtcdPeer::start([Script::honest(&broken(&whole))]).await;
    let save = |words: &[&str]| {
        Program::new(["save", "--endpoints", &peer.endpoint()])
            .args(words)
            .dir(dir.path())
            .bucket(&bucket)
    };
    let outcome = save(&["--name", "n"]).run().await;
    let kept = quarantine(dir.path()).join("n");
    let words = [
        "save n: the database is broken: page ",
        &format!("it was moved to {}", kept.display()),
        "hint: etcd sent it so: look at this member's disk",
    ];
    outcome.fails(Kind::Corrupt, &words);
    assert_eq!(names(dir.path()).len(), 0);
    assert!(bucket.names().is_empty());
    assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o600);
    let manifest = fs::read(quarantine(dir.path()).join("n.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["verification"]["result"], "corrupt");
    let finding = manifest["verification"]["findings"][0].as_str().unwrap();
    assert!(outcome.err.contains(finding), "{finding}");

    // It is listed, its name is free, and it can be deleted.
    let list = || Program::new(["list"]).dir(dir.path());
    let text = list().run().await.ok();
    assert!(text.contains("quarantined  local"), "{text}");
    let listed = list().args(["-o", "json"]).run().await.json();
    assert_eq!(listed["snapshots"][0]["standing"], "quarantined");
    assert_eq!(listed["snapshots"][0]["stores"][0], "local");
    let by_digest = save(&["--name", "n", "--verify", "digest", "-o", "json"]);
    let saved = by_digest.run().await.json();
    assert_eq!(saved["snapshot"]["verification"]["method"], "digest");
    let delete = Program::new(["delete", "n"])
        .dir(dir.path())
        .run()
        .await
        .ok();
    assert!(delete.contains("quarantine"), "{delete}");
    assert!(names(&quarantine(dir.path())).is_empty());
}

#[tokio::test]
async fn a_broken_database_under_a_right_digest_ends_in_quarantine_and_is_saved_again() {
    let whole = database().await;
    let (dir, bucket) = (directory(), Bucket::up().await);
    let scripts = [Script::honest(&broken(&whole)), Script::honest(&whole)];
    let peer = EtcdPeer::start(scripts).await;
    let mut daemon = Program::new(["run", "--endpoints", &peer.endpoint(), "--creation", "1h"])
        .dir(dir.path())
        .bucket(&bucket)
        .start();
    let quarantined = daemon.line("Quarantined snapshot").await;
    assert!(quarantined.contains(" level=error "), "{quarantined}");
    assert!(
        field(&quarantined, "finding").starts_with("page "),
        "{quarantined}"
    );
    let path = field(&quarantined, "path").to_owned();
    assert!(Path::new(&path).exists(), "{path}");
    let failed = daemon.line("Backup failed").await;
    assert_eq!(field(&failed, "kind"), "corrupt");
    assert_eq!(field(&failed, "retry_in"), "1s");

    let verified = daemon.line("Verified snapshot").await;
    let uploaded = daemon.line("Uploaded backup").await;
    let name = field(&verified, "name").to_owned();
    assert_eq!(field(&uploaded, "name"), name);
    for key in ["keys", "revision", "hash"] {
        assert!(
            field(&verified, key).parse::<u64>().unwrap() > 0,
            "{verified}"
        );
    }
    assert!(field(&verified, "runtime").ends_with('s'));
    daemon.stop().await;
    assert_eq!(snapshots(dir.path()), [&*name]);
    assert_nothing_half_made(dir.path());
    // The broken one never reached the bucket; the other came with its verdict.
    let manifest = format!("{name}.manifest.json");
    assert_eq!(Vec::from_iter(bucket.names()), [name, manifest.clone()]);
    let manifest: Value =
        serde_json::from_slice(&fs::read(bucket.object(&manifest)).unwrap()).unwrap();
    assert_eq!(manifest["verification"]["method"], "deep");
    assert_eq!(manifest["verification"]["result"], "held");
}

#[tokio::test]
async fn after_a_restart_it_is_not_ready_either_until_one_holds() {
    let whole = database().await;
    let dir = directory();
    let run = |peer: &EtcdPeer| {
        Program::new(["run", "--endpoints", &peer.endpoint(), "--creation", "1h"])
            .args(["--http", "127.0.0.1:0"])
            .dir(dir.path())
            .start()
    };
    // Another is refused.
    let sick = EtcdPeer::start([Script::honest(&broken(&whole))]).await;
    let mut daemon = run(&sick);
    let web = address(&mut daemon).await;
    let quarantined = daemon.line("Quarantined snapshot").await;
    let name = field(&quarantined, "name");
    let expected = format!("no backup was ever taken\n{name} is broken: page ");
    let told = at(web, "GET", "/readyz").await;
    assert!(told.body.starts_with(&expected), "{}", told.body);
    daemon.stop().await;

    let mut daemon = run(&sick);
    let web = address(&mut daemon).await;
    daemon.line("Backup failed").await;
    assert_eq!(at(web, "GET", "/readyz").await.body, told.body);
    daemon.stop().await;

    let well = EtcdPeer::start([Script::honest(&whole)]).await;
    let mut daemon = run(&well);
    let web = address(&mut daemon).await;
    daemon.line("Verified snapshot").await;
    assert_eq!(at(web, "GET", "/readyz").await.body, "ok\n");
    daemon.stop().await;
}

#[tokio::test]
async fn what_was_saved_by_digest_alone_is_examined_when_deep_is_asked_for() {
    let whole = database().await;
    let dir = directory();
    let peer = EtcdPeer::start([Script::honest(&broken(&whole)), Script::honest(&whole)]).await;
    let run = |depth: &str| {
        let endpoint = peer.endpoint();
        Program::new([
            "run",
            "--creation",
            "1h",
            "--verify",
            depth,
            "--endpoints",
            &endpoint,
        ])
        .dir(dir.path())
        .start()
    };
    let mut daemon = run("digest");
    let created = daemon.line("Created backup").await;
    let end = daemon.stop().await;
    assert_eq!(end.count("Verified snapshot"), 0);
    let mut daemon = run("deep");
    let quarantined = daemon.line("Quarantined snapshot").await;
    assert_eq!(field(&quarantined, "name"), field(&created, "name"));
    // It was the newest: another is taken at once.
    daemon.line("Created backup").await;
    daemon.line("Verified snapshot").await;
    assert_eq!(daemon.stop().await.count("Backup failed"), 0);
}
