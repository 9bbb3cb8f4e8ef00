//! `restore` beside what is there: a live cluster, an old directory, a cluster of somebody else.

use std::fs;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use serde_json::{Value, json};

use crate::program::Program;
use crate::world::{comes, etcd_and_dir, names};

async fn save(etcd: &EtcdReal, dir: &Path, name: &str) {
    let save = Program::new(["save", "--name", name]).etcd(etcd);
    save.dir(dir).run().await.ok();
}

/// A member that was saved as `kept` and lived on.
async fn lived_on() -> (EtcdReal, tempfile::TempDir) {
    let (etcd, dir) = etcd_and_dir().await;
    for name in ["a", "b", "c"] {
        etcd.put(&format!("/registry/pods/default/{name}"), "then")
            .await;
    }
    etcd.put("/registry/configmaps/default/same", "then").await;
    save(&etcd, dir.path(), "kept").await;
    etcd.put("/registry/pods/default/a", "now").await;
    etcd.put("/registry/pods/default/d", "now").await;
    etcd.put("/registry/pods/default/e", "now").await;
    let mut client = etcd.client().await;
    client
        .delete("/registry/pods/default/c", None)
        .await
        .unwrap();
    etcd.put("word", "now").await;
    (etcd, dir)
}

fn restore(dir: &Path, words: &[&str]) -> Program {
    let program = Program::new(["restore", "kept", "-o", "json"]).args(words);
    program
        .arg_path("--data-dir", &dir.join("new/etcd"))
        .dir(dir)
}

fn pods_and_others() -> Value {
    json!([
        {"resource": "pods", "there": 4, "snapshot": 3,
         "only_there": 2, "changed": 1, "only_snapshot": 1},
        {"resource": "(other)", "there": 1, "snapshot": 0,
         "only_there": 1, "changed": 0, "only_snapshot": 0},
    ])
}

#[tokio::test]
async fn a_live_member_is_compared_by_a_plan_and_saved_before_a_restore() {
    let (etcd, dir) = lived_on().await;
    let before = names(dir.path());
    let plan = restore(dir.path(), &["--plan"])
        .etcd(&etcd)
        .run()
        .await
        .json();
    let told = &plan["plan"]["beside"][0];
    assert_eq!(told["what"], "member");
    assert_eq!(told["location"], etcd.endpoint());
    let counts = json!([
        {"resource": "(other)", "there": 1, "snapshot": 0},
        {"resource": "pods", "there": 4, "snapshot": 3},
    ]);
    assert_eq!(told["resources"], counts);
    assert_eq!(names(dir.path()), before, "a plan leaves nothing");

    let done = restore(dir.path(), &[]).etcd(&etcd).run().await.json();
    let told = &done["plan"]["beside"][0];
    assert_eq!(told["resources"], pods_and_others());
    let name = told["saved_as"].as_str().unwrap();
    assert!(name.starts_with("before-restore-2"), "{name}");
    // It brings back what the restore would have cost.
    let words = [
        "restore",
        name,
        "--bump-revision",
        "0",
        "--plan",
        "-o",
        "json",
    ];
    let plan = Program::new(words)
        .arg_path("--data-dir", &dir.path().join("other"))
        .dir(dir.path())
        .run()
        .await
        .json();
    assert_eq!(plan["plan"]["snapshot"]["verification"]["result"], "held");
    assert_eq!(plan["plan"]["snapshot"]["live_keys"], 6);
}

#[tokio::test]
async fn an_old_directory_is_compared_where_nothing_is_alive() {
    let (mut etcd, dir) = lived_on().await;
    etcd.stop().await;
    let parent = dir.path().join("new");
    fs::create_dir(&parent).unwrap();
    fs::rename(etcd.data_dir(), parent.join("etcd")).unwrap();
    let plan = restore(dir.path(), &["--plan"])
        .etcd(&etcd)
        .run()
        .await
        .json();
    let told = &plan["plan"]["beside"];
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(told[0]["what"], "directory");
    assert_eq!(told[0]["resources"], pods_and_others());
    let notes = plan["plan"]["notes"].to_string();
    assert!(notes.contains("no live member is compared"), "{notes}");

    let text = Program::new(["restore", "kept"])
        .arg_path("--data-dir", &parent.join("etcd"))
        .dir(dir.path())
        .run()
        .await
        .ok();
    assert!(
        text.contains("pods: 2 are lost, 1 are again what they were, 1 come back"),
        "{text}"
    );
    // Restored once, it has another cluster id, and may be restored again.
    let again = restore(dir.path(), &[]).run().await.json();
    assert!(again["plan"]["beside"][0].get("resources").is_none());
}

#[tokio::test]
async fn a_member_that_cannot_be_saved_stops_the_restore_unless_that_is_no_matter() {
    let (mut etcd, dir) = lived_on().await;
    etcd.enable_auth("canary-password").await;
    let told = restore(dir.path(), &[]).etcd(&etcd).run().await;
    told.fails(Kind::Denied, &["could not be saved first", "--no-safety"]);
    assert!(!dir.path().join("new/etcd").exists());
    let plan = restore(dir.path(), &["--plan"])
        .etcd(&etcd)
        .run()
        .await
        .json();
    let notes = plan["plan"]["notes"].to_string();
    assert!(notes.contains("the live member is not compared"), "{notes}");
    restore(dir.path(), &["--no-safety"])
        .etcd(&etcd)
        .run()
        .await
        .ok();
}

#[tokio::test]
async fn another_cluster_is_not_replaced_by_accident() {
    let (_etcd, dir) = lived_on().await;
    let mut other = EtcdReal::builder().start().await;
    for n in 0..9 {
        other
            .put(&format!("/registry/secrets/elsewhere/{n}"), "theirs")
            .await;
    }
    // Alive it stays, and nothing of it is left here.
    let before = names(dir.path());
    let told = restore(dir.path(), &[]).etcd(&other).run().await;
    told.fails_with_result(Kind::Usage, &["nothing in common", "--other-cluster"]);
    assert_eq!(names(dir.path()), before);
    assert!(!dir.path().join("new/etcd").exists());

    other.stop().await;
    let parent = dir.path().join("new");
    fs::create_dir_all(&parent).unwrap();
    fs::rename(other.data_dir(), parent.join("etcd")).unwrap();
    let plan = restore(dir.path(), &["--plan"]).run().await;
    plan.fails_with_result(Kind::Usage, &["nothing in common", "--other-cluster"]);
    restore(dir.path(), &["--other-cluster"]).run().await.ok();
    // What lies there now came of this very snapshot.
    restore(dir.path(), &[]).run().await.ok();
    // And so did what was written over since: the directory of the snapshot's cluster is kept.
    let kept = names(&parent);
    assert_eq!(kept.len(), 3, "{kept:?}");
}

#[tokio::test]
async fn a_bump_that_stays_below_what_is_there_is_told() {
    let (etcd, dir) = lived_on().await;
    for (bump, is_below) in [("1", true), ("auto", false)] {
        let words = ["--plan", "--bump-revision", bump];
        let plan = restore(dir.path(), &words).etcd(&etcd).run().await.json();
        let there = plan["plan"]["beside"][0]["revision"].as_u64().unwrap();
        let notes = plan["plan"]["notes"].to_string();
        let told = format!("what is there is at {there} already");
        assert_eq!(notes.contains(&told), is_below, "{bump}: {notes}");
    }
}

/// Whoever stops it hears what became of it, whenever that was.
#[tokio::test]
async fn a_restore_that_is_stopped_ends_what_it_does_and_tells_how() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.fill(24 << 20).await;
    save(&etcd, dir.path(), "kept").await;
    let parent = dir.path().join("new");
    let running = restore(dir.path(), &[]).start();
    comes(&parent, |name| name.ends_with(".restoring")).await;
    let end = running.stop().await;
    let left = names(&parent);
    let told = end.log.join("\n");
    if end.code == Some(0) {
        assert_eq!(left, ["etcd".to_owned()].into(), "{told}");
    } else {
        assert_eq!(end.code, Some(Kind::Canceled.exit_code().into()), "{told}");
        assert!(told.contains("nothing was touched"), "{told}");
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn what_is_odd_about_the_new_member_is_told() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.put("a", "b").await;
    save(&etcd, dir.path(), "kept").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let words = [
        "--plan",
        "--name",
        "m9",
        "--initial-advertise-peer-urls",
        &url,
    ];
    let plan = restore(dir.path(), &words).run().await.json();
    let notes = plan["plan"]["notes"].to_string();
    for told in ["was called m9", "somebody listens"] {
        assert!(notes.contains(told), "{notes}");
    }
    let file = Program::new(["restore", "kept", "--data-dir"]);
    let file = file.args([dir.path().join("kept")]).dir(dir.path());
    file.run()
        .await
        .fails(Kind::Usage, &["give the member's data directory"]);
}
