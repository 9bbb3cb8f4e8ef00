//! The plain copy of a snapshot: etcd's bytes under the snapshot's own name, beside the archive
//! that it came from or without one.
//!
//! RKE restores from such a copy and compares its MD5 on every node first. It gets its name in one
//! step, after the digest at its end held: whatever fails before, what had the name keeps it.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use rollsnap_snapfile::{Digest, Proof, ReadAt, TrailerError, TrailerHasher};
use rollsnap_store::{ObjectName, ReadBack, Spool, SpoolStore, Store, StoreError, Terms};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::follow::put_manifest;
use crate::image::{Access, Found, Image, ImageError, Scratch};
use crate::manifest::{Content, Stored};
use crate::name::Part;
use crate::replacement::{manifest_beside, strip};
use crate::{Codec, Kind, SnapshotName};

/// Bytes read at a time.
const PIECE: u64 = 256 << 10;

/// Why there is no plain copy.
#[derive(Debug, thiserror::Error)]
pub enum PlainError {
    /// A directory or a bucket did not answer rightly.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive cannot be opened or read.
    #[error("unpack {object}")]
    Archive {
        /// The object.
        object: String,
        /// Why.
        #[source]
        cause: ImageError,
    },
    /// What came is no snapshot, or not all of one.
    #[error("check the digest at the end of {name}")]
    Broken {
        /// The snapshot.
        name: SnapshotName,
        /// Why.
        #[source]
        cause: TrailerError,
    },
    /// It is whole, and not what its manifest tells of.
    #[error("{object} is not what its manifest tells of: its digest is {actual}, not {told}")]
    Other {
        /// The object.
        object: String,
        /// The digest in the manifest.
        told: Digest,
        /// That of the bytes that came.
        actual: Digest,
    },
}

impl PlainError {
    /// What it means.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind().into(),
            Self::Archive { cause, .. } => cause.kind(),
            Self::Broken { .. } | Self::Other { .. } => Kind::Corrupt,
        }
    }

    /// What may be done about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Archive { cause, .. } => cause.hint(),
            Self::Broken { .. } | Self::Other { .. } => {
                Some("take the snapshot from another node or the bucket, or take another snapshot")
            }
        }
    }
}

/// A plain copy on its way. Dropped, it leaves nothing.
///
/// Memory: what a spool gathers.
pub struct Plain {
    name: SnapshotName,
    spool: Box<dyn Spool>,
    hash: TrailerHasher,
}

impl Plain {
    /// Begins the copy, refused where there is no room for `size` bytes.
    pub async fn begin(
        local: &dyn SpoolStore,
        name: &SnapshotName,
        size: Option<u64>,
    ) -> Result<Self, StoreError> {
        let terms = Terms {
            at_most: size,
            replaces: true,
        };
        Ok(Self {
            name: name.clone(),
            spool: local.spool(&name.stored(Codec::None), terms).await?,
            hash: TrailerHasher::default(),
        })
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.hash.push(&piece);
        self.spool.write(piece).await
    }

    /// Checks the digest at the end and gives the copy its name, in the place of whatever has it.
    /// What a manifest told of other bytes under that name is forgotten first.
    pub async fn finish(self, local: &dyn SpoolStore) -> Result<Proof, PlainError> {
        let Self { name, spool, hash } = self;
        let proof = match hash.finish() {
            Ok(proof) => proof,
            Err(cause) => {
                spool.abort().await?;
                return Err(PlainError::Broken { name, cause });
            }
        };
        let content = Content {
            digest: proof.whole,
            size: proof.size,
        };
        publish(local, &name, Codec::None, content, spool).await?;
        Ok(proof)
    }
}

/// Gives a spool its name. A manifest that tells of other bytes in this encoding goes first, and
/// what lies beside it: a crash in between leaves the old bytes, unknown.
async fn publish(
    local: &dyn SpoolStore,
    name: &SnapshotName,
    codec: Codec,
    content: Content,
    mut spool: Box<dyn Spool>,
) -> Result<(), StoreError> {
    spool.seal().await?;
    let is_of_others = |stored: &Stored| stored.codec == codec && stored.content != content;
    let beside = manifest_beside(local, name).await?;
    if beside.is_some_and(|beside| is_of_others(&beside.stored)) {
        strip(local, name).await?;
    }
    spool.commit().await.map(drop)
}

/// Unpacks the archive of a snapshot that lies in the directory, beside it.
pub async fn unpack(
    local: &dyn SpoolStore,
    name: &SnapshotName,
    archive: &ObjectName,
    scratch: &Scratch,
) -> Result<Proof, PlainError> {
    let stored = local.open(archive).await?;
    let object = format!("{}/{archive}", local.location());
    unpack_of(local, name, object, stored, scratch).await
}

async fn unpack_of(
    local: &dyn SpoolStore,
    name: &SnapshotName,
    object: String,
    stored: Box<dyn ReadBack>,
    scratch: &Scratch,
) -> Result<Proof, PlainError> {
    let fault = |cause| PlainError::Archive {
        object: object.clone(),
        cause,
    };
    let scratch = scratch.clone();
    let opening = spawn_blocking(move || {
        let stored = at_any_place(stored);
        // Archives of ours are read in order as they are; only others need room to unpack.
        Image::open(stored, Access::Few, &scratch, &mut |_, _| {
            std::ops::ControlFlow::Continue(())
        })
    });
    let opened = opening
        .await
        .map_err(|ended| fault(ImageError::Read(io::Error::other(ended))))?;
    let image = opened.map_err(fault)?;
    let mut plain = Plain::begin(local, name, Some(image.len())).await?;
    let mut pieces = pieces(image.bytes(), 0..image.len());
    while let Some(piece) = pieces
        .try_next()
        .await
        .map_err(|e| fault(ImageError::Read(e)))?
    {
        plain.push(piece).await?;
    }
    plain.finish(local).await
}

/// Copies a snapshot from elsewhere into the directory, as it is kept there, with its manifest, and
/// unpacks it. The plain copy comes first; nothing that was here is touched before it stands.
pub async fn fetch(
    from: &dyn Store,
    local: &dyn SpoolStore,
    name: &SnapshotName,
    found: &Found,
    scratch: &Scratch,
) -> Result<Proof, PlainError> {
    let object = &found.object;
    let place = format!("{}/{}", from.location(), object.name);
    let codec = match Part::of(&object.name) {
        Some(Part::Stored(held, codec)) if held == *name => codec,
        // The old program's `.gz`: kept under its name, and known by its bytes.
        _ => Codec::Zip,
    };
    let terms = Terms {
        at_most: Some(object.size),
        replaces: true,
    };
    let mut spool = local.spool(&object.name, terms).await?;
    let mut hash = Sha256::new();
    let mut coming = from.read(&object.name, None).await?;
    while let Some(piece) = coming.try_next().await? {
        hash.update(&piece);
        spool.write(piece).await?;
    }
    let content = Content {
        digest: Digest(hash.finalize().into()),
        size: spool.written(),
    };
    if let Some(manifest) = &found.manifest {
        let told = manifest.stored.content.digest;
        if told != content.digest {
            spool.abort().await?;
            let (object, actual) = (place, content.digest);
            return Err(PlainError::Other {
                object,
                told,
                actual,
            });
        }
    }
    spool.seal().await?;
    let stored = spool.reader()?;
    let proof = if codec == Codec::None {
        proof_of(name, stored).await?
    } else {
        unpack_of(local, name, place, stored, scratch).await?
    };
    publish(local, name, codec, content, spool).await?;
    if let Some(manifest) = &found.manifest {
        // One that speaks of another form of it goes on doing so.
        let beside = manifest_beside(local, name).await?;
        if beside.is_none_or(|beside| beside.stored.codec == codec) {
            put_manifest(local, manifest).await?;
        }
    }
    Ok(proof)
}

/// The proof of a plain copy that is there, by the digest at its end.
pub async fn prove(local: &dyn SpoolStore, name: &SnapshotName) -> Result<Proof, PlainError> {
    proof_of(name, local.open(&name.stored(Codec::None)).await?).await
}

/// Whether the plain copy that is there may stand in for an archive that is broken: it is whole, and
/// no manifest tells that the snapshot is another.
pub async fn stands_in(local: &dyn SpoolStore, name: &SnapshotName) -> bool {
    let Ok(proof) = prove(local, name).await else {
        return false;
    };
    match manifest_beside(local, name).await {
        Ok(told) => told.is_none_or(|told| told.database.digest == proof.database),
        Err(_) => false,
    }
}

async fn proof_of(name: &SnapshotName, stored: Box<dyn ReadBack>) -> Result<Proof, PlainError> {
    let stored = at_any_place(stored);
    let object = name.to_string();
    let fault = |cause| PlainError::Archive {
        object: object.clone(),
        cause: ImageError::Read(cause),
    };
    let size = stored.size().map_err(fault)?;
    let mut hash = TrailerHasher::default();
    let mut pieces = pieces(stored, 0..size);
    while let Some(piece) = pieces.try_next().await.map_err(fault)? {
        hash.push(&piece);
    }
    let name = name.clone();
    hash.finish()
        .map_err(|cause| PlainError::Broken { name, cause })
}

/// The plain copy, to be read at any place for as long as it is held.
pub async fn open(
    local: &dyn SpoolStore,
    name: &SnapshotName,
) -> Result<Arc<dyn ReadAt>, StoreError> {
    local
        .open(&name.stored(Codec::None))
        .await
        .map(at_any_place)
}

fn at_any_place(stored: Box<dyn ReadBack>) -> Arc<dyn ReadAt> {
    Arc::new(AtAnyPlace(stored))
}

/// What a store reads back, in the words of whoever reads snapshots.
pub(crate) struct AtAnyPlace(pub(crate) Box<dyn ReadBack>);

impl ReadAt for AtAnyPlace {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }
}

/// Reads bytes in order, in pieces of 256 KiB, as fast as they are taken and off the async workers.
pub fn pieces(bytes: Arc<dyn ReadAt>, range: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    let next = |(bytes, range): (Arc<dyn ReadAt>, Range<u64>)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let end = range.end.min(range.start + PIECE);
        let len = usize::try_from(end - range.start).map_err(io::Error::other)?;
        let read = spawn_blocking(move || {
            let mut piece = vec![0; len];
            bytes.read_at(range.start, &mut piece)?;
            Ok((Bytes::from(piece), (bytes, end..range.end)))
        });
        read.await.map_err(io::Error::other)?.map(Some)
    };
    stream::try_unfold((bytes, range), next).boxed()
}
