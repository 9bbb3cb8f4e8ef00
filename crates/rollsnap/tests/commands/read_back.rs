//! Copies in the bucket, read back by hand and by the daemon.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use http::Method;
use rollsnap_engine::Kind;
use rollsnap_testkit::s3_peer::{Fault, Rule, S3Peer};
use serde_json::Value;
use tempfile::TempDir;

use crate::json::assert_documented;
use crate::program::{Outcome, Program};
use crate::running::field;
use crate::world::{Bucket, assert_nothing_written, etcd_and_dir};

struct World {
    dir: TempDir,
    peer: S3Peer,
}

impl World {
    /// Snapshots of these names on both sides.
    async fn with(names: &[&str]) -> Self {
        let (etcd, dir) = etcd_and_dir().await;
        etcd.put("a", "b").await;
        let peer = S3Peer::start(Bucket::NAME).await;
        for name in names {
            let save = Program::new(["save", "--name", name]);
            let save = save.etcd(&etcd).dir(dir.path());
            save.bucket_at(&peer.endpoint()).run().await.ok();
        }
        Self { dir, peer }
    }

    fn program(&self, words: &[&str]) -> Program {
        let program = Program::new(words).dir(self.dir.path());
        program.bucket_at(&self.peer.endpoint())
    }

    async fn run(&self, words: &[&str]) -> Outcome {
        self.program(words).run().await
    }

    async fn json(&self, words: &[&str]) -> Value {
        self.program(words).args(["-o", "json"]).run().await.json()
    }

    fn object(&self, name: &str) -> PathBuf {
        let folder = self.peer.dir().join(Bucket::NAME).join(Bucket::FOLDER);
        folder.join(name)
    }

    /// Changes one byte of a copy.
    fn break_copy(&self, name: &str) {
        let file = fs::File::options().write(true).open(self.object(name));
        file.unwrap().write_all_at(b"X", 4096).unwrap();
    }

    fn manifest(&self, name: &str) -> Value {
        let name = format!("{name}.manifest.json");
        serde_json::from_slice(&fs::read(self.object(&name)).unwrap()).unwrap()
    }

    /// The rows of `list` of that name.
    async fn listed(&self, name: &str) -> Vec<Value> {
        let rows = self.json(&["list"]).await["snapshots"].take();
        let mut rows: Vec<_> = rows.as_array().unwrap().clone();
        rows.retain(|row| row["name"] == name);
        rows
    }
}

#[tokio::test]
async fn copies_are_read_back_by_hand_and_it_is_written_down_and_listed() {
    let world = World::with(&["one", "two"]).await;
    assert!(!world.run(&["list"]).await.ok().contains("READ BACK"));
    let one = world.json(&["verify", "--remote", "one"]).await;
    let row = &one["snapshots"][0];
    assert_eq!(
        (&row["result"], &row["recorded"]),
        (&"held".into(), &true.into())
    );
    assert_eq!(row["location"], "s3://snapshots/cluster-a/one");
    let reading = world.manifest("one")["read_back"].take();
    assert_eq!(reading["result"], "held");
    assert_eq!(world.manifest("two")["read_back"], Value::Null);
    let listed = world.listed("one").await;
    assert_eq!(listed.len(), 1);
    let at = listed[0]["read_back_at"].as_str().unwrap();
    assert!(
        reading["at"].as_str().unwrap().starts_with(&at[..19]),
        "{at}"
    );

    let said = world.run(&["verify", "--remote", "--all"]).await.ok();
    assert_eq!(said, "held       one\nheld       two\n");
    let table = world.run(&["list"]).await.ok();
    assert!(
        table.contains("READ BACK") && table.contains("s ago"),
        "{table}"
    );
}

#[tokio::test]
async fn a_broken_copy_ends_with_4_counts_for_nothing_and_is_replaced_by_an_upload() {
    let world = World::with(&["n", "whole"]).await;
    world.break_copy("n");
    // Nobody has looked yet.
    assert!(world.run(&["upload", "n"]).await.ok().contains(" already"));
    let outcome = world.run(&["verify", "--remote", "--all"]).await;
    outcome.fails_with_result(
        Kind::Corrupt,
        &["1 of 2 snapshots corrupt", "hint: rollsnap upload NAME"],
    );
    assert!(
        outcome
            .out
            .starts_with("corrupt    n\n           its digest is "),
        "{}",
        outcome.out
    );
    assert_eq!(world.manifest("n")["read_back"]["result"], "corrupt");

    let rows = world.listed("n").await;
    let standings: Vec<_> = rows
        .iter()
        .map(|row| (&row["standing"], &row["stores"]))
        .collect();
    let (here, there) = (serde_json::json!(["local"]), serde_json::json!(["remote"]));
    assert_eq!(
        standings,
        [(&"proved".into(), &here), (&"corrupt".into(), &there)]
    );
    let anew = tempfile::tempdir().unwrap();
    let download = Program::new(["download", "n"]).dir(anew.path());
    let download = download.bucket_at(&world.peer.endpoint()).run().await;
    download.fails(Kind::Corrupt, &["it was read back and is broken", "hint: "]);
    assert_nothing_written(anew.path());

    let uploaded = world.json(&["upload", "n"]).await;
    assert_documented("upload", std::slice::from_ref(&uploaded));
    assert_eq!(uploaded["replaced"], true);
    assert_eq!(world.manifest("n")["read_back"], Value::Null);
    world.run(&["verify", "--remote", "n"]).await.ok();
    assert_eq!(world.listed("n").await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_compared_is_told_and_what_was_cut_is_corrupt() {
    let world = World::with(&["n"]).await;
    let none = world.run(&["verify", "--remote", "nonesuch"]).await;
    none.fails_with_result(
        Kind::Usage,
        &["there is no such snapshot in s3://", "hint: "],
    );
    fs::write(world.object("foreign"), "something").unwrap();
    let foreign = world.run(&["verify", "--remote", "foreign"]).await;
    foreign.fails_with_result(
        Kind::Usage,
        &[
            "it has no manifest",
            "hint: rollsnap verify s3://snapshots/cluster-a/foreign",
        ],
    );
    // Of all, those that have a manifest.
    world.run(&["verify", "--remote", "--all"]).await.ok();

    let file = fs::File::options().write(true).open(world.object("n"));
    file.unwrap().set_len(4096).unwrap();
    for which in ["n", "--all"] {
        let cut = world.run(&["verify", "--remote", which]).await;
        cut.fails_with_result(Kind::Corrupt, &["1 of 1 snapshots corrupt"]);
        assert!(cut.out.contains("it has 4096 bytes"), "{}", cut.out);
    }
    let nowhere = Program::new(["verify", "--remote", "n"]).dir(world.dir.path());
    nowhere
        .run()
        .await
        .fails(Kind::Config, &["no bucket is configured"]);
}

#[tokio::test]
async fn a_download_cut_at_many_places_is_whole_and_one_that_cannot_go_on_leaves_nothing() {
    let world = World::with(&["n"]).await;
    let snapshot = fs::read(world.dir.path().join("n")).unwrap();
    let on_n = |fault| Rule::on(Method::GET, fault).with_path("/cluster-a/n");
    let anew = tempfile::tempdir().unwrap();
    let download = || {
        let download = Program::new(["download", "n"]).dir(anew.path());
        download.bucket_at(&world.peer.endpoint()).run()
    };
    world.peer.script(on_n(Fault::CutBody(0)).times(999));
    download()
        .await
        .fails(Kind::Store, &["read s3://snapshots/cluster-a/n"]);
    assert_nothing_written(anew.path());

    world.peer.behave();
    for place in [
        1,
        4095,
        4096,
        snapshot.len() / 2,
        snapshot.len() - 33,
        snapshot.len() - 1,
    ] {
        // Of what is left, so that each cut comes further.
        world.peer.script(on_n(Fault::CutBody(place)));
    }
    download().await.ok();
    assert!(fs::read(anew.path().join("n")).unwrap() == snapshot);
    assert!(world.peer.struck() > 3, "it was not cut");
}

#[tokio::test]
async fn the_daemon_reads_copies_back_tells_a_broken_one_and_uploads_it_anew() {
    let (etcd, dir) = etcd_and_dir().await;
    let peer = S3Peer::start(Bucket::NAME).await;
    let world = World { dir, peer };
    let daemon = world.program(&["run", "--creation", "10h", "--verify-remote", "1s"]);
    let mut daemon = daemon.etcd(&etcd).start();
    let name = {
        let line = daemon.line("Read backup back from the bucket").await;
        assert_eq!(field(&line, "location"), "s3://snapshots/cluster-a");
        field(&line, "name").to_owned()
    };
    world.break_copy(&name);
    let told = daemon
        .line("Backup in the bucket is no longer what was uploaded")
        .await;
    assert!(
        told.contains("level=error") && told.contains(&name),
        "{told}"
    );
    assert!(
        field(&told, "finding").starts_with("its digest is "),
        "{told}"
    );
    let replaced = "Replaced a backup in the bucket that was no longer what had been uploaded";
    daemon.line(replaced).await;
    daemon.line("Uploaded backup").await;
    daemon.line("Read backup back from the bucket").await;
    daemon.stop().await;
    let (here, there) = (world.dir.path().join(&name), world.object(&name));
    assert!(fs::read(here).unwrap() == fs::read(there).unwrap());
    let said = world
        .run(&["config", "show", "--verify-remote", "7days"])
        .await;
    let said = said.ok();
    let row = said.lines().find(|line| line.starts_with("verify-remote"));
    assert!(row.is_some_and(|row| row.contains("168h0m0s")), "{said}");
}
