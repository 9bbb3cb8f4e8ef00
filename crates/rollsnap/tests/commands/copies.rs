//! upload and download: one snapshot to the other store, proved on the way.

use std::fs;
use std::os::unix::fs::FileExt;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use tempfile::TempDir;

use crate::program::{Outcome, Program};
use crate::world::{Bucket, assert_nothing_half_made, assert_nothing_written, snapshots};

struct World {
    dir: TempDir,
    bucket: Bucket,
}

impl World {
    /// A snapshot `n` here and, after an upload, there.
    async fn new() -> Self {
        let etcd = EtcdReal::builder().start().await;
        let dir = tempfile::tempdir().unwrap();
        Program::new(["save", "--name", "n"])
            .etcd(&etcd)
            .dir(dir.path())
            .run()
            .await
            .ok();
        let world = Self {
            dir,
            bucket: Bucket::up().await,
        };
        let said = world.run("upload", "n").await.ok();
        assert_eq!(said, "copied n to s3://snapshots/cluster-a\n");
        world
    }

    async fn run(&self, verb: &str, name: &str) -> Outcome {
        Program::new([verb, name])
            .dir(self.dir.path())
            .bucket(&self.bucket)
            .run()
            .await
    }

    /// Downloads into an empty directory, which a failure must leave so.
    async fn download_anew(&self) -> Outcome {
        let anew = tempfile::tempdir().unwrap();
        let download = Program::new(["download", "n"])
            .dir(anew.path())
            .bucket(&self.bucket);
        let outcome = download.run().await;
        if outcome.code == Some(0) {
            for name in ["n", "n.keys.index"] {
                assert_eq!(
                    fs::read(anew.path().join(name)).unwrap(),
                    fs::read(self.dir.path().join(name)).unwrap()
                );
            }
            assert_nothing_half_made(anew.path());
        } else {
            assert_nothing_written(anew.path());
        }
        outcome
    }
}

#[tokio::test]
async fn a_copy_goes_there_and_back_and_is_not_made_twice() {
    let world = World::new().await;
    let names = world.bucket.names();
    assert!(
        names.contains("n") && names.contains("n.manifest.json"),
        "{names:?}"
    );
    assert_eq!(
        world.run("upload", "n").await.ok(),
        "n is in s3://snapshots/cluster-a already\n"
    );
    assert!(
        world
            .download_anew()
            .await
            .ok()
            .starts_with("copied n to /")
    );
    assert!(
        world
            .run("download", "n")
            .await
            .ok()
            .ends_with(" already\n")
    );
}

#[tokio::test]
async fn a_flipped_bit_in_the_bucket_is_refused_and_nothing_is_left() {
    let world = World::new().await;
    let object = fs::File::options()
        .write(true)
        .open(world.bucket.object("n"))
        .unwrap();
    object.write_all_at(b"X", 4096).unwrap();
    world.download_anew().await.fails(
        Kind::Corrupt,
        &[
            "s3://snapshots/cluster-a/n",
            "digest is ",
            "its manifest tells of ",
            "hint: it changed after it was proved",
        ],
    );
}

#[tokio::test]
async fn a_cut_object_in_the_bucket_is_refused_and_nothing_is_left() {
    let world = World::new().await;
    let object = fs::File::options()
        .write(true)
        .open(world.bucket.object("n"))
        .unwrap();
    object.set_len(4096).unwrap();
    world.download_anew().await.fails(
        Kind::Corrupt,
        &["download n: s3://snapshots/cluster-a/n is not proved: it has 4096 bytes, its manifest tells of ", "hint: "],
    );
}

#[tokio::test]
async fn a_file_that_changed_here_is_not_uploaded() {
    let world = World::new().await;
    world.run("delete", "n").await.ok();
    assert_eq!(world.bucket.names().len(), 0);
    let world = World::new().await;
    let delete = Program::new(["delete", "n", "--from", "remote"]);
    delete
        .dir(world.dir.path())
        .bucket(&world.bucket)
        .run()
        .await
        .ok();
    let file = fs::File::options()
        .write(true)
        .open(world.dir.path().join("n"))
        .unwrap();
    file.write_all_at(b"X", 4096).unwrap();
    world.run("upload", "n").await.fails(
        Kind::Corrupt,
        &["/n: digest is ", "hint: it changed after it was proved"],
    );
    assert_eq!(world.bucket.names().len(), 0);
    assert_eq!(snapshots(world.dir.path()), ["n"]);
}

#[tokio::test]
async fn another_snapshot_of_the_same_name_is_never_replaced() {
    let world = World::new().await;
    let other = World::new().await;
    let kept = fs::read(world.bucket.object("n")).unwrap();
    let upload = Program::new(["upload", "n"])
        .dir(other.dir.path())
        .bucket(&world.bucket);
    upload.run().await.fails(Kind::Config, &["n", "hint: "]);
    assert_eq!(fs::read(world.bucket.object("n")).unwrap(), kept);
    let download = Program::new(["download", "n"])
        .dir(world.dir.path())
        .bucket(&other.bucket);
    download.run().await.fails(Kind::Config, &["n", "hint: "]);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_copied() {
    let world = World::new().await;
    for verb in ["upload", "download"] {
        let missing = world.run(verb, "nonesuch").await;
        missing.fails(
            Kind::Usage,
            &[
                verb,
                " nonesuch: there is no such snapshot in ",
                "hint: rollsnap list",
            ],
        );
        let nowhere = Program::new([verb, "n"]).dir(world.dir.path()).run().await;
        nowhere.fails(
            Kind::Config,
            &["no bucket is configured", "hint: give --bucket-name"],
        );
    }
}

#[tokio::test]
async fn a_copy_here_that_is_broken_is_told_apart_and_downloaded_anew() {
    let world = World::new().await;
    let path = world.dir.path().join("n");
    let whole = fs::read(&path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"dear", 5000).unwrap();
    let verify = Program::new(["verify", "--all"]).dir(world.dir.path());
    assert_eq!(verify.run().await.code, Some(4));
    let list = Program::new(["list", "-o", "json"]);
    let list = list.dir(world.dir.path()).bucket(&world.bucket);
    let rows = list.run().await.json();
    let standings: Vec<_> = rows["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["standing"].as_str().unwrap(),
                row["stores"][0].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(standings, [("corrupt", "local"), ("proved", "remote")]);
    let told = world.run("upload", "n").await;
    told.fails(Kind::Corrupt, &["its database is broken", "another copy"]);
    let said = world.run("download", "n").await.ok();
    assert!(
        said.contains("in the place of a copy that was broken"),
        "{said}"
    );
    assert_eq!(fs::read(&path).unwrap(), whole);
}
