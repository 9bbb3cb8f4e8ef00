//! save, list, prune, delete, and the verbs that need nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdReal;
use tempfile::TempDir;

use crate::program::Program;
use crate::world::{Bucket, assert_nothing_half_made, etcd_and_dir, names, snapshots};

async fn save(etcd: &EtcdReal, dir: &TempDir, words: &[&str]) -> String {
    let save = Program::new(["save"])
        .args(words)
        .etcd(etcd)
        .dir(dir.path());
    save.run().await.ok()
}

async fn list(dir: &TempDir) -> String {
    Program::new(["list"]).dir(dir.path()).run().await.ok()
}

#[tokio::test]
async fn a_save_says_where_how_big_and_how_far_it_is() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.put("a", "b").await;
    let said = save(&etcd, &dir, &["--name", "before-upgrade"]).await;
    let path = dir.path().join("before-upgrade");
    let start = format!("{}  ", path.display());
    assert!(
        said.starts_with(&start) && said.contains(" KiB, revision 2, proved in "),
        "{said}"
    );
    assert_eq!(snapshots(dir.path()), ["before-upgrade"]);
    assert_nothing_half_made(dir.path());

    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn a_save_without_a_name_is_called_as_rke_calls_it() {
    let (etcd, dir) = etcd_and_dir().await;
    save(&etcd, &dir, &[]).await;
    save(&etcd, &dir, &["--safe-timestamp", "--name", "x"]).await;
    save(&etcd, &dir, &["--safe-timestamp"]).await;
    let all = snapshots(dir.path());
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(
        all.iter()
            .filter(|name| name.starts_with("rke_etcd_snapshot_20"))
            .count()
            == 2
    );
    assert!(
        all.iter()
            .any(|name| name.len() > 30 && !name.contains(':')),
        "{all:?}"
    );
    assert_eq!(list(&dir).await.matches(" deep ").count(), 3);
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_the_snapshot_stays() {
    let (etcd, dir) = etcd_and_dir().await;
    save(&etcd, &dir, &["--name", "n"]).await;
    let before = fs::read(dir.path().join("n")).unwrap();
    etcd.put("more", "data").await;
    for codec in ["none", "zstd", "zip"] {
        let again = Program::new(["save", "--name", "n", "--compression", codec]);
        let again = again.etcd(&etcd).dir(dir.path()).run().await;
        again.fails(
            Kind::Usage,
            &[
                "save n: a snapshot of this name is already there",
                "hint: choose another name",
            ],
        );
    }
    assert_eq!(fs::read(dir.path().join("n")).unwrap(), before);
    let all = ["n", "n.keys.index", "n.manifest.json"].map(str::to_owned);
    assert_eq!(names(dir.path()), all.into());
}

#[tokio::test]
async fn the_list_shows_both_places_in_one_table_and_tells_what_is_not_proved() {
    let (etcd, dir) = etcd_and_dir().await;
    let bucket = Bucket::up().await;
    save(&etcd, &dir, &["--name", "here"]).await;
    save(&etcd, &dir, &["--name", "gone"]).await;
    let save = Program::new(["save", "--name", "both"])
        .etcd(&etcd)
        .dir(dir.path());
    save.bucket(&bucket).run().await.ok();
    let upload = Program::new(["upload", "gone"])
        .dir(dir.path())
        .bucket(&bucket);
    upload.run().await.ok();
    let delete = Program::new(["delete", "gone", "--from", "local"]);
    delete.dir(dir.path()).bucket(&bucket).run().await.ok();
    fs::write(
        dir.path().join("2018-05-04T18:40:16Z_etcd"),
        "of the old program",
    )
    .unwrap();

    let list = || Program::new(["list"]).dir(dir.path()).bucket(&bucket);
    let table = list().run().await.ok();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["NAME", "AGE", "SIZE", "REVISION", "PROVED", "WHERE"]
    );
    let row = |name: &str| rows.iter().find(|row| row[0] == name).unwrap();
    let ends = |name: &str| row(name)[row(name).len() - 2..].to_vec();
    assert_eq!(ends("here"), ["deep", "local"]);
    assert_eq!(ends("both"), ["deep", "local+remote"]);
    assert_eq!(ends("gone"), ["deep", "remote"]);
    assert_eq!(ends("2018-05-04T18:40:16Z_etcd"), ["foreign", "local"]);

    let json = list().args(["-o", "json"]).run().await.json();
    let rows = json["snapshots"].as_array().unwrap();
    let both = rows.iter().find(|row| row["name"] == "both").unwrap();
    assert_eq!(both["stores"], serde_json::json!(["local", "remote"]));
    assert_eq!(both["standing"], "proved");
    assert_eq!(both["class"], "one-off");
}

#[tokio::test]
async fn prune_shows_its_plan_and_then_carries_it_out() {
    let (etcd, dir) = etcd_and_dir().await;
    let mut daemon = Program::new(["run", "--creation", "1s"])
        .etcd(&etcd)
        .dir(dir.path())
        .start();
    daemon.lines(3, "Verified snapshot").await;
    daemon.stop().await;
    save(&etcd, &dir, &["--name", "kept"]).await;
    let before = names(dir.path());

    let prune = || Program::new(["prune", "--retention", "1"]).dir(dir.path());
    let plan = prune().args(["--dry-run"]).run().await.ok();
    assert_eq!(names(dir.path()), before, "a dry run deletes nothing");
    let done = prune().run().await.ok();
    assert_eq!(plan, done, "what is done is what was shown");
    assert!(plan.contains("  delete  number 2, 1 are kept"), "{plan}");
    assert!(
        plan.contains("  keep    one-off, kept until deleted by hand"),
        "{plan}"
    );
    assert_eq!(snapshots(dir.path()).len(), 2);
    assert!(snapshots(dir.path()).contains(&"kept".to_owned()));

    let empty = tempfile::tempdir().unwrap();
    let nothing = Program::new(["prune"]).dir(empty.path()).run().await;
    nothing.fails(
        Kind::Config,
        &["no proved snapshot", "hint: take a snapshot first"],
    );
}

#[tokio::test]
async fn delete_takes_one_snapshot_what_lies_beside_it_and_nothing_whose_name_begins_so() {
    let (etcd, dir) = etcd_and_dir().await;
    for name in ["n", "n1"] {
        save(&etcd, &dir, &["--name", name]).await;
    }
    let delete = |name: &str| Program::new(["delete", name]).dir(dir.path()).run();
    let said = delete("n").await.ok();
    assert_eq!(said, format!("deleted n from {}\n", dir.path().display()));
    let left = ["n1", "n1.keys.index", "n1.manifest.json"].map(str::to_owned);
    assert_eq!(names(dir.path()), left.into());
    let again = delete("n").await;
    again.fails(
        Kind::Usage,
        &[
            "delete n: there is no such snapshot in ",
            "hint: rollsnap list",
        ],
    );
    let path = delete("../n1").await;
    path.fails(Kind::Usage, &["holds a slash"]);
    let nowhere = Program::new(["delete", "n1", "--from", "remote"])
        .dir(dir.path())
        .run()
        .await;
    nowhere.fails(Kind::Config, &["no bucket is configured", "--bucket-name"]);
}

#[tokio::test]
async fn a_script_completes_the_verbs_in_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Program::new(["completion", shell]).run().await.ok();
        assert!(
            script.contains("rollsnap") && script.contains("download"),
            "{shell}"
        );
    }
    let wrong = Program::new(["completion", "dos"]).run().await;
    wrong.fails(Kind::Usage, &["bash", "zsh", "fish"]);
}

#[tokio::test]
async fn version_and_help_need_nothing() {
    let version = Program::new(["version"]).run().await.ok();
    assert_eq!(version, format!("rollsnap {}\n", env!("CARGO_PKG_VERSION")));
    assert!(Program::new(["--help"]).run().await.ok().contains("prune"));
    Program::new(["backup"])
        .run()
        .await
        .fails(Kind::Usage, &["unrecognized subcommand 'backup'"]);
    Program::new(["save", "--retention", "1"])
        .run()
        .await
        .fails(Kind::Usage, &["--retention"]);
}

#[tokio::test]
async fn config_show_tells_who_said_what() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("cluster.yml");
    fs::write(
        &file,
        "services:\n  etcd:\n    backup_config:\n      interval_hours: 3\n      retention: 9\n",
    )
    .unwrap();
    let shown = Program::new(["config", "show", "--retention", "4", "--config"])
        .args([&file])
        .env("ETCDCTL_ENDPOINTS", "https://10.0.0.1:2379")
        .run()
        .await
        .ok();
    let line = |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(
        line("interval-hours ").contains(" 3h0m0s ")
            && line("interval-hours ").ends_with("cluster.yml line 4"),
        "{shown}"
    );
    assert!(line("retention ").ends_with("flag --retention"), "{shown}");
    assert!(line("endpoints ").contains("ETCDCTL_ENDPOINTS"), "{shown}");
    assert!(line("dir ").ends_with("default"), "{shown}");
    let check = Program::new(["config", "check", "--config"])
        .args([&file])
        .run()
        .await;
    assert_eq!(check.ok(), "the configuration is right\n");
}
