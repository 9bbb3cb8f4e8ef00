//! `rollsnap rke pki save` and `rollsnap rke pki restore`: the certificates of RKE before v0.2.0,
//! which had no other state of the cluster.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollsnap_engine::Kind;
use rollsnap_engine::bundle::{cluster_of, is_bundle, load as load_whole};
use rollsnap_rke::bundle;
use rollsnap_store::{ErrorKind, ObjectName, Store, Terms};
use serde::Serialize;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::assembly;
use crate::cli::rke::Pki;
use crate::commands::Context;
use crate::config::Settings;
use crate::output;
use crate::report::Failure;

#[derive(Serialize)]
struct Report {
    /// The bundle.
    bundle: String,
    /// The directory that was packed, or unpacked into.
    directory: PathBuf,
    /// Files in it.
    files: usize,
}

pub(in crate::commands) async fn run(context: &Context, pki: &Pki) -> Result<(), Failure> {
    match pki {
        Pki::Save(directory) => save(context, directory).await,
        Pki::Restore(directory) => restore(context, directory).await,
    }
}

async fn save(context: &Context, directory: &Path) -> Result<(), Failure> {
    let from = directory.to_owned();
    let Some(packed) = blocking(move || bundle::pack(&from)).await?? else {
        let message = format!(
            "save {}: there are no certificates in {}",
            bundle::NAME,
            directory.display()
        );
        return Err(Failure::new(Kind::Config, message).with_hint(
            "RKE since v0.2.0 keeps them in the cluster's state: nothing is to be saved",
        ));
    };
    let local = assembly::local(&context.settings()?)?;
    let mut upload = local.begin(&name(), Terms::replacing()).await?;
    upload.write(packed.bytes.to_vec().into()).await?;
    upload.commit().await?;
    let bundle = format!("{}/{}", local.location(), bundle::NAME);
    let report = report(bundle, directory, packed.files);
    output::tell(context.format, &report, || {
        format!("packed {} files into {}\n", report.files, report.bundle)
    })
}

async fn restore(context: &Context, directory: &Path) -> Result<(), Failure> {
    let (bytes, from) = load(&context.settings()?).await?;
    let into = directory.to_owned();
    let files = blocking(move || bundle::unpack(&bytes, &into)).await??;
    let report = report(from, directory, files.len());
    output::tell(context.format, &report, || {
        format!(
            "unpacked {} files into {}\n",
            report.files,
            directory.display()
        )
    })
}

fn name() -> ObjectName {
    ObjectName::new(bundle::NAME).expect("it is one component")
}

fn report(bundle: String, directory: &Path, files: usize) -> Report {
    Report {
        bundle,
        directory: directory.to_owned(),
        files,
    }
}

/// The bundle in the directory, or where there is none the newest in the bucket, and what it is
/// called there.
async fn load(settings: &Settings) -> Result<(Zeroizing<Vec<u8>>, String), Failure> {
    let local = assembly::local_to_read(settings)?;
    let place = |store: &dyn Store, name: &ObjectName| format!("{}/{name}", store.location());
    let missing = match load_whole(&local, &name()).await {
        Ok(bytes) => return Ok((Zeroizing::new(bytes), place(&local, &name()))),
        Err(error) if error.kind() == ErrorKind::NotFound => error,
        Err(error) => return Err(error.into()),
    };
    let Some(remote) = assembly::remote(settings)? else {
        let hint = "copy the bundle of another node here, or give its --dir or the bucket";
        return Err(Failure::from(missing).with_hint(hint));
    };
    let newest = newest(&*remote).await?;
    let bytes = load_whole(&*remote, &newest).await?;
    Ok((Zeroizing::new(bytes), place(&*remote, &newest)))
}

/// The newest bundle of the one cluster that has any there.
async fn newest(remote: &dyn Store) -> Result<ObjectName, Failure> {
    let mut there = remote.list("").await?;
    there.retain(|object| is_bundle(&object.name));
    let clusters: BTreeSet<_> = there.iter().map(|it| cluster_of(&it.name)).collect();
    if clusters.len() > 1 {
        let message = format!(
            "{} holds certificates of {} clusters",
            remote.location(),
            clusters.len()
        );
        let hint = format!(
            "copy the right one of rollsnap list into --dir, as {}",
            bundle::NAME
        );
        return Err(Failure::new(Kind::Usage, message).with_hint(hint));
    }
    let newest = there.into_iter().max_by_key(|object| object.modified);
    newest.map(|object| object.name).ok_or_else(|| {
        let message = format!(
            "{} is neither here nor in {}",
            bundle::NAME,
            remote.location()
        );
        Failure::new(Kind::Config, message)
            .with_hint("copy the bundle of another node here, or give its --dir")
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let ended = spawn_blocking(work).await;
    ended.map_err(|error| Failure::new(Kind::Bug, error.to_string()))
}
