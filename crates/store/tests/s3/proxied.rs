//! The bucket store before servers of others, with a line and a front that go wrong: what the
//! script strikes, the server behind it never learns of, or learns of in part.

mod downloads;
mod uploads;
mod words;

use rollsnap_testkit::s3_proxy::S3Proxy;
use rollsnap_testkit::s3_real::{Radosgw, Rclone};
use rollsnap_testkit::s3_traffic::{Fault, Rule, Seen};

use super::*;

/// What stands behind the proxy.
enum Server {
    S3s(S3Peer),
    Rclone(Rclone),
    Ceph(Radosgw),
}

impl Server {
    async fn s3s() -> Self {
        Self::S3s(S3Peer::start(BUCKET).await)
    }

    async fn rclone() -> Self {
        Self::Rclone(Rclone::start(None).await)
    }

    async fn ceph() -> Self {
        Self::Ceph(Radosgw::start().await)
    }

    async fn proxy(&self) -> S3Proxy {
        match self {
            Self::S3s(server) => S3Proxy::before(&server.endpoint()).await,
            Self::Rclone(server) => S3Proxy::before(server.endpoint()).await,
            Self::Ceph(server) => S3Proxy::before(server.endpoint()).await,
        }
    }

    fn can_count(&self) -> bool {
        !matches!(self, Self::Rclone(_))
    }

    /// Uploads that were begun and neither completed nor aborted, where the server can tell.
    fn pending_uploads(&self) -> usize {
        match self {
            Self::S3s(server) => server.pending_uploads(),
            Self::Rclone(_) => 0,
            Self::Ceph(server) => server.pending_uploads(),
        }
    }
}

/// A store of its own folder behind the proxy. Bytes that do not move are given up soon.
fn store(proxy: &S3Proxy, folder: &str) -> S3Store {
    let mut config = config(proxy.endpoint());
    config.folder = Some(folder.into());
    config.tuning.stall_timeout = Duration::from_secs(2);
    S3Store::open(&config).unwrap()
}

fn refuse(status: u16, code: &'static str) -> Fault {
    Fault::Refuse {
        status,
        code,
        retry_after: None,
    }
}
