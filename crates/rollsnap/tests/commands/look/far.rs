//! The same verbs on a snapshot in a bucket: the same answers, and no more fetched than is needed.

use std::path::Path;

use http::Method;
use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_real::EtcdVersion;
use rollsnap_testkit::s3_peer::{S3Peer, Seen};

use super::cluster::Cluster;
use crate::program::{Outcome, Program};
use crate::world::Bucket;

const MIB: u64 = 1 << 20;

/// A cluster of which most bytes are of no interest, and a bucket.
async fn world() -> (Cluster, S3Peer) {
    let cluster = Cluster::new(EtcdVersion::V3_5).await;
    let mut state: u64 = 1;
    for n in 0..400 {
        // Bytes that do not compress.
        let value = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        });
        let value: Vec<u8> = value.take(50_000).collect();
        let key = format!("/registry/configmaps/default/big-{n}");
        cluster.put(&key, &value).await;
    }
    cluster
        .put("/registry/pods/default/last", b"the last")
        .await;
    (cluster, S3Peer::start(Bucket::NAME).await)
}

async fn save(cluster: &Cluster, peer: &S3Peer, words: &[&str]) {
    let program = Program::new(["save"]).args(words).etcd(&cluster.etcd);
    let program = program.dir(cluster.dir.path());
    program.bucket_at(&peer.endpoint()).run().await.ok();
}

/// Runs a verb where there is no snapshot but in the bucket.
async fn far(peer: &S3Peer, words: &[&str]) -> Outcome {
    let program = Program::new(words).dir(Path::new("/nonexistent"));
    program.bucket_at(&peer.endpoint()).run().await
}

/// Bytes that were asked for of objects that are no manifests.
fn fetched(peer: &S3Peer) -> u64 {
    let is_read = |seen: &&Seen| {
        seen.method == Method::GET
            && seen.query.is_empty()
            && !seen.path.ends_with(".manifest.json")
    };
    let bytes = |seen: &Seen| {
        let range = seen.header("range").strip_prefix("bytes=");
        let range = range.unwrap_or_else(|| panic!("all of {} was fetched", seen.path));
        let (first, last) = range.split_once('-').expect("a range");
        let [first, last] = [first, last].map(|it| it.parse::<u64>().expect("a number"));
        last - first + 1
    };
    peer.seen().iter().filter(is_read).map(bytes).sum()
}

#[tokio::test]
async fn one_key_of_a_large_snapshot_in_a_bucket_is_found_by_less_than_a_megabyte() {
    let (cluster, peer) = world().await;
    for (name, codec, end) in [
        ("n", "none", ""),
        ("z", "zstd", ".zst"),
        ("k", "zip", ".zip"),
    ] {
        save(&cluster, &peer, &["--name", name, "--compression", codec]).await;
        let object = format!("s3://{}/{}/{name}{end}", Bucket::NAME, Bucket::FOLDER);
        // A frame is a MiB of plain bytes, and the pages of a tree lie in several.
        let most = if codec == "none" { MIB } else { 6 * MIB };
        for (question, answer) in [
            (&["/registry/pods/default/last"][..], "the last"),
            (&["pod/last", "-n", "default"], "the last"),
            (&["widgets.example.com", "w1", "-n", "default"], "size: 3"),
        ] {
            for operand in [name, &object] {
                peer.forget();
                let said = far(&peer, &[&["get", operand], question].concat()).await;
                assert_eq!(said.err, "");
                assert!(said.out.contains(answer), "{said:?}");
                let bytes = fetched(&peer);
                assert!((1..most).contains(&bytes), "{question:?}: {bytes}");
            }
        }
        // Absent is an answer too, and no reason to fetch everything.
        peer.forget();
        let said = far(&peer, &["get", name, "/registry/pods/default/none"]).await;
        said.fails(Kind::Usage, &["there is none"]);
        assert!(fetched(&peer) < most);
    }
}

#[tokio::test]
async fn what_the_verbs_say_of_a_snapshot_in_a_bucket_is_what_they_say_of_it_here() {
    let (cluster, peer) = world().await;
    save(&cluster, &peer, &["--name", "a"]).await;
    cluster
        .put("/registry/pods/default/web-0", b"changed")
        .await;
    cluster.delete("/registry/pods/default/last").await;
    save(&cluster, &peer, &["--name", "b", "--compression", "zstd"]).await;
    let folder = format!("s3://{}/{}", Bucket::NAME, Bucket::FOLDER);
    let [a, b] = [format!("{folder}/a"), format!("{folder}/b.zst")];
    let questions: [(&[&str], &[&str]); 9] = [
        (&["ls", "a"], &["ls", &a]),
        (&["ls", "b", "pods", "-A"], &["ls", &b, "pods", "-A"]),
        (&["get", "b", "pod/web-0"], &["get", &b, "pod/web-0"]),
        (
            &["get", "a", "deploy/nameValue", "-o", "json"],
            &["get", &a, "deploy/nameValue", "-o", "json"],
        ),
        (
            &["get", "b", "po/last", "-n", "default", "--history"],
            &["get", &b, "po/last", "-n", "default", "--history"],
        ),
        (&["diff", "a", "b"], &["diff", &a, &b]),
        (&["diff", "a", "b", "--full"], &["diff", &a, &b, "--full"]),
        (&["du", "a"], &["du", &a]),
        (
            &["du", "b", "--by", "namespace"],
            &["du", &b, "--by", "namespace"],
        ),
    ];
    for (here, there) in questions {
        let told = cluster.run(here).await.ok();
        assert_ne!(told, "", "{here:?}");
        // What is told of the place itself differs.
        let place = |text: String| text.replace(&b, "b").replace(&a, "a");
        let said = far(&peer, there).await;
        assert_eq!(place(said.ok()), told, "{here:?}");
    }
}
