//! `pki.bundle.tar.gz`: the certificates of clusters that RKE before v0.2.0 built, beside the
//! snapshots in the directory and in the bucket. No rule deletes one anywhere.
//!
//! RKE writes a new one over the old one after each save on every node, and no two have equal
//! bytes, for a tar holds times. In a bucket each is therefore called by what it is:
//! `<cluster>-<digest>.pki.bundle.tar.gz`. The name alone tells that it is there, nothing is read
//! back, and whoever shares the bucket overwrites nobody's.

use std::io::{self, Read as _};

use flate2::read::GzDecoder;
use futures_util::TryStreamExt;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, Location, ObjectInfo, ObjectName, Store, StoreError, Terms};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::Catalog;
use crate::manifest::Id;
use crate::retention::Guard;

/// Its name in the directory, and what its name in a bucket ends with. No snapshot is called so.
pub const NAME: &str = "pki.bundle.tar.gz";

/// The largest that is read. RKE's are some 100 KiB.
pub const MOST: u64 = 16 << 20;

/// The most that one unpacks to.
const MOST_UNPACKED: u64 = 256 << 20;

/// Digits of the digest in a name: enough for no two to have one name.
const DIGEST: usize = 16;

/// Whether an object is such a bundle, wherever it lies.
pub fn is_bundle(object: &ObjectName) -> bool {
    object.as_str().ends_with(NAME)
}

/// The cluster that a bundle's name in a bucket tells.
pub fn cluster_of(object: &ObjectName) -> Option<&str> {
    let (cluster, rest) = object.as_str().split_once('-')?;
    rest.ends_with(NAME).then_some(cluster)
}

/// What a bundle of that cluster with these bytes is called in a bucket.
fn name_there(cluster: Id, bytes: &[u8]) -> ObjectName {
    let digest = Digest(Sha256::digest(bytes).into()).to_string();
    let name = format!("{cluster}-{}.{NAME}", &digest[..DIGEST]);
    ObjectName::new(name).expect("digits and a word")
}

/// Reads a bundle, which must be whole: tar writes it where it lies.
pub async fn load(store: &dyn Store, name: &ObjectName) -> Result<Vec<u8>, StoreError> {
    let corrupt = |message: String| {
        StoreError::new(ErrorKind::Corrupt, "read", store.location(), name, message)
    };
    let mut bytes = Vec::new();
    let mut pieces = store.read(name, None).await?;
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > MOST {
            return Err(corrupt(format!("is larger than {MOST} bytes")));
        }
    }
    let unpacked = spawn_blocking(move || {
        let mut unpacked = GzDecoder::new(&*bytes).take(MOST_UNPACKED + 1);
        match io::copy(&mut unpacked, &mut io::sink()) {
            Ok(size) if size > MOST_UNPACKED => Err(io::ErrorKind::FileTooLarge.into()),
            done => done.map(|_| bytes),
        }
    });
    let whole = unpacked.await.map_err(io::Error::other).flatten();
    whole.map_err(|error| {
        corrupt("it is cut or broken".to_owned())
            .caused_by(error)
            .with_hint("RKE writes it anew with its next snapshot-save")
    })
}

/// What came of a bundle here.
pub(crate) enum News<'a> {
    /// It is in the bucket.
    Copied(&'a ObjectInfo, &'a Location),
    /// It cannot be copied as it is.
    Unfit(&'a StoreError),
}

/// The bundle here as it was looked at last, and its name there. `None` where it is unfit, which
/// was told.
#[derive(Debug, Default)]
pub(crate) struct Bundle(Option<(ObjectInfo, Option<ObjectName>)>);

impl Bundle {
    /// Copies the bundle that is here, unless it is there. Reads it once as long as neither its
    /// size nor its time changes. An error is the bucket's.
    pub(crate) async fn pay(
        &mut self,
        (local, here): (&dyn Store, &Catalog),
        (remote, there): (&dyn Store, &Catalog),
        guard: Guard,
        tell: impl Fn(News<'_>),
    ) -> Result<(), StoreError> {
        let Some(info) = here.bundles.iter().find(|it| it.name.as_str() == NAME) else {
            return Ok(());
        };
        let known = self.0.take().filter(|(seen, _)| seen == info);
        let is_there = |name: &ObjectName| {
            let mut all = there.bundles.iter();
            all.any(|it| it.name == *name && it.size == info.size)
        };
        if known
            .as_ref()
            .is_some_and(|(_, name)| name.as_ref().is_none_or(is_there))
        {
            self.0 = known;
            return Ok(());
        }
        let bytes = match load(local, &info.name).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tell(News::Unfit(&error));
                // What could not be read may be read the next time.
                if error.kind() == ErrorKind::Corrupt {
                    self.0 = Some((info.clone(), None));
                }
                return Ok(());
            }
        };
        let name = name_there(guard.cluster, &bytes);
        if !is_there(&name) {
            // Another member's of that name has the same bytes.
            let mut upload = remote.begin(&name, Terms::replacing()).await?;
            upload.write(bytes.into()).await?;
            let copied = upload.commit().await?;
            tell(News::Copied(&copied, remote.location()));
        }
        self.0 = Some((info.clone(), Some(name)));
        Ok(())
    }
}
