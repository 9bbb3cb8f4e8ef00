//! `hashkv`: a snapshot's hash as members reckon it, and every member beside it.

use std::fs;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use rollsnap_testkit::tls::Certificates;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::json::assert_documented;
use crate::program::{Outcome, Program};

const PASSWORD: &str = "correct horse";

fn golden(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapfile/testdata");
    dir.join(name).to_str().unwrap().to_owned()
}

/// Three members that have all of a history with deletions and a compaction at 4, and two
/// snapshots of the first: `old` before the compaction, `n` after it.
struct World {
    members: Vec<EtcdReal>,
    dir: TempDir,
}

impl World {
    async fn of(version: EtcdVersion) -> Self {
        let world = Self {
            members: EtcdReal::builder().version(version).start_cluster(3).await,
            dir: tempfile::tempdir().unwrap(),
        };
        let first = &world.members[0];
        for (key, value) in [("a", "the truth"), ("b", "first"), ("b", "second")] {
            first.put(key, value).await;
        }
        world.saved("old", 0).await.ok();
        first.client().await.delete("b", None).await.unwrap();
        first.put("c", "third").await;
        let compacted = first.etcdctl().args(["compaction", "4"]).status();
        assert!(compacted.unwrap().success());
        world.settled().await;
        world.saved("n", 0).await.ok();
        world
    }

    async fn settled(&self) {
        for etcd in &self.members {
            // A linearizable read waits until the member has applied what the others have.
            etcd.client().await.get("a", None).await.unwrap();
        }
    }

    async fn saved(&self, name: &str, member: usize) -> Outcome {
        let save = Program::new(["save", "--name", name]).dir(self.dir.path());
        save.etcd(&self.members[member]).run().await
    }

    /// The verb, told of nobody but the first member.
    fn hashkv(&self, words: &[&str]) -> Program {
        let program = Program::new(["hashkv", "-o", "json"]).args(words);
        program.dir(self.dir.path()).etcd(&self.members[0])
    }

    /// Changes what the third member holds, behind its back.
    async fn falsify(&mut self) {
        let third = &mut self.members[2];
        third.stop().await;
        third.falsify(b"the truth", b"the trath");
        third.restart().await;
        self.settled().await;
    }
}

fn member<'a>(document: &'a Value, name: &str) -> &'a Value {
    let members = document["members"].as_array().unwrap();
    assert_eq!(members.len(), 3, "{document}");
    let is_it = |member: &&Value| member["name"] == name;
    members.iter().find(is_it).unwrap()
}

#[tokio::test]
async fn it_is_what_servers_of_four_versions_said_of_themselves() {
    for version in ["3.4.23", "3.5.1", "3.6.14", "3.7.1"] {
        let said = fs::read(golden(&format!("{version}.hashkv.json"))).unwrap();
        let said: Value = serde_json::from_slice(&said).unwrap();
        let said = &said[0]["HashKV"];
        let snapshot = golden(&format!("{version}.db.gz"));
        let words = ["hashkv", "-o", "json", &snapshot];
        let printed = Program::new(words).run().await.json();
        assert_eq!(printed["hash"], said["hash"]);
        assert_eq!(printed["hashRevision"], said["header"]["revision"]);
        assert_eq!(printed["compactRevision"], said["compact_revision"]);
        let text = Program::new(["hashkv", &snapshot]).run().await.ok();
        let wanted = format!(
            "hash             {}\nrevision         172\ncompacted at     129\n",
            said["hash"]
        );
        assert_eq!(text, wanted);
    }
}

#[tokio::test]
async fn what_nobody_can_reckon_is_refused() {
    let snapshot = golden("3.5.1.db.gz");
    for (words, said) in [
        (
            ["--rev", "173"],
            "later than the snapshot, which ends at 172",
        ),
        (["--rev", "128"], "revision 128 was compacted"),
        (["--compact-rev", "128"], "compacted at 129 already"),
        (["--compact-rev", "173"], "can tell the hash at 172"),
        (["--compact-rev", "x"], "invalid value"),
    ] {
        let outcome = Program::new(["hashkv", &snapshot]).args(words).run().await;
        outcome.fails(Kind::Usage, &[said]);
    }
    let both = ["hashkv", &snapshot, "--compact-rev", "130", "--against"];
    let outcome = Program::new(both).run().await;
    outcome.fails(Kind::Usage, &["cannot be used with"]);
}

#[tokio::test]
async fn every_member_that_holds_the_same_agrees_and_who_is_down_says_so() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let mut world = World::of(version).await;
        let alone = world.hashkv(&["n"]).run().await.json();
        assert_eq!(alone["compactRevision"], 4);
        let never = world.hashkv(&["old"]).run().await.json();
        assert_eq!(never["compactRevision"], -1);
        let all = world.hashkv(&["n", "--against"]).run().await.json();
        for name in ["m1", "m2", "m3"] {
            let member = member(&all, name);
            assert_eq!(member["agrees"], true, "{member}");
            assert_eq!(member["hash"], alone["hash"]);
        }
        let earlier = world.hashkv(&["n", "--against", "--rev", "5"]);
        let earlier = earlier.run().await.json();
        assert_ne!(earlier["hash"], all["hash"]);
        assert_eq!(member(&earlier, "m2")["agrees"], true);

        world.members[1].stop().await;
        let two = world.hashkv(&["n", "--against"]).run().await.json();
        let down = member(&two, "m2");
        let why = down["error"].as_str().unwrap();
        assert!(why.contains("connection refused"), "{why}");
        assert!(down["agrees"].is_null());
        assert_eq!(member(&two, "m3")["agrees"], true);
        assert_documented("hashkv", &[alone, all, two]);
    }
}

#[tokio::test]
async fn a_snapshot_with_history_that_members_have_compacted_is_compared_without_it() {
    let world = World::of(EtcdVersion::V3_5).await;
    // Its last revision is the very one that the members were compacted at, and they went on.
    let outcome = world.hashkv(&["old", "--against"]).run().await;
    outcome.fails_with_result(
        Kind::Source,
        &["no member could be compared", "take a newer snapshot"],
    );
    assert!(outcome.out.contains("has been compacted there"));

    world.saved("uncompacted-here", 0).await.ok();
    let compacted = world.members[0]
        .etcdctl()
        .args(["compaction", "5"])
        .status();
    assert!(compacted.unwrap().success());
    world.settled().await;
    let against = ["uncompacted-here", "--against"];
    let printed = world.hashkv(&against).run().await.json();
    assert_eq!(printed["compactRevision"], 4);
    let third = member(&printed, "m3");
    assert_eq!(third["compact_revision"], 5);
    assert_eq!(third["agrees"], true);
}

#[tokio::test]
async fn a_member_that_was_changed_behind_etcds_back_is_found_and_named() {
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let mut world = World::of(version).await;
        world.falsify().await;
        let outcome = world.hashkv(&["n", "--against"]).run().await;
        let words = ["the members disagree: member m3 (", "holds other data"];
        outcome.fails_with_result(Kind::Corrupt, &words);
        assert!(!outcome.err.contains("m1") && !outcome.err.contains("m2"));
        let printed: Value = serde_json::from_str(&outcome.out).unwrap();
        let agree = ["m1", "m2", "m3"].map(|name| &member(&printed, name)["agrees"]);
        assert_eq!(json!(agree), json!([true, true, false]));
        assert_ne!(member(&printed, "m3")["hash"], printed["hash"]);
        assert_eq!(member(&printed, "m3")["snapshot_hash"], printed["hash"]);

        // A snapshot of that very member is whole, and the two others are against it.
        world.saved("astray", 2).await.ok();
        let outcome = world.hashkv(&["astray", "--against"]).run().await;
        let words = ["2 members hold the same other data, and only member m3 ("];
        outcome.fails_with_result(Kind::Corrupt, &words);
        let verify = Program::new(["verify", "astray"]).dir(world.dir.path());
        verify.run().await.ok();

        // The save itself tells, where it is asked to compare.
        let save = Program::new(["save", "--name", "asked", "--compare-members"]);
        let save = save.dir(world.dir.path()).etcd(&world.members[1]);
        let words = ["asked is saved, but the members disagree: member m3 ("];
        save.run().await.fails_with_result(Kind::Corrupt, &words);
    }
}

#[tokio::test]
async fn a_guarded_cluster_is_asked_with_certificate_and_user() {
    let keys = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(keys.path(), &[]);
    let password = keys.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let builder = EtcdReal::builder().tls(&certificates);
    let mut members = builder.start_cluster(3).await;
    members[0].put("a", "b").await;
    members[0].enable_auth(PASSWORD).await;
    let dir = tempfile::tempdir().unwrap();
    let asked = |words: &[&str]| {
        let program = Program::new(words).dir(dir.path()).etcd(&members[0]);
        let program = program.args(["--user", "root"]);
        program.arg_path("--password-file", &password)
    };
    asked(&["save", "--name", "n"]).run().await.ok();
    let text = asked(&["hashkv", "n", "--against"]).run().await.ok();
    assert_eq!(text.matches("agrees").count(), 3, "{text}");

    let nobody = Program::new(["hashkv", "n", "--against"]).dir(dir.path());
    let outcome = nobody.etcd(&members[0]).run().await;
    // The certificate's own name is a user too, and here one that etcd does not know.
    let why = "etcd wants a user";
    let words = [
        "no member could be compared",
        why,
        "--user and --password-file",
    ];
    outcome.fails_with_result(Kind::Denied, &words);
    assert_eq!(outcome.out.matches(why).count(), 3);
}

#[tokio::test]
async fn nobody_who_tells_of_the_members_is_a_failure_without_a_result() {
    let words = ["hashkv", &golden("3.5.1.db.gz"), "--against"];
    let down = Program::new(words).args(["--endpoints", "http://127.0.0.1:1"]);
    let outcome = down.run().await;
    outcome.fails(Kind::Source, &["member list of", "connection refused"]);
}
