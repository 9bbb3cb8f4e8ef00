//! The directories of a node, and the containers that RKE starts there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rollsnap_testkit::tls::Certificates;
use tempfile::TempDir;

use super::image;
use crate::docker::{Container, Network, docker, try_docker};
use crate::folder::Folder;

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    /// `/opt/rke/etcd-snapshots`.
    pub(super) snapshots: Folder,
    /// `/etc/kubernetes`, with what is in `ssl` below it.
    pub(super) kubernetes: TempDir,
}

/// How a container that ran to its end ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    /// Both streams.
    pub(super) log: String,
    /// Standard error alone.
    errors: String,
}

impl Ended {
    /// The one line that RKE shows of a container that failed.
    pub(super) fn last_line(&self) -> &str {
        self.errors.lines().last().unwrap_or_default()
    }

    pub(super) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.log);
        self
    }
}

/// Which of the node's directories a container sees.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mounts {
    /// Both, as the sidecar.
    Both,
    /// That of the snapshots alone.
    Snapshots,
}

impl Node {
    /// With the authority and the node's own certificate, as RKE lays them down.
    pub(super) fn new(certificates: &Certificates) -> Self {
        let kubernetes = TempDir::with_prefix("rollsnap-kubernetes-").expect("a directory");
        let ssl = kubernetes.path().join("ssl");
        fs::create_dir(&ssl).expect("a directory can be made");
        for (file, name) in [
            (certificates.ca(), "kube-ca.pem"),
            (certificates.client(), "kube-node.pem"),
            (certificates.client_key(), "kube-node-key.pem"),
        ] {
            let path = ssl.join(name);
            fs::copy(file, &path).expect("a certificate can be copied");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
        }
        Self {
            snapshots: Folder::of(0),
            kubernetes,
        }
    }

    /// What RKE puts on each node before a one-off (`cluster-state-deployer`).
    pub(super) fn deploy_state(&self, name: &str, state: &str) {
        let path = self.kubernetes.path().join(format!("{name}.rkestate"));
        fs::write(&path, state).expect("a state can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("it is ours");
    }

    fn options(&self, mounts: Mounts) -> Vec<String> {
        let volume = |path: &Path, inside: &str| format!("--volume={}:{inside}", path.display());
        let mut options = vec![volume(self.snapshots.path(), "/backup")];
        if matches!(mounts, Mounts::Both) {
            options.push(volume(self.kubernetes.path(), "/etc/kubernetes"));
        }
        options
    }

    /// A container that goes on.
    pub(super) fn start(
        &self,
        network: &Network,
        name: &str,
        env: &[String],
        argv: &[String],
    ) -> Container {
        let mut options = self.options(Mounts::Both);
        options.extend(env.iter().map(|env| format!("--env={env}")));
        if name == crate::sidecar::NAME {
            options.push("--restart=always".to_owned());
        }
        Container::run(name, network, &options, image::build(), argv)
    }

    /// A container that ends by itself. Returns it too: RKE copies a file out of one.
    pub(super) fn run(
        &self,
        network: &Network,
        (name, mounts): (&str, Mounts),
        env: &[String],
        argv: &[String],
    ) -> (Ended, Container) {
        let mut options = self.options(mounts);
        options.extend(env.iter().map(|env| format!("--env={env}")));
        let container = Container::run(name, network, &options, image::build(), argv);
        docker(["wait", name]);
        let ended = Ended {
            code: container.exit_code(),
            log: container.log(),
            errors: container.errors(),
        };
        (ended, container)
    }
}

/// A file of a container that has ended, as `docker cp` gives it.
pub(super) fn copied_out(container: &str, path: &str) -> Result<Vec<u8>, String> {
    let dir = TempDir::with_prefix("rollsnap-copied-").expect("a temporary directory");
    let to = dir.path().join("file");
    try_docker([
        "cp",
        &format!("{container}:{path}"),
        &to.display().to_string(),
    ])?;
    fs::read(&to).map_err(|error| error.to_string())
}
