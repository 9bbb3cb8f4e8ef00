//! What somebody meets who has only begun: a directory that is not there yet, a bucket that fails
//! or is none, a name that is taken.

use std::fs;

use rollsnap_engine::Kind;
use rollsnap_testkit::mount::Mount;
use serde_json::Value;

use crate::program::Program;
use crate::world::{Bucket, etcd_and_dir};

#[tokio::test]
async fn a_directory_that_is_missing_is_told_of_and_not_made() {
    let (etcd, dir) = etcd_and_dir().await;
    let missing = dir.path().join("snapshots");
    for words in [&["check"][..], &["check", "--harmless"]] {
        let check = Program::new(words).etcd(&etcd).dir(&missing);
        let told = check.run().await.ok();
        assert!(told.contains("! open"), "{told}");
        assert!(told.contains("the first save or run makes it"), "{told}");
        assert!(!missing.exists());
    }
    // Where nobody could make it that is a failure, and so it is if more than it is missing.
    let read_only = Mount::read_only(dir.path());
    let check = Program::new(["check"]).etcd(&etcd);
    let told = check.dir(&read_only.path().join("snapshots")).run().await;
    assert_eq!(told.code, Some(8), "{}", told.out);
    assert!(told.out.contains("✗ open"), "{}", told.out);
    let check = Program::new(["check"]).etcd(&etcd);
    let told = check.dir(&missing.join("deeper")).run().await;
    assert!(told.out.contains("✗ open"), "{}", told.out);
}

#[tokio::test]
async fn what_is_here_is_listed_though_the_bucket_fails() {
    let (etcd, dir) = etcd_and_dir().await;
    let save = Program::new(["save", "--name", "kept"]).etcd(&etcd);
    save.dir(dir.path()).run().await.ok();
    let bucket = Bucket::down().await;
    let list = |words: &[&str]| {
        let program = Program::new(["list"]).args(words);
        program.dir(dir.path()).bucket(&bucket).run()
    };
    let told = list(&[]).await;
    told.fails_with_result(Kind::Store, &["connection refused", "hint: "]);
    assert!(told.out.contains("\nkept "), "{}", told.out);
    let told = list(&["-o", "json"]).await;
    told.fails_with_result(Kind::Store, &["connection refused"]);
    let document: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(document["snapshots"][0]["name"], "kept");
    let unseen = document["unseen"].as_str().unwrap();
    assert!(unseen.contains("connection refused"), "{unseen}");
}

#[tokio::test]
async fn a_name_that_is_taken_in_the_bucket_is_told_with_what_helps() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    let run = |words: &[&str]| {
        let program = Program::new(words).dir(dir.path());
        program.etcd(&etcd).bucket(&bucket).run()
    };
    run(&["save", "--name", "n"]).await.ok();
    run(&["delete", "n", "--from", "local"]).await.ok();
    let told = run(&["save", "--name", "n"]).await;
    told.fails_with_result(
        Kind::Config,
        &[
            "n is saved, but not copied: ",
            "hint: give each member its own folder",
        ],
    );
    assert!(!told.err.contains("does that later"), "{}", told.err);
    run(&["delete", "n", "--from", "remote"]).await.ok();
    run(&["upload", "n"]).await.ok();
    assert!(bucket.names().contains("n"));
}

#[tokio::test]
async fn a_bucket_that_wants_keys_says_so_to_who_has_none() {
    let (dir, bucket) = (tempfile::tempdir().unwrap(), Bucket::up().await);
    let list = Program::new(["list", "--anonymous", "--bucket-name", Bucket::NAME]);
    let list = list.args(["--s3-endpoint", &bucket.endpoint()]);
    let told = list.dir(dir.path()).run().await;
    told.fails_with_result(Kind::Denied, &["403", "hint: leave anonymous out"]);
    let list = Program::new(["list", "--anonymous"]).dir(dir.path());
    let told = list.run().await;
    told.fails(
        Kind::Config,
        &["--anonymous: is about a bucket", "--bucket-name"],
    );
}

#[tokio::test]
async fn who_asks_a_bucket_by_address_is_sent_to_its_list() {
    let (dir, bucket) = (tempfile::tempdir().unwrap(), Bucket::up().await);
    let get = |address: &str| {
        let get = Program::new(["get", address, "/a"]);
        get.dir(dir.path()).bucket(&bucket).run()
    };
    let other = format!("s3://{}/cluster-b/nope", Bucket::NAME);
    let list = format!(
        "rollsnap list --bucket-name {} --folder cluster-b",
        Bucket::NAME
    );
    get(&other)
        .await
        .fails(Kind::Usage, &["no such snapshot", &list]);
}

#[tokio::test]
async fn the_plan_of_prune_goes_from_the_newest_to_the_oldest() {
    let (etcd, dir) = etcd_and_dir().await;
    for name in ["b", "c", "a"] {
        let save = Program::new(["save", "--name", name]).etcd(&etcd);
        save.dir(dir.path()).run().await.ok();
    }
    fs::write(dir.path().join("stray"), "x").unwrap();
    let prune = Program::new(["prune", "--dry-run", "-o", "json"]);
    let document = prune.dir(dir.path()).run().await.json();
    let rows = document["plan"].as_array().unwrap().iter();
    let order: Vec<_> = rows.map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["a", "c", "b", "stray"]);
}
