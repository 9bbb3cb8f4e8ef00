//! `etcd-backup download`: a snapshot from the bucket or from another node, unpacked under its own
//! name.

use futures_util::TryStreamExt;
use rollsnap_engine::plain::{self, Plain};
use rollsnap_engine::{Kind, SnapshotName, backoff, image};
use rollsnap_rke::argv::{Certificates, Download, Origin};
use rollsnap_rke::peer;
use rollsnap_rke::wording;
use rollsnap_store::{SpoolStore, Store as _};
use tokio::time::sleep;
use tracing::{info, warn};

use super::serve::{port, whole_name};
use crate::assembly;
use crate::commands::Context;
use crate::config::Settings;
use crate::report::Failure;

/// How often a node is asked. RKE starts the container again after a failure, too.
const TRIES: u32 = 3;

pub(super) async fn run(download: &Download, context: &Context) -> Result<(), Failure> {
    let name = whole_name(&download.name)?;
    info!("{}", wording::DOWNLOADING);
    let settings = context.settings()?;
    match &download.from {
        Origin::Bucket(_) => from_bucket(&settings, &name).await,
        Origin::Node { host, certificates } => {
            let local = assembly::local(&settings)?;
            let node = Node {
                host,
                port: port(context)?,
                certificates,
            };
            node.patiently(&local, &name).await
        }
    }
}

async fn from_bucket(settings: &Settings, name: &SnapshotName) -> Result<(), Failure> {
    let remote = assembly::remote_needed(settings)?;
    let local = assembly::local(settings)?;
    info!("{}", wording::looking_in_bucket(name));
    let Some(found) = image::find(&*remote, name.as_str()).await? else {
        let message = format!("no snapshot {name} is in {}", remote.location());
        return Err(Failure::new(Kind::Usage, message));
    };
    if let Some(doubt) = &found.doubt {
        warn!(name = %name, "{doubt}; the digest at its end decides");
    }
    let scratch = assembly::scratch(settings);
    plain::fetch(&*remote, &local, name, &found, &scratch).await?;
    let object = &found.object.name;
    info!("{}", wording::downloaded_object(object));
    if object.as_str() != name.as_str() {
        let place = |file: &str| format!("{}/{file}", local.location());
        info!(
            "{}",
            wording::unpacked(place(object.as_str()), place(name.as_str()))
        );
    }
    Ok(())
}

/// A node that serves.
struct Node<'a> {
    host: &'a str,
    port: u16,
    certificates: &'a Certificates,
}

impl Node<'_> {
    /// Asks again after what may come right by itself.
    async fn patiently(&self, local: &dyn SpoolStore, name: &SnapshotName) -> Result<(), Failure> {
        for attempt in 1.. {
            match self.download(local, name).await {
                Err(failure) if attempt < TRIES && failure.kind.is_transient() => {
                    warn!(attempt, error = failure.message, "Download failed");
                    sleep(backoff::wait_after(attempt, failure.kind)).await;
                }
                result => return result,
            }
        }
        unreachable!("the last try returns")
    }

    async fn download(&self, local: &dyn SpoolStore, name: &SnapshotName) -> Result<(), Failure> {
        let Self { host, port, .. } = *self;
        info!(
            "{}",
            wording::downloading_from(peer::url(host, port, name.as_str()))
        );
        let fetched = peer::fetch(self.certificates, host, port, name.as_str()).await?;
        let mut pieces = fetched.pieces;
        let mut plain = Plain::begin(local, name, fetched.size).await?;
        while let Some(piece) = pieces.try_next().await? {
            plain.push(piece).await?;
        }
        plain.finish(local).await?;
        info!("{}", wording::downloaded_from(name, host));
        Ok(())
    }
}
