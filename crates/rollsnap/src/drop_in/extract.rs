//! `etcd-backup extractstatefile`: the cluster's state out of a snapshot's archive, for RKE, which
//! copies it out of the container that has ended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsnap_engine::image::{Remote, state_in};
use rollsnap_engine::{Kind, SnapshotName};
use rollsnap_rke::argv::Extract;
use rollsnap_rke::wording;
use rollsnap_store::{ObjectInfo, Store, StoreError};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::snapshot_named;
use crate::assembly;
use crate::commands::Context;
use crate::report::{Failure, chain};

/// Where RKE looks for it.
const STATE_FILE: &str = "/tmp/cluster.rkestate";

/// The variable that says another place.
const STATE_FILE_ENV: &str = "ROLLSNAP_STATE_FILE";

/// What an archive may have after its name: v0.1.29 and v0.1.30 called theirs `.gz`.
const ARCHIVES: [&str; 2] = [".zip", ".gz"];

pub(super) async fn run(extract: &Extract, context: &Context) -> Result<(), Failure> {
    let name = snapshot_named(&extract.name)?;
    let target = context.environment.get(STATE_FILE_ENV);
    let target = PathBuf::from(target.unwrap_or(STATE_FILE));
    info!("{}", wording::looking_for_state(&name));
    let (state, archive) = find(&name, context).await?;
    put(&target, &state).map_err(|error| {
        let error = StoreError::io("write", target.display().to_string(), error);
        Failure::from(error)
    })?;
    let entry = format!("/etc/kubernetes/{name}.rkestate");
    info!("{}", wording::extracted(entry, archive, target.display()));
    Ok(())
}

/// The state and the archive that had it. The bucket comes first where there is one, for that is
/// where the nodes fetch the snapshot from; what cannot be had there may be here.
async fn find(
    name: &SnapshotName,
    context: &Context,
) -> Result<(Zeroizing<Vec<u8>>, String), Failure> {
    let in_bucket = async {
        match context.settings().and_then(|it| assembly::remote(&it))? {
            Some(remote) => look(&remote, name).await,
            None => Ok(Looked::Nothing),
        }
    };
    let mut is_there = false;
    let trouble = match in_bucket.await {
        Ok(Looked::Found(state, path)) => return Ok((state, path)),
        Ok(looked) => {
            is_there |= matches!(looked, Looked::Without);
            None
        }
        Err(failure) => {
            warn!(
                error = failure.message,
                hint = failure.hint.as_deref(),
                "Cannot look for the statefile in the bucket; looking here"
            );
            Some(failure)
        }
    };
    let settings = context.settings_without_bucket()?;
    let local: Arc<dyn Store> = Arc::new(assembly::local_to_read(&settings)?);
    match look(&local, name).await? {
        Looked::Found(state, path) => return Ok((state, path)),
        Looked::Without => is_there = true,
        Looked::Nothing => {}
    }
    Err(trouble.unwrap_or_else(|| {
        let message = if is_there {
            format!("no statefile is in a snapshot {name}")
        } else {
            format!("there is no archive of a snapshot {name}")
        };
        Failure::new(Kind::Usage, message)
    }))
}

/// What a store has of a snapshot.
enum Looked {
    /// No archive.
    Nothing,
    /// An archive without a state.
    Without,
    /// The state, and the archive that had it.
    Found(Zeroizing<Vec<u8>>, String),
}

async fn look(store: &Arc<dyn Store>, name: &SnapshotName) -> Result<Looked, Failure> {
    let mut looked = Looked::Nothing;
    let objects = store.list(name.as_str()).await?;
    for extension in ARCHIVES {
        let is_it = |object: &&ObjectInfo| {
            object.name.as_str().strip_prefix(name.as_str()) == Some(extension)
        };
        let Some(object) = objects.iter().find(is_it) else {
            continue;
        };
        let path = format!("{}/{}", store.location(), object.name);
        let archive = Remote::new(Arc::clone(store), object.clone(), Handle::current());
        let state = spawn_blocking(move || state_in(&archive)).await;
        let state = state.map_err(|ended| Failure::new(Kind::Bug, ended.to_string()))?;
        let state = state.map_err(|error| Failure {
            kind: error.kind(),
            message: format!("read {path}: {}", chain(&error)),
            hint: error.hint().map(str::to_owned),
        })?;
        if let Some(state) = state {
            return Ok(Looked::Found(state, path));
        }
        looked = Looked::Without;
    }
    Ok(looked)
}

/// Writes a file that nobody else may read: it holds the cluster's private keys.
fn put(target: &Path, state: &[u8]) -> io::Result<()> {
    // Not every image has a /tmp.
    target.parent().map_or(Ok(()), fs::create_dir_all)?;
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)?;
    file.write_all(state)
}
