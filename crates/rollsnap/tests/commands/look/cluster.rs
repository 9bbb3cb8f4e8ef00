//! A real etcd with what an API server would have written, snapshots of it, and etcd's own
//! answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::program::{LIMIT, Outcome, Program};

/// Kubernetes' own serialised objects, where an API server would put them.
pub(super) const OBJECTS: [(&str, &str, &str); 12] = [
    (
        "apps.v1.Deployment",
        "deploy",
        "/registry/deployments/namespaceValue/nameValue",
    ),
    (
        "apps.v1.StatefulSet",
        "sts",
        "/registry/statefulsets/namespaceValue/nameValue",
    ),
    (
        "batch.v1.CronJob",
        "cronjob",
        "/registry/cronjobs/namespaceValue/nameValue",
    ),
    (
        "coordination.k8s.io.v1.Lease",
        "leases",
        "/registry/leases/namespaceValue/nameValue",
    ),
    (
        "core.v1.ConfigMap",
        "cm",
        "/registry/configmaps/namespaceValue/nameValue",
    ),
    (
        "core.v1.Event",
        "ev",
        "/registry/events/namespaceValue/nameValue",
    ),
    ("core.v1.Node", "no", "/registry/minions/nameValue"),
    (
        "core.v1.Pod",
        "po",
        "/registry/pods/namespaceValue/nameValue",
    ),
    (
        "core.v1.Secret",
        "secret",
        "/registry/secrets/namespaceValue/nameValue",
    ),
    (
        "discovery.k8s.io.v1.EndpointSlice",
        "endpointslices",
        "/registry/endpointslices/namespaceValue/nameValue",
    ),
    (
        "networking.k8s.io.v1.Ingress",
        "ing",
        "/registry/ingress/namespaceValue/nameValue",
    ),
    (
        "rbac.authorization.k8s.io.v1.ClusterRole",
        "clusterrole",
        "/registry/clusterroles/nameValue",
    ),
];

/// A Secret's value that nothing may print.
pub(super) const PASSWORD: &str = "aHVudGVyMg==";

/// A value that an API server encrypted.
pub(super) const ENCRYPTED: &[u8] = b"k8s:enc:aescbc:v1:key1:\x00\xfe\x1b[2J";

/// A file of Kubernetes' own.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = crates.join("kube/testdata").join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A file of the golden databases.
pub(super) fn golden(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join("snapfile/testdata").join(name)
}

/// A custom resource as an API server stores it.
pub(super) fn widget(name: &str, size: u32) -> Vec<u8> {
    let widget = json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": name, "namespace": "default", "uid": "u-1", "resourceVersion": "7",
                     "creationTimestamp": "2026-05-01T00:00:00Z", "labels": {"app": "a"}},
        "spec": {"size": size}, "status": {"ready": true},
    });
    format!("{widget}\n").into_bytes()
}

pub(super) fn secret(password: &str) -> Vec<u8> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "db", "namespace": "default"},
        "data": {"password": password},
    });
    secret.to_string().into_bytes()
}

/// An etcd, and a directory for snapshots of it.
pub(super) struct Cluster {
    pub(super) etcd: EtcdReal,
    pub(super) dir: TempDir,
}

impl Cluster {
    /// One with objects, custom resources, secrets, keys that are nobody's objects, history,
    /// deletions, a lease and a compaction.
    pub(super) async fn new(version: EtcdVersion) -> Self {
        let etcd = EtcdReal::builder().version(version).start().await;
        let dir = tempfile::tempdir().unwrap();
        let cluster = Self { etcd, dir };
        for n in 0..4 {
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "n": n}).to_string();
            let namespace = if n % 2 == 0 { "default" } else { "kube-system" };
            let key = format!("/registry/pods/{namespace}/web-{n}");
            cluster.put(&key, pod.as_bytes()).await;
        }
        cluster.delete("/registry/pods/default/web-2").await;
        cluster.put("/registry/pods/default/web-2", b"reborn").await;
        cluster.ctl(&["compaction", "4"]).await;
        for (name, _, key) in OBJECTS {
            cluster.put(key, &fixture(&format!("{name}.pb"))).await;
        }
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced",
                     "names": {"plural": "widgets", "singular": "widget", "kind": "Widget",
                               "shortNames": ["wdg"]}},
        });
        let definitions = "/registry/apiextensions.k8s.io/customresourcedefinitions";
        let key = format!("{definitions}/widgets.example.com");
        cluster.put(&key, definition.to_string().as_bytes()).await;
        for (name, size) in [("w1", 1), ("w2", 2), ("w1", 3)] {
            let key = format!("/registry/example.com/widgets/default/{name}");
            cluster.put(&key, &widget(name, size)).await;
        }
        let db = "/registry/secrets/default/db";
        cluster.put(db, &secret(PASSWORD)).await;
        cluster
            .put("/registry/secrets/kube-system/enc", ENCRYPTED)
            .await;
        cluster.put("plain", b"a\x1b[2Jb\n").await;
        cluster
            .put(b"odd/\x01\xff key".as_slice(), b"\xff\x00")
            .await;
        cluster.delete("/registry/pods/kube-system/web-3").await;
        cluster.leased("/registry/masterleases/10.0.0.1", "m").await;
        cluster
    }

    pub(super) async fn put(&self, key: impl AsRef<[u8]>, value: &[u8]) {
        let mut client = self.etcd.client().await;
        client.put(key.as_ref(), value, None).await.unwrap();
    }

    pub(super) async fn delete(&self, key: &str) {
        self.etcd.client().await.delete(key, None).await.unwrap();
    }

    /// Writes a key that hangs on a lease.
    pub(super) async fn leased(&self, key: &str, value: &str) {
        let granted = self.ctl(&["lease", "grant", "3600"]).await;
        let id = granted.split_whitespace().nth(1).unwrap();
        self.ctl(&["put", "--lease", id, key, value]).await;
    }

    /// What etcdctl prints.
    pub(super) async fn ctl(&self, words: &[&str]) -> String {
        let output = Command::from(self.etcd.etcdctl())
            .args(words)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What etcdctl answers to a range read, or `None` where it refuses.
    pub(super) async fn range(&self, words: &[&str], revision: u64) -> Option<Value> {
        let output = Command::from(self.etcd.etcdctl())
            .args(["get", "-w", "json", "--rev", &revision.to_string()])
            .args(words)
            .output()
            .await
            .unwrap();
        let answer = || serde_json::from_slice(&output.stdout).expect("etcdctl prints JSON");
        output.status.success().then(answer)
    }

    pub(super) async fn save(&self, name: &str) -> u64 {
        let saved = Program::new(["save", "-o", "json", "--name", name])
            .etcd(&self.etcd)
            .dir(self.dir.path())
            .run()
            .await
            .json();
        saved["snapshot"]["revision"].as_u64().unwrap()
    }

    /// Runs a verb of ours on the snapshots here.
    pub(super) async fn run(&self, words: &[&str]) -> Outcome {
        Program::new(words).dir(self.dir.path()).run().await
    }

    /// The bytes that a verb prints.
    pub(super) async fn bytes(&self, words: &[&str]) -> Vec<u8> {
        let output = Command::new(env!("CARGO_BIN_EXE_rollsnap"))
            .env_clear()
            .env("ROLLSNAP_DIR", self.dir.path())
            .args(words)
            .stdin(Stdio::null())
            .output();
        let output = timeout(LIMIT, output).await.unwrap().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        output.stdout
    }

    /// What somebody at a terminal sees of a command.
    pub(super) async fn screen(&self, words: &str) -> String {
        let command = format!("{} {words}", env!("CARGO_BIN_EXE_rollsnap"));
        let watched = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("ROLLSNAP_DIR", self.dir.path())
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output();
        let watched = timeout(LIMIT, watched).await.unwrap().unwrap();
        let screen = String::from_utf8(watched.stdout).unwrap();
        assert!(watched.status.success(), "{screen}");
        screen.replace("\r\n", "\n")
    }
}
