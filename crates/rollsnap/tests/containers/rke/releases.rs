//! The sidecar as each release of RKE starts it.

use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

use super::argv::{self, Release, releases};
use super::bucket::{SecureBucket, keys_in_environment, keys_in_flags};
use super::node::Node;
use crate::bucket::{ACCESS_KEY, SECRET_KEY};
use crate::docker::{Container, Network, docker};
use crate::etcd::{self, Etcd};
use crate::sidecar::NAME;
use crate::wait::until;
use crate::world::World;

const MB: usize = 1 << 20;

#[tokio::test]
async fn every_release_of_rke_gets_the_snapshots_that_it_expects() {
    let world = World::enter();
    let tls = TempDir::with_prefix("rollsnap-tls-").expect("a temporary directory");
    let certificates = Certificates::issue(tls.path(), &[etcd::HOST]);
    let _etcd = Etcd::start(&world.network, MB, Some(&certificates)).await;
    for release in releases() {
        let node = Node::new(&certificates);
        let sidecar = node.start(&world.network, NAME, &[], &release.argv);
        has_created(&sidecar, release.created, 2).await;
        sidecar.tell(&["stop"]);
        assert_eq!(
            sidecar.exit_code(),
            0,
            "{}: {}",
            release.version,
            sidecar.log()
        );
        assert_as_expected(&release, &node, &sidecar.log());
    }
}

fn assert_as_expected(release: &Release, node: &Node, log: &str) {
    let version = release.version;
    let first = log.lines().next().unwrap_or_default();
    assert!(
        first.contains("msg=\"Initializing Rolling Backups\" creation=2s retention=1h0m0s"),
        "{version}: {log}"
    );
    let names = node.snapshots.snapshots();
    assert!(names.len() >= 2, "{version}: {names:?}");
    for name in names {
        let stem = match name.strip_suffix(".zip") {
            Some(stem) if release.zips => stem,
            None if !release.zips => &name,
            _ => panic!("{version}: {name}"),
        };
        let time = stem.strip_suffix("_etcd");
        let time = time.unwrap_or_else(|| panic!("{version}: {name}"));
        assert!(
            chrono::DateTime::parse_from_rfc3339(time).is_ok(),
            "{version}: {name}"
        );
        assert!(
            log.contains(&format!("name=\"{stem}\"")),
            "{version}: {log}"
        );
    }
}

#[tokio::test]
async fn uploads_reach_a_bucket_with_its_own_authority_and_no_key_is_to_be_seen() {
    let world = World::enter();
    let tls = TempDir::with_prefix("rollsnap-tls-").expect("a temporary directory");
    let certificates = Certificates::issue(tls.path(), &[etcd::HOST]);
    let _etcd = Etcd::start(&world.network, MB, Some(&certificates)).await;
    let bucket = SecureBucket::start(&world.network);

    let by_environment = (
        argv::with_bucket(&bucket.flags("folder")),
        keys_in_environment(),
    );
    let mut with_keys = argv::with_bucket(&bucket.flags("older"));
    with_keys.extend(keys_in_flags());
    for ((words, env), folder) in [
        (by_environment, "folder"),
        ((with_keys, Vec::new()), "older"),
    ] {
        let node = Node::new(&certificates);
        let sidecar = node.start(&world.network, NAME, &env, &words);
        until(
            "a zip in the bucket",
            || {
                bucket
                    .keys(folder)
                    .into_iter()
                    .find(|key| key.ends_with("_etcd.zip"))
            },
            || sidecar.log(),
        )
        .await;
        let process = docker(["top", NAME]);
        for key in [ACCESS_KEY, SECRET_KEY] {
            assert!(!process.contains(key), "docker top shows a key");
            assert!(!sidecar.log().contains(key), "the log shows a key");
        }
        sidecar.tell(&["stop"]);
        let key = bucket
            .keys(folder)
            .into_iter()
            .find(|key| key.ends_with("_etcd.zip"));
        let key = key.expect("it was there");
        assert_eq!(
            bucket.object(&format!("{folder}/{key}")),
            Some(node.snapshots.read(&key))
        );
    }
}

#[tokio::test]
async fn an_etcd_that_comes_later_than_the_sidecar_is_no_trouble() {
    let world = World::enter();
    let tls = TempDir::with_prefix("rollsnap-tls-").expect("a temporary directory");
    let certificates = Certificates::issue(tls.path(), &[etcd::HOST]);
    let node = Node::new(&certificates);
    let words = releases().pop().expect("there are releases").argv;
    let sidecar = node.start(&world.network, NAME, &[], &words);
    says(&sidecar, "level=warning").await;
    let _etcd = start_etcd(&world.network, &certificates).await;
    has_created(&sidecar, "Created local backup", 1).await;
    assert_eq!(sidecar.inspect(".RestartCount"), "0", "{}", sidecar.log());
}

async fn start_etcd(network: &Network, certificates: &Certificates) -> Etcd {
    Etcd::start(network, MB, Some(certificates)).await
}

async fn says(container: &Container, text: &str) {
    until(
        text,
        || container.log().contains(text).then_some(()),
        || container.log(),
    )
    .await;
}

pub(super) async fn has_created(sidecar: &Container, words: &str, count: usize) {
    let mark = format!("msg=\"{words}\"");
    until(
        "snapshots",
        || (sidecar.log().matches(&mark).count() >= count).then_some(()),
        || sidecar.log(),
    )
    .await;
}
