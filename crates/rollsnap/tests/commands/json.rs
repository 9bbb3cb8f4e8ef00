//! What `-o json` prints is what `docs/json.md` says, field by field.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_peer::{
    Answer, EtcdPeer, HashKvResponse, ListedMember, Script, healthy,
};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::Program;
use crate::world::Bucket;

/// The paths of all fields, `[]` for the elements of a list.
fn paths(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(value, &format!("{path}{dot}{key}"), found);
                }
            }
            Value::Array(elements) => {
                assert!(!elements.is_empty(), "{path}: an empty list shows nothing");
                for element in elements {
                    walk(element, &format!("{path}[]"), found);
                }
            }
            Value::Null => panic!("{path} is null"),
            _ => {
                found.insert(path.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(value, "", &mut found);
    found
}

/// The fields in the table of a verb: all, and those that are always there.
fn documented(verb: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page
        .split_once(&format!("\n## {verb}\n"))
        .unwrap_or_else(|| panic!("{verb} has no section"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let (field, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((field.to_owned(), rest.contains("*absent*")))
    });
    let rows: Vec<_> = rows.collect();
    let all = rows.iter().map(|(field, _)| field.clone()).collect();
    let always = rows.into_iter().filter(|(_, absent)| !absent);
    (all, always.map(|(field, _)| field).collect())
}

/// Every document has what is always there, and together they have everything.
#[track_caller]
pub(crate) fn assert_documented(verb: &str, documents: &[Value]) {
    let (all, always) = documented(verb);
    let mut shown = BTreeSet::new();
    for document in documents {
        let paths = paths(document);
        let missing: Vec<_> = always.difference(&paths).collect();
        assert!(missing.is_empty(), "{verb}: {missing:?} is not printed");
        shown.extend(paths);
    }
    assert_eq!(shown, all, "{verb}: printed and documented");
}

struct World {
    etcd: EtcdReal,
    dir: TempDir,
    bucket: Bucket,
}

impl World {
    async fn new() -> Self {
        Self {
            etcd: EtcdReal::builder().start().await,
            dir: tempfile::tempdir().unwrap(),
            bucket: Bucket::up().await,
        }
    }

    fn run(&self, words: &[&str]) -> Program {
        Program::new(words)
            .args(["-o", "json"])
            .dir(self.dir.path())
    }

    async fn with_bucket(&self, words: &[&str]) -> Value {
        self.run(words).bucket(&self.bucket).run().await.json()
    }
}

/// What is printed of a snapshot that one member disputes, while another cannot be asked.
async fn disputed(world: &World) -> Value {
    let mut database = fs::read(world.dir.path().join("here")).unwrap();
    database.truncate(database.len() - 32);
    let peer = EtcdPeer::start([Script::honest(&database)]).await;
    peer.set_hash(Answer::Says(Box::new(HashKvResponse {
        header: healthy().header,
        hash: 7,
        compact_revision: 2,
        hash_revision: 3,
    })));
    let member = |id, urls: &[String]| ListedMember {
        id,
        name: format!("member-{id:x}"),
        client_urls: urls.to_vec(),
        ..ListedMember::default()
    };
    peer.set_members([member(0xe1, &[peer.endpoint()]), member(0xe2, &[])]);
    let save = world.run(&["save", "--name", "disputed", "--compare-members"]);
    let outcome = save.args(["--endpoints", &peer.endpoint()]).run().await;
    let words =
        ["disputed is saved, but the members disagree: member member-e1 (e1) holds other data"];
    outcome.fails_with_result(Kind::Corrupt, &words);
    let printed: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(printed["snapshot"]["verification"]["result"], "disputed");
    printed
}

#[tokio::test]
async fn every_verb_prints_the_fields_that_are_documented() {
    let world = World::new().await;
    world.etcd.put("a", "first").await;
    world.etcd.put("a", "second").await;
    let compacted = world.etcd.etcdctl().args(["compaction", "2"]).status();
    assert!(compacted.unwrap().success());
    let save = |name| world.run(&["save", "--name", name]).etcd(&world.etcd);
    let here = save("here").run().await.json();
    let both = save("both").bucket(&world.bucket).run().await.json();
    let compared = save("compared")
        .args(["--compare-members"])
        .run()
        .await
        .json();
    assert_eq!(compared["snapshot"]["members"][0]["agrees"], true);
    let disputed = disputed(&world).await;
    assert_documented("save", &[here, both, compared, disputed]);

    assert_documented("upload", &[world.with_bucket(&["upload", "here"]).await]);
    let read = world.with_bucket(&["verify", "--remote", "here"]).await;
    assert_eq!(read["snapshots"][0]["recorded"], true);
    let drill = |etcd: &Path| world.run(&["drill", "here"]).arg_path("--boot", etcd).run();
    let held = drill(&EtcdVersion::V3_5.server()).await.json();
    let failed = drill(Path::new("/bin/false")).await;
    failed.fails_with_result(Kind::Corrupt, &["etcd ended before it answered"]);
    let failed = serde_json::from_str(&failed.out).unwrap();
    assert_documented("drill", &[held, failed]);
    fs::write(world.dir.path().join("copied-in"), "by hand").unwrap();
    fs::write(world.dir.path().join("pki.bundle.tar.gz"), "by RKE").unwrap();
    let down = Program::new(["list", "-o", "json"]).dir(world.dir.path());
    let down = down.bucket(&Bucket::down().await).run().await;
    let unseen = serde_json::from_str(&down.out).unwrap();
    assert_documented("list", &[world.with_bucket(&["list"]).await, unseen]);
    let plan = world.with_bucket(&["prune", "--dry-run"]).await;
    assert_eq!(plan["dry_run"], true);
    assert_documented("prune", &[plan]);
    let deleted = world.with_bucket(&["delete", "both", "--from", "local"]);
    assert_documented("delete", &[deleted.await]);
    let back = world.with_bucket(&["download", "both"]).await;
    assert_eq!(back["already_there"], false);
    assert_documented("download", &[back]);
    let checked = world.with_bucket(&["config", "check"]).await;
    assert_documented("config check", &[checked]);
    let shown = world.with_bucket(&["config", "show"]).await;
    assert_documented("config show", &[shown]);
    let version = Program::new(["version", "-o", "json"]).run().await.json();
    assert_documented("version", &[version]);
}

#[tokio::test]
async fn what_is_told_of_a_snapshot_is_documented() {
    let world = World::new().await;
    world.etcd.put("a", "b").await;
    let fresh = world.run(&["save", "--name", "fresh"]).etcd(&world.etcd);
    fresh.run().await.ok();
    let compacted = world.etcd.etcdctl().args(["compaction", "2"]).status();
    assert!(compacted.unwrap().success());
    let save = world.run(&["save", "--name", "n"]).etcd(&world.etcd);
    save.run().await.ok();
    let saved = world.dir.path().join("n");
    let mut manifest = read_json(&world.dir.path().join("n.manifest.json"));
    manifest["verification"]["findings"] = serde_json::json!(["as somebody found"]);
    manifest["drill"] = serde_json::json!({
        "at": "2026-05-01T12:00:00Z", "result": "failed", "finding": "has other keys",
        "seconds": 1.5, "boot": {"etcd_version": "3.5.1", "seconds": 0.5},
    });
    fs::write(
        world.dir.path().join("n.manifest.json"),
        manifest.to_string(),
    )
    .unwrap();
    let status = world.run(&["status", "n"]).run().await.json();
    // A member that was just started has not told yet where clients find it.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapfile/testdata/3.6.14.db.gz");
    let golden = world.run(&["status", golden.to_str().unwrap()]).run().await;
    assert_documented("status", &[status, golden.json()]);

    let bytes = fs::read(&saved).unwrap();
    let mut pages = bytes.clone();
    for page in 2..pages.len() / 4096 {
        // The number of the page, and in a leaf the revision of its first record.
        pages[page * 4096] ^= 1;
    }
    fs::write(world.dir.path().join("pages"), pages).unwrap();
    // The first revision, wherever it stands as a key: free pages may have it too.
    let mut record = bytes.clone();
    let key = b"\0\0\0\0\0\0\0\x02_";
    for at in 0..bytes.len() - key.len() {
        if bytes[at..].starts_with(key) {
            record[at + 8] = b'-';
        }
    }
    fs::write(world.dir.path().join("record"), record).unwrap();
    let words = ["verify", "n", "pages", "record", "nowhere"];
    let outcome = world.run(&words).run().await;
    outcome.fails_with_result(Kind::Corrupt, &["2 of 4"]);
    let printed = serde_json::from_str(&outcome.out).unwrap();
    assert_documented("verify", &[printed]);
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_manifest_has_the_fields_of_a_saved_snapshot() {
    let world = World::new().await;
    let save = world.run(&["save", "--name", "n"]).etcd(&world.etcd);
    let saved = save.run().await.json();
    let manifest = fs::read(world.dir.path().join("n.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest, saved["snapshot"]);
}
