//! `etcd-backup serve`: one snapshot for the other nodes, until RKE removes the container.

use std::sync::Arc;

use rollsnap_engine::image::Scratch;
use rollsnap_engine::name::Part;
use rollsnap_engine::{Codec, Kind, SnapshotName, plain};
use rollsnap_rke::argv::Serve;
use rollsnap_rke::peer::{self, Door, Offer, Porter, Visit};
use rollsnap_rke::wording;
use rollsnap_store::{ObjectName, SpoolStore};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::assembly;
use crate::commands::Context;
use crate::report::{Failure, chain};

/// The variable that says another port than etcd's.
const PORT_ENV: &str = "ROLLSNAP_PEER_PORT";

/// Forms of a snapshot that are unpacked for it, the likeliest first.
const ARCHIVES: [&str; 3] = [".zip", ".gz", ".zst"];

/// The port is open at once, for RKE looks after 5 s; who calls before the snapshot is unpacked
/// waits for it.
pub(super) async fn run(serve: &Serve, context: &Context) -> Result<(), Failure> {
    let name = whole_name(&serve.name)?;
    let settings = context.settings()?;
    let local = assembly::local(&settings)?;
    let door = Door::open(&serve.certificates, port(context)?).await?;
    info!(name = %name, port = door.port().ok(), "Serving a snapshot to the other nodes");
    let (give, bytes) = watch::channel(None);
    let giving = async {
        lay_bare(&local, &name, &assembly::scratch(&settings)).await?;
        give.send_replace(Some(plain::open(&local, &name).await?));
        std::future::pending().await
    };
    let offer = Offer::new(name.as_str(), bytes);
    let porter: Porter = Arc::new(tell);
    tokio::select! {
        biased;
        () = context.orders.stop.cancelled() => Ok(()),
        failed = giving => failed,
        never = door.attend(&offer, &porter) => match never {},
    }
}

/// Sees to it that the plain copy is there and whole. An archive wins over a copy that lies beside
/// it, which may be an older one's of the same name, unless the archive is broken and the copy whole.
async fn lay_bare(
    local: &dyn SpoolStore,
    name: &SnapshotName,
    scratch: &Scratch,
) -> Result<(), Failure> {
    let Some(archive) = archive(local, name).await? else {
        plain::prove(local, name).await?;
        return Ok(());
    };
    let path = format!("{}/{archive}", local.location());
    if let Err(error) = plain::unpack(local, name, &archive, scratch).await {
        if error.kind() != Kind::Corrupt || !plain::stands_in(local, name).await {
            return Err(error.into());
        }
        warn!(
            error = chain(&error),
            path, "The archive is broken; the whole plain copy beside it is served"
        );
        return Ok(());
    }
    info!("{}", wording::unpacked_from(path));
    Ok(())
}

/// The archive of a snapshot, where there is one.
async fn archive(
    local: &dyn SpoolStore,
    name: &SnapshotName,
) -> Result<Option<ObjectName>, Failure> {
    let objects = local.list(name.as_str()).await?;
    let found = ARCHIVES.iter().find_map(|extension| {
        let archive = format!("{name}{extension}");
        objects.iter().find(|it| it.name.as_str() == archive)
    });
    Ok(found.map(|found| found.name.clone()))
}

fn tell(visit: Visit) {
    match visit {
        Visit::Served(caller) => info!(caller = %caller, "Gave the snapshot to a node"),
        Visit::Lost(caller) => warn!(caller = %caller, "A node asked for something else"),
        Visit::Failed(caller, error) => {
            warn!(caller = %caller, error = chain(&*error), "A caller did not get the snapshot");
        }
    }
}

/// The port of nodes that serve.
pub(super) fn port(context: &Context) -> Result<u16, Failure> {
    let Some(text) = context.environment.get(PORT_ENV) else {
        return Ok(peer::PORT);
    };
    text.parse().map_err(|_| {
        let message = format!("{PORT_ENV}={text} is no port");
        Failure::new(Kind::Config, message).with_hint("give a number of 0 to 65535")
    })
}

/// The name of a snapshot whose plain copy RKE looks for under that very name. With the extension
/// of an archive it would find the archive itself, and restore from that (rke#2408).
pub(super) fn whole_name(name: &str) -> Result<SnapshotName, Failure> {
    let object =
        ObjectName::new(name).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    match Part::of(&object) {
        Some(Part::Stored(name, Codec::None)) if name.as_str().strip_suffix(".gz").is_none() => {
            Ok(name)
        }
        _ => {
            let message = format!("name {name:?} is that of a file, not of a snapshot");
            Err(Failure::new(Kind::Usage, message)
                .with_hint("give the snapshot's name without .zip"))
        }
    }
}
