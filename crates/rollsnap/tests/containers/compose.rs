//! The compose file, as it lies in deploy/.

use std::process::{Command, Output, Stdio};

use crate::docker::{Container, PROJECT};
use crate::images;
use crate::sidecar::{NAME, Sidecar};
use crate::wait::until;
use crate::world::Turn;

#[tokio::test]
async fn the_compose_file_brings_snapshots_to_its_bucket() {
    let _turn = Turn::take();
    let project = Project::up();
    let sidecar = Sidecar {
        container: Container::named(NAME),
    };
    let created = sidecar.has_created(1).await.remove(0);
    until(
        "the snapshot in the bucket",
        || project.bucket().contains(&created).then_some(()),
        || sidecar.log(),
    )
    .await;
}

/// What `docker-compose up` has made, gone with the value.
struct Project {
    images: [(&'static str, String); 4],
}

impl Project {
    fn up() -> Self {
        let project = Self {
            images: [
                ("IMAGE", images::sidecar()),
                ("ETCD_IMAGE", images::etcd()),
                ("S3_IMAGE", images::rclone()),
                ("ROLLSNAP_CONFIG", "rollsnap-s3.yml".to_owned()),
            ],
        };
        project.down();
        let up = project.compose(&["--profile", "s3", "up", "--detach"]);
        assert!(
            up.status.success(),
            "{}",
            String::from_utf8_lossy(&up.stderr)
        );
        project
    }

    /// The names in the bucket of its S3 server.
    fn bucket(&self) -> String {
        let output = self.compose(&["exec", "-T", "s3", "rclone", "lsf", "/data/snapshots"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn down(&self) {
        self.compose(&["--profile", "s3", "down", "--volumes"]);
    }

    fn compose(&self, words: &[&str]) -> Output {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/compose.yaml");
        Command::new("docker-compose")
            .args(["--file", file, "--project-name", PROJECT])
            .args(words)
            .envs(self.images.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .expect("docker-compose is installed")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.down();
    }
}
