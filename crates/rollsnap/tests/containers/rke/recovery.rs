//! What `rke etcd snapshot-save` and `snapshot-restore` start on the nodes, in their order.

use std::collections::BTreeSet;
use std::fs;

use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

use super::argv::{self, OLD_PATH};
use super::bucket::{SecureBucket, keys_in_environment};
use super::node::{Ended, Mounts, Node, copied_out};
use crate::bucket::{ACCESS_KEY, SECRET_KEY};
use crate::etcd::{self, Etcd};
use crate::world::World;

const MB: usize = 1 << 20;
const STATE: &str = "{\n  \"desiredState\": {\n    \"rkeConfig\": {}\n  }\n}";

struct Cluster {
    world: World,
    nodes: [Node; 2],
    _tls: TempDir,
    _etcd: Etcd,
}

impl Cluster {
    async fn start() -> Self {
        let world = World::enter();
        let tls = TempDir::with_prefix("rollsnap-tls-").expect("a temporary directory");
        let certificates = Certificates::issue(tls.path(), &[etcd::HOST]);
        let etcd = Etcd::start(&world.network, MB, Some(&certificates)).await;
        Self {
            nodes: [Node::new(&certificates), Node::new(&certificates)],
            world,
            _tls: tls,
            _etcd: etcd,
        }
    }

    /// One of RKE's short-lived containers.
    fn run(
        &self,
        node: &Node,
        name: &str,
        mounts: Mounts,
        env: &[String],
        argv: &[String],
    ) -> Ended {
        node.run(&self.world.network, (name, mounts), env, argv).0
    }

    fn once(&self, node: &Node, name: &str, flags: &[String], env: &[String]) -> Ended {
        let argv = argv::once(name, flags);
        self.run(node, "etcd-snapshot-once", Mounts::Both, env, &argv)
    }

    /// What `etcd-extract-statefile` finds.
    fn state(&self, node: &Node, name: &str, more: &[String], env: &[String]) -> (Ended, Vec<u8>) {
        let mut argv = argv::of(
            "extractstatefile",
            name,
            &["--creation=12h", "--retention=72h"],
        );
        argv.extend_from_slice(more);
        let place = ("etcd-extract-statefile", Mounts::Snapshots);
        let (ended, container) = node.run(&self.world.network, place, env, &argv);
        let state = copied_out("etcd-extract-statefile", "/tmp/cluster.rkestate");
        drop(container);
        (ended, state.unwrap_or_default())
    }

    fn remove(&self, node: &Node, name: &str, more: &[String], env: &[String]) -> Ended {
        let mut argv = argv::of("delete", name, &[]);
        argv.extend_from_slice(more);
        self.run(node, "etcd-remove-snapshot", Mounts::Snapshots, env, &argv)
    }
}

#[tokio::test]
async fn a_one_off_goes_from_one_node_to_the_other_and_is_restored() {
    let cluster = Cluster::start().await;
    let [here, there] = &cluster.nodes;
    for node in [here, there] {
        node.deploy_state("mysnapshot", STATE);
    }
    let saved = cluster.once(here, "mysnapshot", &[], &[]).succeeded();
    assert!(
        saved
            .log
            .contains("msg=\"Initializing Onetime Backup\" name=mysnapshot"),
        "{}",
        saved.log
    );
    assert!(
        saved
            .log
            .contains("msg=\"Created local backup\" name=mysnapshot"),
        "{}",
        saved.log
    );
    assert_eq!(names(here), BTreeSet::from(["mysnapshot.zip".to_owned()]));

    let (extracted, state) = cluster.state(here, "mysnapshot", &[], &[]);
    extracted.succeeded();
    assert_eq!(String::from_utf8_lossy(&state), STATE);
    let (missing, _) = cluster.state(there, "mysnapshot", &[], &[]);
    assert_ne!(missing.code, 0, "{}", missing.log);

    let serve = argv::with_certificates("serve", "mysnapshot", &[]);
    let server = here.start(&cluster.world.network, "etcd-Serve-backup", &[], &serve);
    let address = server.inspect("range .NetworkSettings.Networks}}{{.IPAddress}}{{end");
    let download =
        argv::with_certificates("download", "mysnapshot", &["--local-endpoint", &address]);
    cluster
        .run(there, "etcd-download-backup", Mounts::Both, &[], &download)
        .succeeded();
    assert!(server.is_running(), "{}", server.log());
    drop(server);

    let sums: Vec<String> = [here, there]
        .map(|node| checksum(&cluster, node, "mysnapshot"))
        .into();
    assert_eq!(sums[0], sums[1]);
    restore(&cluster, there, "mysnapshot");

    let cleanup = ["--cleanup".to_owned()];
    for node in [here, there] {
        cluster
            .remove(node, "mysnapshot", &cleanup, &[])
            .succeeded();
    }
    assert_eq!(names(here), BTreeSet::from(["mysnapshot.zip".to_owned()]));
    cluster.remove(here, "mysnapshot", &[], &[]).succeeded();
    assert_eq!(names(here), BTreeSet::new());
    cluster.remove(here, "mysnapshot", &[], &[]).succeeded();
}

#[tokio::test]
async fn a_one_off_comes_back_from_the_bucket_on_a_node_that_never_had_it() {
    let cluster = Cluster::start().await;
    let bucket = SecureBucket::start(&cluster.world.network);
    let (flags, env) = (bucket.flags("cluster-1"), keys_in_environment());
    let [here, there] = &cluster.nodes;
    here.deploy_state("my", STATE);
    for name in ["my", "my1"] {
        let saved = cluster.once(here, name, &flags, &env).succeeded();
        for key in [ACCESS_KEY, SECRET_KEY] {
            assert!(!saved.log.contains(key), "{}", saved.log);
        }
    }
    let (extracted, state) = cluster.state(there, "my", &flags, &env);
    extracted.succeeded();
    assert_eq!(String::from_utf8_lossy(&state), STATE);

    let mut download = argv::with_certificates("download", "my", &[]);
    download.extend_from_slice(&flags);
    cluster
        .run(there, "etcd-download-backup", Mounts::Both, &env, &download)
        .succeeded();
    restore(&cluster, there, "my");

    let mut cleanup = vec!["--cleanup".to_owned()];
    cleanup.extend_from_slice(&flags);
    fs::remove_file(there.snapshots.path().join("my.zip")).expect("the download left the zip");
    cluster.remove(there, "my", &cleanup, &env).succeeded();
    assert!(
        bucket.object("cluster-1/my.zip").is_some(),
        "cleaning a node emptied the bucket"
    );
    cluster.remove(here, "my", &flags, &env).succeeded();
    assert!(bucket.object("cluster-1/my.zip").is_none());
    assert!(
        bucket.object("cluster-1/my1.zip").is_some(),
        "another name was deleted"
    );
}

#[tokio::test]
async fn the_last_line_tells_rke_what_failed() {
    let cluster = Cluster::start().await;
    let bucket = SecureBucket::start(&cluster.world.network);
    let node = &cluster.nodes[0];
    let wrong = [
        "S3_ACCESS_KEY=bm9ib2R5".to_owned(),
        "S3_SECRET_KEY=bm90aGluZw==".to_owned(),
    ];
    let refused = cluster.once(node, "kept", &bucket.flags(""), &wrong);
    assert_ne!(refused.code, 0, "{}", refused.log);
    assert!(
        refused
            .last_line()
            .contains("failed to upload etcd snapshot file"),
        "{}",
        refused.log
    );
    assert!(
        names(node).contains("kept.zip"),
        "the snapshot itself is there"
    );

    let unknown = cluster.run(
        node,
        "etcd-snapshot-once",
        Mounts::Both,
        &[],
        &argv::of("save", "x", &["--once", "--no-such-flag"]),
    );
    assert_eq!(unknown.code, 1, "{}", unknown.log);
    assert!(
        unknown.last_line().contains("no-such-flag"),
        "{}",
        unknown.log
    );
}

/// The other helpers of RKE that run in this image, by the words of their containers.
#[tokio::test]
async fn the_other_helpers_of_rke_find_their_tools() {
    let cluster = Cluster::start().await;
    let node = &cluster.nodes[0];
    for words in [
        "echo -n ok | md5sum | cut -d ' ' -f 1 | tr a-z A-Z",
        "tar cvfz /backup/t.tgz /etc/kubernetes/ssl && tar xzvf /backup/t.tgz -C /tmp --strip-components 1",
        "find /backup -name t.tgz -delete",
        "mkdir -p /tmp/a && ln -sf /tmp/a /tmp/b && chmod 700 /tmp/a && chown 0:0 /tmp/a",
        "nc --help 2>&1 | grep -q -- '-e PROG' && etcdctl version",
        "test -x /opt/rke/rke-etcd-backup && /usr/bin/rollsnap version",
    ] {
        let argv = ["bash".to_owned(), "-c".to_owned(), words.to_owned()];
        cluster
            .run(node, "rke-helper", Mounts::Both, &[], &argv)
            .succeeded();
    }
    let old = [
        OLD_PATH.to_owned(),
        "rolling-backup".to_owned(),
        "--no-such-flag".to_owned(),
    ];
    let refused = cluster.run(node, "rke-helper", Mounts::Both, &[], &old);
    assert_eq!(refused.code, 1, "{}", refused.log);
}

/// The files that an operator sees, without ours beside them.
fn names(node: &Node) -> BTreeSet<String> {
    node.snapshots.snapshots()
}

/// `etcd-checksum-checker`: of the raw copy.
fn checksum(cluster: &Cluster, node: &Node, name: &str) -> String {
    let argv = ["md5sum".to_owned(), format!("/backup/{name}")];
    let ended = cluster.run(node, "etcd-checksum-checker", Mounts::Snapshots, &[], &argv);
    ended.succeeded().log
}

/// `etcd-restore`, up to the place where its data would be moved to.
fn restore(cluster: &Cluster, node: &Node, name: &str) {
    let words = format!(
        "etcdctl snapshot restore /backup/{name} --data-dir=/tmp/restored --name=etcd-node1 \
         --initial-cluster=etcd-node1=https://10.0.0.1:2380 \
         --initial-cluster-token=etcd-cluster-1 \
         --initial-advertise-peer-urls=https://10.0.0.1:2380 && ls /tmp/restored/member/snap/db"
    );
    let argv = ["sh".to_owned(), "-c".to_owned(), words];
    let env = ["ETCDCTL_API=3".to_owned()];
    cluster
        .run(node, "etcd-restore", Mounts::Both, &env, &argv)
        .succeeded();
}
