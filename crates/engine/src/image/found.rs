//! One snapshot of a store by its name, without the manifests of all others.

use futures_util::TryStreamExt;
use rollsnap_store::{ErrorKind, ObjectInfo, ObjectName, Store, StoreError};

use crate::Manifest;
use crate::manifest::MAX_SIZE;
use crate::name::Part;

/// What a snapshot's object may have after its name, the likeliest first: what is written here
/// (none, `.zst`), and what RKE's sidecar wrote (`.zip`; v0.1.29 and 30 called their zips `.gz`).
const EXTENSIONS: [&str; 4] = ["", ".zst", ".zip", ".gz"];

/// A snapshot's object.
#[derive(Debug, Clone)]
pub struct Found {
    /// The object.
    pub object: ObjectInfo,
    /// What its manifest tells, if that fits it.
    pub manifest: Option<Manifest>,
    /// Why the manifest beside it does not fit it or cannot be read.
    pub doubt: Option<String>,
}

/// The snapshot that is called `name`, with or without an extension. Where several are, the one
/// that its manifest fits.
pub async fn find(store: &dyn Store, name: &str) -> Result<Option<Found>, StoreError> {
    let mut first = None;
    let objects = store.list(name).await?;
    for extension in EXTENSIONS {
        let is_it = |object: &&ObjectInfo| {
            let rest = object.name.as_str().strip_prefix(name);
            let beside = Part::of(&object.name);
            let is_beside = matches!(
                beside,
                Some(Part::Manifest(_) | Part::Index(_) | Part::Bundle)
            );
            rest == Some(extension) && !is_beside
        };
        let Some(object) = objects.iter().find(is_it) else {
            continue;
        };
        let found = look(store, object.clone()).await?;
        if found.manifest.is_some() {
            return Ok(Some(found));
        }
        first = first.or(Some(found));
    }
    Ok(first)
}

/// Reads the manifest that lies beside an object, if there is one.
pub async fn look(store: &dyn Store, object: ObjectInfo) -> Result<Found, StoreError> {
    let told = match Part::of(&object.name) {
        Some(Part::Stored(name, codec)) => match load(store, &name.manifest()).await? {
            None => Ok(None),
            Some(bytes) => match Manifest::read(&name, &bytes) {
                Err(error) => Err(error.to_string()),
                Ok(manifest) if manifest.stored.codec != codec => {
                    Err("its manifest tells of another encoding".to_owned())
                }
                Ok(manifest) if manifest.stored.content.size != object.size => Err(format!(
                    "it has {} bytes, its manifest tells of {}",
                    object.size, manifest.stored.content.size
                )),
                Ok(manifest) => Ok(Some(manifest)),
            },
        },
        _ => Ok(None),
    };
    let (manifest, doubt) = match told {
        Ok(manifest) => (manifest, None),
        Err(doubt) => (None, Some(doubt)),
    };
    Ok(Found {
        object,
        manifest,
        doubt,
    })
}

/// The bytes of a small object; `None` when it is absent, none when it is too large.
pub(crate) async fn load(
    store: &dyn Store,
    name: &ObjectName,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut pieces = match store.read(name, None).await {
        Ok(pieces) => pieces,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > MAX_SIZE {
            return Ok(Some(Vec::new()));
        }
    }
    Ok(Some(bytes))
}
