//! What a store holds: snapshots with their manifests, and what we did not make.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rollsnap_store::{ErrorKind, ObjectInfo, ObjectName, Store, StoreError};

use crate::manifest::{MAX_SIZE, Manifest, ManifestError, Verdict};
use crate::name::Part;
use crate::{Codec, SnapshotName};

/// Manifests fetched at once: enough to hide a bucket's latency, few enough for any server.
const FETCHES: usize = 8;

/// One whole listing of a store. Never a part of one.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Snapshots, by name.
    pub entries: Vec<Entry>,
    /// Manifests whose snapshot is gone: a deletion was cut short.
    pub orphans: Vec<Manifest>,
    /// What RKE before v0.2.0 keeps beside them: the [certificates](crate::bundle) of a cluster.
    pub bundles: Vec<ObjectInfo>,
    /// Objects that are no snapshot and no part of one.
    pub others: Vec<ObjectName>,
    /// Names that an index of keys has.
    pub indexed: BTreeSet<SnapshotName>,
}

/// One snapshot of a store.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, without extension.
    pub name: SnapshotName,
    /// How its bytes are encoded, by its extension.
    pub codec: Codec,
    /// Bytes in the store.
    pub size: u64,
    /// When the store last saw it change.
    pub modified: Option<DateTime<Utc>>,
    /// What it is worth.
    pub standing: Standing,
}

/// What a snapshot is worth to retention and restore.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Its manifest says that it was proved, and its size is right. Whether that went deep, the
    /// manifest's verification says.
    Proved(Box<Manifest>),
    /// The same, but a member of its cluster holds other data.
    Disputed(Box<Manifest>),
    /// The same, but its database is broken, or this copy of it is.
    Corrupt(Box<Manifest>),
    /// It has no manifest: the old program made it, or somebody copied it in.
    Foreign,
    /// Its manifest does not fit it or cannot be read. The text says why.
    Suspect(String),
}

impl Standing {
    /// That of a copy that this manifest fits.
    pub fn of(manifest: Manifest) -> Self {
        let fits = Box::new(manifest);
        match fits.verdict() {
            _ if fits.is_of_broken_copy() => Self::Corrupt(fits),
            Some(Verdict::Corrupt) => Self::Corrupt(fits),
            Some(Verdict::Disputed) => Self::Disputed(fits),
            Some(Verdict::Held) | None => Self::Proved(fits),
        }
    }

    /// The word for it in every output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Proved(_) => "proved",
            Self::Disputed(_) => "disputed",
            Self::Corrupt(_) => "corrupt",
            Self::Foreign => "foreign",
            Self::Suspect(_) => "suspect",
        }
    }
}

impl Entry {
    /// The object that holds the bytes.
    pub fn object(&self) -> ObjectName {
        self.name.stored(self.codec)
    }

    /// The manifest of a proved snapshot.
    pub fn proved(&self) -> Option<&Manifest> {
        match &self.standing {
            Standing::Proved(manifest) => Some(manifest),
            _ => None,
        }
    }

    /// The manifest that fits it, whatever its content was found to be.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.standing {
            Standing::Proved(manifest)
            | Standing::Disputed(manifest)
            | Standing::Corrupt(manifest) => Some(manifest),
            Standing::Foreign | Standing::Suspect(_) => None,
        }
    }

    /// When it was taken: as its manifest says, else as its name says, else unknown.
    pub fn taken_at(&self) -> Option<DateTime<Utc>> {
        self.manifest()
            .map(|manifest| manifest.started_at)
            .or_else(|| self.name.rolling_time())
    }
}

impl Catalog {
    /// The manifests of all proved snapshots.
    pub fn proved(&self) -> impl Iterator<Item = &Manifest> {
        self.entries.iter().filter_map(Entry::proved)
    }

    /// The manifests of all snapshots that they fit, whatever else was found.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.entries.iter().filter_map(Entry::manifest)
    }

    /// The newest snapshot that its manifest fits, in the order of [`Manifest::order`].
    pub fn newest(&self) -> Option<&Manifest> {
        self.manifests()
            .max_by_key(|manifest| (manifest.order, manifest.started_at))
    }

    /// The snapshot of that name: the one that the manifest fits, where somebody's copy in
    /// another encoding lies beside it.
    pub fn find(&self, name: &SnapshotName) -> Option<&Entry> {
        let mut named = self.entries.iter().filter(|entry| entry.name == *name);
        let first = named.next()?;
        let mut all = std::iter::once(first).chain(named);
        Some(
            all.find(|entry| entry.manifest().is_some())
                .unwrap_or(first),
        )
    }
}

/// Reads catalogs of one store, remembering manifests that have not changed.
///
/// A listing costs its pages; a manifest is fetched once for as long as its size and time stay
/// what they were.
#[derive(Debug, Default)]
pub struct Reader {
    known: HashMap<ObjectName, (ObjectInfo, Manifest)>,
    last: Catalog,
}

impl Reader {
    /// The catalog that was read last; empty before the first.
    pub fn last(&self) -> &Catalog {
        &self.last
    }

    /// Reads a manifest anew the next time, for it was written just now: a store may tell neither
    /// another size nor another time of it.
    pub fn forget(&mut self, name: &SnapshotName) {
        self.known.remove(&name.manifest());
    }

    /// Lists the store and reads every manifest: the whole truth or an error.
    pub async fn read(&mut self, store: &dyn Store) -> Result<Catalog, StoreError> {
        let mut snapshots = Vec::new();
        let mut manifests = Vec::new();
        let mut indexed = BTreeSet::new();
        let (mut bundles, mut others) = (Vec::new(), Vec::new());
        for object in store.list("").await? {
            match Part::of(&object.name) {
                Some(Part::Stored(name, codec)) => snapshots.push((name, codec, object)),
                Some(Part::Manifest(name)) => manifests.push((name, object)),
                Some(Part::Index(name)) => {
                    indexed.insert(name);
                }
                Some(Part::Bundle) => bundles.push(object),
                None => others.push(object.name),
            }
        }
        let listed: HashSet<_> = manifests.iter().map(|(_, object)| &object.name).collect();
        self.known.retain(|name, _| listed.contains(name));
        let mut told = self.fetch(store, manifests).await?;

        let mut entries: Vec<_> = snapshots
            .into_iter()
            .map(|(name, codec, object)| {
                let standing = told
                    .get(&name)
                    .map_or(Standing::Foreign, |told| judge(told, codec, object.size));
                Entry {
                    name,
                    codec,
                    size: object.size,
                    modified: object.modified,
                    standing,
                }
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in &entries {
            told.remove(&entry.name);
        }
        let mut orphans: Vec<_> = told.into_values().filter_map(Result::ok).collect();
        orphans.sort_by(|a, b| a.name.cmp(&b.name));
        self.last = Catalog {
            entries,
            orphans,
            bundles,
            others,
            indexed,
        };
        Ok(self.last.clone())
    }

    async fn fetch(
        &mut self,
        store: &dyn Store,
        manifests: Vec<(SnapshotName, ObjectInfo)>,
    ) -> Result<HashMap<SnapshotName, Result<Manifest, ManifestError>>, StoreError> {
        let known = &self.known;
        let told: Vec<_> = stream::iter(manifests)
            .map(|(name, object)| async move {
                if let Some((_, manifest)) =
                    known.get(&object.name).filter(|(seen, _)| *seen == object)
                {
                    return Ok(Some((name, object, Ok(manifest.clone()))));
                }
                match load(store, &object).await {
                    Ok(bytes) => {
                        let manifest = Manifest::read(&name, &bytes);
                        Ok(Some((name, object, manifest)))
                    }
                    // Deleted between the listing and now: it was not there.
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(FETCHES)
            .try_collect()
            .await?;
        let mut by_name = HashMap::new();
        for (name, object, manifest) in told.into_iter().flatten() {
            if let Ok(manifest) = &manifest {
                self.known
                    .insert(object.name.clone(), (object, manifest.clone()));
            }
            by_name.insert(name, manifest);
        }
        Ok(by_name)
    }
}

/// The bytes of a small object.
async fn load(store: &dyn Store, object: &ObjectInfo) -> Result<Vec<u8>, StoreError> {
    if object.size > MAX_SIZE {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    let mut pieces = store.read(&object.name, None).await?;
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn judge(told: &Result<Manifest, ManifestError>, codec: Codec, size: u64) -> Standing {
    match told {
        Err(error) => Standing::Suspect(error.to_string()),
        Ok(manifest) if manifest.stored.codec != codec => {
            Standing::Suspect("its manifest tells of another encoding".to_owned())
        }
        Ok(manifest) if manifest.stored.content.size != size => Standing::Suspect(format!(
            "it has {size} bytes, its manifest tells of {}",
            manifest.stored.content.size
        )),
        Ok(manifest) => Standing::of(manifest.clone()),
    }
}
