//! Kubernetes hears of successes, failures and recoveries as Events about the Node, and can hold
//! up nothing.

use std::fs;
use std::path::{Path, PathBuf};

use rollsnap_engine::Kind;
use rollsnap_testkit::etcd_peer::{EtcdPeer, Script};
use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::listener::{Heard, Listener, Mood};
use rollsnap_testkit::tls::Certificates;
use serde_json::Value;
use tempfile::TempDir;

use crate::broken::{broken, database};
use crate::program::Program;
use crate::running::field;
use crate::world::etcd_and_dir;

const EVENTS: &str = "/api/v1/namespaces/kube-system/events";

/// An API server that takes everything, and its kubeconfig.
struct Api {
    listener: Listener,
    dir: TempDir,
}

impl Api {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Certificates::issue(dir.path(), &[]);
        let listener = Listener::tls(files.server_config()).await;
        listener.set(Mood::Says(201));
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority: {}\n    \
             server: {}\n  name: c\ncontexts:\n- context:\n    cluster: c\n    user: u\n  name: x\n\
             current-context: x\nusers:\n- name: u\n  user:\n    token: canary\n",
            files.ca().display(),
            listener.origin(),
        );
        fs::write(dir.path().join("kubeconfig"), text).unwrap();
        Self { listener, dir }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// A daemon that posts Events here.
    fn told_by(&self, etcd: &EtcdReal, dir: &Path, interval: &str) -> Program {
        Program::new(["run", "--creation", interval])
            .etcd(etcd)
            .dir(dir)
            .arg_path("--kubeconfig", &self.kubeconfig())
            .env("NODE_NAME", "node1")
            .env("RUST_LOG", "trace")
    }
}

fn body(heard: &Heard) -> Value {
    serde_json::from_str(&heard.body).expect("it is JSON")
}

#[tokio::test]
async fn a_success_is_an_event_about_the_node_and_no_flood() {
    let (etcd, dir) = etcd_and_dir().await;
    let api = Api::start().await;
    let mut daemon = api.told_by(&etcd, dir.path(), "1s").start();
    daemon.lines(3, "Verified snapshot").await;
    let heard = api.listener.hears(1).await;
    assert_eq!(daemon.stop().await.count("Cannot post"), 0);
    assert_eq!(api.listener.heard().len(), 1, "once an hour");
    let [heard] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!((heard.method.as_str(), heard.uri.path()), ("POST", EVENTS));
    assert_eq!(heard.headers["authorization"], "Bearer canary");
    let event = body(heard);
    let time = event["eventTime"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('.'), "{time}");
    for (pointer, wanted) in [
        ("/kind", "Event"),
        ("/metadata/namespace", "kube-system"),
        ("/involvedObject/kind", "Node"),
        ("/involvedObject/name", "node1"),
        ("/involvedObject/uid", "node1"),
        ("/type", "Normal"),
        ("/reason", "EtcdBackupSucceeded"),
        ("/action", "Backup"),
        ("/reportingComponent", "rollsnap"),
        ("/reportingInstance", "node1"),
    ] {
        let found = event.pointer(pointer).and_then(Value::as_str);
        assert_eq!(found, Some(wanted), "{pointer}");
    }
    assert_eq!(event["count"], 1);
}

#[tokio::test]
async fn failures_are_counted_in_one_event_and_the_recovery_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut etcd = EtcdReal::builder().start().await;
    etcd.stop().await;
    let api = Api::start().await;
    let mut daemon = api.told_by(&etcd, dir.path(), "1h").start();
    let line = daemon.line("Backup failed").await;
    let heard = api.listener.hears(2).await;
    let first = body(&heard[0]);
    assert_eq!(first["type"], "Warning");
    assert_eq!(first["reason"], "EtcdBackupFailed");
    let message = first["message"].as_str().unwrap();
    assert!(message.contains(field(&line, "error")), "{message}");
    let again = &heard[1];
    let name = first["metadata"]["name"].as_str().unwrap();
    assert_eq!(again.method.as_str(), "PATCH");
    assert_eq!(again.uri.path(), format!("{EVENTS}/{name}"));
    assert_eq!(
        again.headers["content-type"],
        "application/merge-patch+json"
    );
    assert_eq!(body(again)["count"], 2);
    etcd.restart().await;
    let is_recovery = |heard: &Heard| heard.body.contains("EtcdBackupRecovered");
    let recovery = api.listener.hears_one(is_recovery).await;
    assert_eq!(body(&recovery)["type"], "Normal");
    assert_eq!(daemon.stop().await.count("Cannot post"), 0);
}

#[tokio::test]
async fn a_snapshot_in_quarantine_is_an_event_of_its_own() {
    let (api, dir) = (Api::start().await, tempfile::tempdir().unwrap());
    let sick = EtcdPeer::start([Script::honest(&broken(&database().await))]).await;
    let mut daemon = Program::new(["run", "--creation", "1h", "--endpoints", &sick.endpoint()])
        .dir(dir.path())
        .arg_path("--kubeconfig", &api.kubeconfig())
        .start();
    let line = daemon.line("Quarantined snapshot").await;
    let is_it = |heard: &Heard| heard.body.contains("EtcdBackupQuarantined");
    let event = body(&api.listener.hears_one(is_it).await);
    assert_eq!(event["type"], "Warning");
    let message = event["message"].as_str().unwrap();
    let expected = format!("{} is broken, as etcd sent it: page ", field(&line, "name"));
    assert!(message.starts_with(&expected), "{message}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_server_that_refuses_or_hangs_costs_one_quiet_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut etcd = EtcdReal::builder().start().await;
    etcd.stop().await;
    let api = Api::start().await;
    api.listener.set(Mood::Says(403));
    let mut daemon = api.told_by(&etcd, dir.path(), "1h").start();
    let line = daemon.line("Cannot post Events to Kubernetes").await;
    assert!(line.contains(" level=info "), "{line}");
    assert_eq!(field(&line, "kind"), "denied");
    assert!(
        field(&line, "hint").contains("create and patch of events"),
        "{line}"
    );
    api.listener.set(Mood::Silent);
    etcd.restart().await;
    daemon.line("Verified snapshot").await;
    assert_eq!(daemon.stop().await.count("Cannot post"), 1);
}

#[tokio::test]
async fn events_are_off_unless_a_kubeconfig_is_named_or_a_pod_wants_them() {
    let check = || Program::new(["config", "check"]);
    check().run().await.ok();
    let wanted = check().env("ROLLSNAP_KUBERNETES_EVENTS", "true");
    let words = ["ROLLSNAP_KUBERNETES_EVENTS: is true, but there is no kubeconfig"];
    wanted.run().await.fails_with_result(Kind::Config, &words);
    let pod = check()
        .env("ROLLSNAP_KUBERNETES_EVENTS", "true")
        .env("KUBERNETES_SERVICE_HOST", "10.43.0.1")
        .env("KUBERNETES_SERVICE_PORT", "443");
    pod.run().await.ok();
    let show = Program::new(["config", "show", "--kubeconfig", "/k"]).run();
    let shown = show.await.ok();
    let row = shown
        .lines()
        .find(|row| row.starts_with("kubernetes-events"));
    assert!(row.is_some_and(|row| row.contains("true")), "{shown}");
}
