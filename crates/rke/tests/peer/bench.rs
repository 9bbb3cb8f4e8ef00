//! A node that serves, and what goes with it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use rollsnap_engine::image::ReadAt;
use rollsnap_rke::LineError;
use rollsnap_rke::argv::Certificates;
use rollsnap_rke::peer::{Door, Limits, Offer, Visit, fetch};
use rollsnap_testkit::tls;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

pub(crate) const NAME: &str = "2018-05-04T18:40:16+08:00_etcd";

/// Larger than what is sent at a time, and not a multiple of it.
pub(crate) fn snapshot() -> Vec<u8> {
    (0..3_000_007_u32)
        .map(|index| (index % 251) as u8)
        .collect()
}

/// The certificates of a cluster as RKE makes them: every node shows one for clients that names
/// nobody.
pub(crate) struct Cluster {
    pub(crate) dir: TempDir,
    pub(crate) files: tls::Certificates,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = tls::Certificates::issue(dir.path(), &[]);
        Self { dir, files }
    }

    /// Of `kube-node.pem`.
    pub(crate) fn node(&self) -> Certificates {
        certificates(
            &self.files.ca(),
            &self.files.client(),
            &self.files.client_key(),
        )
    }

    /// Of `kube-etcd-….pem`, which is for servers as well, and names them.
    pub(crate) fn server(&self) -> Certificates {
        certificates(
            &self.files.ca(),
            &self.files.server(),
            &self.files.server_key(),
        )
    }
}

pub(crate) fn certificates(cacert: &Path, cert: &Path, key: &Path) -> Certificates {
    Certificates {
        cacert: cacert.to_owned(),
        cert: cert.to_owned(),
        key: key.to_owned(),
    }
}

/// A node that serves. Dropped, it hangs up.
pub(crate) struct Node {
    pub(crate) port: u16,
    pub(crate) give: watch::Sender<Option<Arc<dyn ReadAt>>>,
    pub(crate) visits: mpsc::Receiver<Visit>,
    task: AbortHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    /// Serves nothing yet.
    pub(crate) async fn open(shown: &Certificates) -> Self {
        Self::within(shown, Limits::default()).await
    }

    /// The same within such limits.
    pub(crate) async fn within(shown: &Certificates, limits: Limits) -> Self {
        let door = Door::open(shown, 0).await.unwrap().within(limits);
        let port = door.port().unwrap();
        let (give, bytes) = watch::channel(None);
        let (told, visits) = mpsc::channel(16);
        let task = tokio::spawn(async move {
            let offer = Offer::new(NAME, bytes);
            let porter = move |visit| told.try_send(visit).unwrap();
            door.attend(&offer, &(Arc::new(porter) as _)).await;
        });
        Self {
            port,
            give,
            visits,
            task: task.abort_handle(),
        }
    }

    pub(crate) async fn serving(shown: &Certificates, bytes: Vec<u8>) -> Self {
        let node = Self::open(shown).await;
        node.give.send_replace(Some(Arc::new(bytes)));
        node
    }

    /// Downloads from it, with the length that was told.
    pub(crate) async fn download(
        &self,
        shown: &Certificates,
        name: &str,
    ) -> Result<(Option<u64>, Vec<u8>), LineError> {
        download(shown, self.port, name).await
    }
}

pub(crate) async fn download(
    shown: &Certificates,
    port: u16,
    name: &str,
) -> Result<(Option<u64>, Vec<u8>), LineError> {
    let fetched = fetch(shown, "127.0.0.1", port, name).await?;
    let pieces: Vec<_> = fetched.pieces.try_collect().await?;
    Ok((fetched.size, pieces.concat()))
}

/// A file whose reads end with an error after so many bytes.
pub(crate) struct Broken(pub(crate) Mutex<u64>);

impl ReadAt for Broken {
    fn size(&self) -> std::io::Result<u64> {
        Ok(1 << 20)
    }

    fn read_at(&self, _: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let mut left = self.0.lock().unwrap();
        let rest = left.checked_sub(buf.len() as u64);
        *left = rest.ok_or_else(|| std::io::Error::other("the disk is broken"))?;
        Ok(())
    }
}
