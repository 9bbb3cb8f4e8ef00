//! etcd in a container, on data that a process of this machine has written before.

use std::path::Path;

use rollsnap_testkit::etcd_real::EtcdReal;
use rollsnap_testkit::tls::Certificates;

use crate::docker::{Container, Network};
use crate::images;

/// Its name on the network.
pub(crate) const HOST: &str = "etcd";

/// A container and the directory that its data lies in.
#[derive(Debug)]
pub(crate) struct Etcd {
    pub(crate) container: Container,
    /// Stopped; owns the data directory.
    _writer: EtcdReal,
}

impl Etcd {
    /// An etcd with a database of at least `size` bytes. With certificates it speaks TLS only and
    /// wants one from each client.
    pub(crate) async fn start(
        network: &Network,
        size: usize,
        certificates: Option<&Certificates>,
    ) -> Self {
        let mut writer = EtcdReal::builder().start().await;
        writer.fill(size).await;
        writer.stop().await;

        let scheme = if certificates.is_some() {
            "https"
        } else {
            "http"
        };
        let mut command = vec![
            "etcd".to_owned(),
            format!("--name={}", writer.name()),
            "--data-dir=/data".to_owned(),
            format!("--listen-client-urls={scheme}://0.0.0.0:2379"),
            format!("--advertise-client-urls={scheme}://{HOST}:2379"),
            "--quota-backend-bytes=4294967296".to_owned(),
        ];
        let mut options = vec![format!("--volume={}:/data", writer.data_dir().display())];
        if let Some(certificates) = certificates {
            let inside = |path: &Path| format!("{}", path.display());
            options.push(volume(certificates.dir()));
            command.extend([
                format!("--cert-file={}", inside(&certificates.server())),
                format!("--key-file={}", inside(&certificates.server_key())),
                format!("--trusted-ca-file={}", inside(&certificates.ca())),
                "--client-cert-auth".to_owned(),
            ]);
        }
        let container = Container::run(HOST, network, &options, &images::etcd(), &command);
        Self {
            container,
            _writer: writer,
        }
    }

    /// Gives it a twentieth of a core, so that a stream takes seconds and can be caught under way.
    pub(crate) fn slow_down(&self) {
        self.container.tell(&["update", "--cpu-quota=5000"]);
    }

    /// Takes that back.
    pub(crate) fn speed_up(&self) {
        self.container.tell(&["update", "--cpu-quota=-1"]);
    }
}

/// Mounts a directory where it lies on this machine, for reading.
fn volume(dir: &Path) -> String {
    format!("--volume={0}:{0}:ro", dir.display())
}
