//! `restore`: what was saved comes up again, on a bare machine too.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion, Seat};
use serde_json::Value;
use tempfile::TempDir;

use crate::json::assert_documented;
use crate::program::Program;
use crate::world::{Bucket, etcd_and_dir, names};

/// Runs the program at once: members are restored while nothing else goes on.
fn now(words: &[&str], variables: &[(String, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollsnap"));
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.env_clear().envs(variables).args(words);
    command.output().unwrap()
}

#[track_caller]
fn must(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// A member that goes on with `snapshot`.
async fn restored(
    version: EtcdVersion,
    words: &[&str],
    variables: &[(String, String)],
) -> EtcdReal {
    let make = |seats: &[Seat]| {
        let Seat {
            name,
            peer_url,
            data_dir,
        } = &seats[0];
        let mut all = vec!["restore"];
        all.extend(words);
        all.extend(["--name", name, "--initial-advertise-peer-urls", peer_url]);
        all.extend(["--data-dir", data_dir.to_str().unwrap()]);
        must(&now(&all, variables));
    };
    let mut members = EtcdReal::builder().version(version).start_on(1, make).await;
    members.remove(0)
}

async fn saved(etcd: &EtcdReal, dir: &Path, name: &str) -> Value {
    let save = Program::new(["save", "--name", name, "-o", "json"]);
    save.etcd(etcd).dir(dir).run().await.json()
}

fn dir_is(dir: &Path) -> Vec<(String, String)> {
    vec![("ROLLSNAP_DIR".to_owned(), dir.to_str().unwrap().to_owned())]
}

#[tokio::test]
async fn a_cluster_comes_back_as_it_was_saved_on_either_version() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let dir = tempfile::tempdir().unwrap();
        let etcd = EtcdReal::builder().version(version).start().await;
        etcd.fill(3 << 20).await;
        etcd.put("a", "first").await;
        etcd.put("a", "second").await;
        let saved = saved(&etcd, dir.path(), "kept").await;
        let revision = saved["snapshot"]["revision"].as_i64().unwrap();
        let hash = etcd.client().await.hash_kv(revision).await.unwrap().hash();
        etcd.put("a", "lost").await;
        drop(etcd);

        let words = ["latest-proved", "--bump-revision", "0"];
        let etcd = restored(version, &words, &dir_is(dir.path())).await;
        let mut client = etcd.client().await;
        assert_eq!(client.hash_kv(revision).await.unwrap().hash(), hash);
        let now = client.get("a", None).await.unwrap();
        assert_eq!(now.kvs()[0].value(), b"second");
        assert_eq!(now.header().unwrap().revision(), revision);
    }
}

#[tokio::test]
async fn no_client_sees_the_revision_go_back() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.put("a", "first").await;
    saved(&etcd, dir.path(), "old").await;
    for _ in 0..50 {
        etcd.put("a", "later").await;
    }
    let highest = saved(&etcd, dir.path(), "new").await["snapshot"]["revision"].as_i64();
    drop(etcd);
    let etcd = restored(EtcdVersion::V3_5, &["old"], &dir_is(dir.path())).await;
    let answer = etcd.client().await.get("a", None).await.unwrap();
    assert_eq!(answer.kvs()[0].value(), b"first");
    assert!(answer.header().unwrap().revision() > highest.unwrap() + 1000);
}

#[tokio::test]
async fn a_bare_machine_restores_the_newest_from_the_bucket_and_nothing_else() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    for (name, value) in [("one", "1"), ("two", "2")] {
        etcd.put("a", value).await;
        let save = Program::new(["save", "--name", name, "--compression", "zstd"]);
        save.etcd(&etcd)
            .dir(dir.path())
            .bucket(&bucket)
            .run()
            .await
            .ok();
    }
    drop((etcd, dir));

    let (bare, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data_dir = bare.path().join("etcd");
    let restore = |words: &[&str]| {
        Program::new(["restore", "--from-s3", "-o", "json"])
            .args(words)
            .arg_path("--data-dir", &data_dir)
            .dir(&bare.path().join("never"))
            .env("ROLLSNAP_SCRATCH", scratch.path())
            .bucket(&bucket)
    };
    let plan = restore(&["latest", "--plan"]).run().await.json();
    assert_eq!(plan["plan"]["snapshot"]["name"], "two");
    assert_eq!(names(bare.path()).len(), 0);
    let plan = restore(&["one", "--plan"]).run().await.json();
    assert_eq!(plan["plan"]["snapshot"]["name"], "one");
    let plan = restore(&["--at", "2020-01-01T00:00Z", "--plan"])
        .run()
        .await;
    plan.fails(Kind::Usage, &["no such snapshot", "s3://"]);
    let plan = restore(&["--at", "2120-01-01T00:00Z", "--plan"])
        .run()
        .await
        .json();
    assert_eq!(plan["plan"]["snapshot"]["name"], "two");

    let done = restore(&["latest-proved"]).run().await.json();
    assert_eq!(done["plan"]["snapshot"]["name"], "two");
    assert_eq!(names(bare.path()), ["etcd".to_owned()].into());
    assert!(data_dir.join("member/wal").exists());
}

/// What the plan says to run on each member makes one cluster.
#[tokio::test]
async fn the_commands_of_the_plan_make_a_cluster_of_three() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.put("a", "first").await;
    saved(&etcd, dir.path(), "kept").await;
    drop(etcd);
    let variables = dir_is(dir.path());
    let make = |seats: &[Seat]| {
        let pairs: Vec<_> = seats
            .iter()
            .map(|seat| format!("{}={}", seat.name, seat.peer_url))
            .collect();
        let all = pairs.join(",");
        let data_dir = seats[0].data_dir.to_str().unwrap();
        let words = [
            "restore",
            "kept",
            "--name",
            &seats[0].name,
            "--data-dir",
            data_dir,
        ];
        let words = [&words[..], &["--initial-cluster", &all]].concat();
        let alone = now(&words, &variables);
        assert_eq!(
            alone.status.code(),
            Some(2),
            "each would be a cluster of its own"
        );
        let plan = now(
            &[&words[..], &["--plan", "-o", "json"]].concat(),
            &variables,
        );
        must(&plan);
        let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
        let commands = plan["plan"]["commands"].as_array().unwrap();
        assert_eq!(commands.len(), 3);
        for (seat, command) in seats.iter().zip(commands) {
            let command = command.as_str().unwrap();
            let command = command.replace(data_dir, seat.data_dir.to_str().unwrap());
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            must(&now(&words, &variables));
        }
    };
    let members = EtcdReal::builder().start_on(3, make).await;
    for member in &members {
        let mut client = member.client().await;
        assert_eq!(client.member_list().await.unwrap().members().len(), 3);
        let answer = client.get("a", None).await.unwrap();
        assert_eq!(answer.kvs()[0].value(), b"first");
    }
}

#[tokio::test]
async fn a_running_member_is_not_touched() {
    let (etcd, dir) = etcd_and_dir().await;
    saved(&etcd, dir.path(), "kept").await;
    let restore = || {
        Program::new(["restore", "kept"])
            .arg_path("--data-dir", &etcd.data_dir())
            .dir(dir.path())
    };
    let told = restore().run().await;
    told.fails_with_result(Kind::Denied, &["an etcd runs on it", "stop etcd first"]);
    let told = restore().args(["--plan", "-o", "json"]).run().await;
    assert_eq!(told.code, Some(8));
    let plan: Value = serde_json::from_str(&told.out).unwrap();
    assert!(
        plan["plan"]["blocker"]
            .as_str()
            .unwrap()
            .contains("runs on it")
    );
    etcd.put("a", "still here").await;
}

#[tokio::test]
async fn the_old_directory_is_kept_and_comes_back() {
    let (mut etcd, dir) = etcd_and_dir().await;
    etcd.put("a", "first").await;
    saved(&etcd, dir.path(), "kept").await;
    etcd.put("a", "second").await;
    etcd.stop().await;
    let (data_dir, parent) = (etcd.data_dir(), etcd.data_dir());
    let parent = parent.parent().unwrap();
    let run = |words: &[&str]| {
        let program = Program::new(words).arg_path("--data-dir", &data_dir);
        program.args(["-o", "json"]).dir(dir.path())
    };
    let done = run(&["restore", "kept"]).run().await.json();
    let kept = done["restored"]["kept"].as_str().unwrap();
    assert!(Path::new(kept).join("member/snap/db").exists());
    let back = run(&["restore", "--rollback"]).run().await.json();
    assert_eq!(back["from"], kept);
    assert!(
        names(parent)
            .iter()
            .filter(|name| name.contains("before"))
            .count()
            == 1
    );
    etcd.restart().await;
    let answer = etcd.client().await.get("a", None).await.unwrap();
    assert_eq!(answer.kvs()[0].value(), b"second");
}

/// RKE's zips, a copy of a database without a digest, and what is no snapshot.
#[tokio::test]
async fn what_the_old_program_wrote_is_restored_and_what_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = |name: &str| dir.path().join(name).join("etcd");
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapfile/testdata");
    let restore = |file: &Path, name: &str| {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        Program::new(["restore"])
            .args([file])
            .arg_path("--data-dir", &data_dir(name))
            .dir(&dir.path().join("none"))
            .env("ROLLSNAP_SCRATCH", dir.path())
    };
    restore(&goldens.join("3.4.23.db.gz"), "gz")
        .run()
        .await
        .ok();
    let zips = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/testdata/rke");
    for release in ["44", "56", "62", "83", "111"] {
        let zip = zips.join(format!("v0.1.{release}.mysnapshot.zip"));
        restore(&zip, release).run().await.ok();
        assert!(data_dir(release).join("member/snap/db").exists());
    }
    let copied = goldens.join("made/3.5.1.copied.db.gz");
    let told = restore(&copied, "copied").run().await;
    told.fails(Kind::Corrupt, &["no digest", "--skip-hash-check"]);
    let skipped = restore(&copied, "copied")
        .args(["--skip-hash-check"])
        .run()
        .await
        .ok();
    assert!(skipped.contains("NOTHING says"), "{skipped}");
    let letter = dir.path().join("letter");
    fs::write(&letter, vec![b'x'; 20_000]).unwrap();
    restore(&letter, "letter-dir")
        .run()
        .await
        .fails(Kind::Corrupt, &["restore", "letter"]);
    assert_eq!(names(&dir.path().join("letter-dir")).len(), 0);
}

#[tokio::test]
async fn faults_of_the_words_are_told_at_once() {
    let dir: TempDir = tempfile::tempdir().unwrap();
    let restore = |words: &[&str]| {
        let program = Program::new(["restore", "--data-dir", "/nowhere/etcd"]);
        program.args(words).dir(dir.path()).run()
    };
    let members = ["latest", "--initial-cluster", "m1=ftp://h:1,m2=http://h"];
    for (name, told) in [
        ("m9", ["m9", "only m1, m2"]),
        ("m1", ["ftp://h:1", "give the port"]),
    ] {
        let words = [&members[..], &["--name", name]].concat();
        restore(&words).await.fails(Kind::Usage, &told);
    }
    let told = restore(&["--at", "noon"]).await;
    told.fails(Kind::Usage, &["--at noon", "2026-05-01T12:00Z"]);
}

#[tokio::test]
async fn what_is_told_of_a_restore_is_documented() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut client = etcd.client().await;
    client.lease_grant(3600, None).await.unwrap();
    etcd.put("a", "first").await;
    saved(&etcd, dir.path(), "kept").await;
    let new = dir.path().join("new");
    let restore = |words: &[&str], data_dir: &Path| {
        let program = Program::new(["restore"]).args(words).args(["-o", "json"]);
        program.arg_path("--data-dir", data_dir).dir(dir.path())
    };
    etcd.put("/registry/pods/a/b", "later").await;
    let drill = Program::new(["drill", "kept"]).dir(dir.path());
    drill.run().await.ok();
    let stopped = restore(&["kept", "--plan"], &etcd.data_dir()).run().await;
    let log = dir.path().join("log/wal");
    let documents = [
        serde_json::from_str(&stopped.out).unwrap(),
        restore(&["kept"], &new).etcd(&etcd).run().await.json(),
        restore(&["kept"], &new)
            .arg_path("--wal-dir", &log)
            .run()
            .await
            .json(),
    ];
    assert_documented("restore", &documents);
    let back = restore(&["--rollback"], &new).run().await.json();
    assert_documented("restore --rollback", &[back]);
}

#[tokio::test]
async fn a_directory_may_be_given_from_where_one_stands() {
    let (etcd, dir) = etcd_and_dir().await;
    saved(&etcd, dir.path(), "kept").await;
    let done = Command::new(env!("CARGO_BIN_EXE_rollsnap"))
        .current_dir(dir.path())
        .args(["restore", "kept", "--data-dir", "new", "--dir", "."])
        .output()
        .unwrap();
    must(&done);
    assert!(dir.path().join("new/member/snap/db").exists());
}

#[tokio::test]
async fn what_is_restored_is_what_was_planned() {
    let (etcd, dir) = etcd_and_dir().await;
    saved(&etcd, dir.path(), "kept").await;
    let restore = |words: &[&str]| {
        let program = Program::new(["restore", "kept"]).args(words);
        let program = program.arg_path("--data-dir", &dir.path().join("new"));
        program.dir(dir.path()).run()
    };
    let other = "00".repeat(32);
    let told = restore(&["--digest", &other]).await;
    told.fails(Kind::Corrupt, &["its digest is", "of the plan"]);
    for bump in ["18446744073709551615", "many"] {
        let told = restore(&["--bump-revision", bump]).await;
        told.fails(Kind::Usage, &["--bump-revision", bump]);
    }
    for word in ["latest", "latest-proved"] {
        let save = Program::new(["save", "--name", word]).etcd(&etcd);
        let told = save.dir(dir.path()).run().await;
        told.fails(Kind::Usage, &[word, "choose another name"]);
    }
    assert!(!dir.path().join("new").exists());
}

/// The newest may be where nobody could look.
#[tokio::test]
async fn the_newest_is_not_chosen_while_the_bucket_is_silent() {
    let (etcd, dir) = etcd_and_dir().await;
    saved(&etcd, dir.path(), "kept").await;
    let bucket = Bucket::down().await;
    let restore = |words: &[&str]| {
        let program = Program::new(["restore", "--plan", "-o", "json"]).args(words);
        let program = program.arg_path("--data-dir", &dir.path().join("new"));
        program.dir(dir.path()).bucket(&bucket)
    };
    let told = restore(&["latest"]).run().await;
    told.fails(Kind::Store, &["name the snapshot", "--s3=false"]);
    let plan = restore(&["kept"]).run().await.json();
    assert_eq!(plan["plan"]["notes"][0]["about"], "unseen");
    let plan = restore(&["latest", "--s3=false"]).run().await.json();
    assert_eq!(plan["plan"]["snapshot"]["name"], "kept");
}
