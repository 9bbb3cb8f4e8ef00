//! SIGHUP: the new settings, or the old ones if the new are wrong.

use std::fs;
use std::path::{Path, PathBuf};

use rollsnap_testkit::etcd_real::EtcdReal;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::Program;
use crate::running::{Running, field};

struct World {
    etcd: EtcdReal,
    place: TempDir,
}

impl World {
    async fn new() -> Self {
        Self {
            etcd: EtcdReal::builder().start().await,
            place: tempfile::tempdir().unwrap(),
        }
    }

    fn dir(&self) -> PathBuf {
        self.place.path().join("snapshots")
    }

    fn config(&self) -> PathBuf {
        self.place.path().join("rollsnap.yml")
    }

    fn write(&self, config: &str) {
        let (dir, endpoint) = (self.dir(), self.etcd.endpoint());
        let all = format!("dir: {}\nendpoints: {endpoint}\n{config}", dir.display());
        fs::write(self.config(), all).unwrap();
    }

    fn start(&self) -> Running {
        Program::new([Path::new("run"), Path::new("--config"), &self.config()]).start()
    }
}

#[tokio::test]
async fn a_new_interval_is_in_force_at_once() {
    let world = World::new().await;
    world.write("creation: 1h\n");
    let mut daemon = world.start();
    daemon.line("Created backup").await;
    world.write("creation: 1s\nretention: 1m\n");
    daemon.signal(Signal::HUP);
    let line = daemon.line("Initializing Rolling Backups").await;
    assert_eq!(field(&line, "creation"), "1s");
    assert_eq!(field(&line, "retention"), "1m0s");
    daemon.lines(2, "Created backup").await;
    assert_eq!(daemon.stop().await.code, Some(0));
}

#[tokio::test]
async fn whatever_is_wrong_with_the_new_settings_the_old_stay_in_force() {
    let world = World::new().await;
    world.write("creation: 1s\nretention: 1m\n");
    let mut daemon = world.start();
    daemon.line("Created backup").await;
    for (config, words) in [
        ("creation: 5\n", "rollsnap.yml:3: creation: is 5"),
        ("creation: 1s\ncacert: /nope.pem\n", "/nope.pem"),
        ("creation: [\n", "rollsnap.yml"),
        (
            "creation: 1s\nbackup_config: {s3backupconfig: {bucket_name: b, access_key: a, secret_key: s, endpoint: 'h?q'}}\n",
            "has a query",
        ),
    ] {
        world.write(config);
        daemon.signal(Signal::HUP);
        let line = daemon
            .line("The configuration is wrong; the old one stays in force")
            .await;
        assert!(
            line.contains(" level=error ") && line.contains(words),
            "{line}"
        );
        daemon.line("Created backup").await;
    }
    fs::remove_file(world.config()).unwrap();
    daemon.signal(Signal::HUP);
    daemon.line("the old one stays in force").await;
    daemon.line("Created backup").await;
    let end = daemon.stop().await;
    assert_eq!(end.code, Some(0));
    // Nothing began anew, not even in the log.
    assert_eq!(end.count("Initializing Rolling Backups"), 1);
}

#[tokio::test]
async fn a_new_directory_is_taken_over_and_the_old_one_given_back() {
    let world = World::new().await;
    world.write("creation: 1h\n");
    let mut daemon = world.start();
    daemon.line("Created backup").await;
    let other = world.place.path().join("other");
    let endpoint = world.etcd.endpoint();
    let config = format!(
        "creation: 1h\ndir: {}\nendpoints: {endpoint}\n",
        other.display()
    );
    fs::write(world.config(), config).unwrap();
    daemon.signal(Signal::HUP);
    daemon.line("Created backup").await;
    assert_eq!(crate::world::snapshots(&other).len(), 1);

    let mut neighbour = Program::new(["run", "--creation", "1h"])
        .etcd(&world.etcd)
        .dir(&world.dir())
        .start();
    neighbour.line("Next backup is not due yet").await;
    assert_eq!(neighbour.stop().await.code, Some(0));
    assert_eq!(daemon.stop().await.code, Some(0));
}
