//! What is known of a snapshot, beside it: the mark that it was proved.
//!
//! A manifest is written last and read first. Numbers that exceed 2^53 (ids) are hexadecimal
//! text, for JSON readers in other languages hold numbers in doubles. `docs/formats.md` has the
//! fields for people.

use chrono::{DateTime, Utc};
use rollsnap_snapfile::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Codec, SnapshotName};

mod drill;
mod reading;
mod verification;

pub use drill::{Boot, Drill, Outcome};
pub use reading::Reading;
pub(crate) use verification::shortened;
pub use verification::{
    Contents, MAX_FINDINGS, MAX_MEMBERS, MemberHash, Method, Verdict, Verification,
};

/// The format that this program writes.
pub const FORMAT: u32 = 1;

/// Larger objects are not read: a manifest is about a kilobyte.
pub const MAX_SIZE: u64 = 64 * 1024;

/// Everything that is known of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this layout.
    pub format: u32,
    /// The snapshot's name.
    #[serde(with = "name_text")]
    pub name: SnapshotName,
    /// Whether retention may ever delete it.
    pub class: Class,
    /// The order among the snapshots of one member: the start in milliseconds since 1970, or
    /// one more than the greatest known, whichever is greater. A clock that jumps back cannot
    /// make a new snapshot look old.
    pub order: u64,
    /// The cluster it was taken from.
    pub cluster_id: Id,
    /// The member it was taken from.
    pub member_id: Id,
    /// The member's name, where it was known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member_name: Option<String>,
    /// The member's version of etcd.
    pub etcd_version: String,
    /// The last revision in the database.
    pub revision: u64,
    /// The raft term just before the save.
    pub raft_term: u64,
    /// The raft index applied just before the save.
    pub raft_applied_index: u64,
    /// The database as etcd sent it, without the trailing digest.
    pub database: Content,
    /// The bytes as they are kept.
    pub stored: Stored,
    /// When the save began.
    pub started_at: DateTime<Utc>,
    /// When it was proved and about to be published.
    pub finished_at: DateTime<Utc>,
    /// The program that wrote it.
    pub tool: String,
    /// How its content was verified; absent until it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verification: Option<Verification>,
    /// What deep verification learnt of the database.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contents: Option<Contents>,
    /// What each member of the cluster said of its own data at the snapshot's revision, where
    /// they were asked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub members: Vec<MemberHash>,
    /// When this copy was last read back from the bucket that keeps it; absent until it was, and
    /// beside every other copy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read_back: Option<Reading>,
    /// The last rehearsal of a restore from it; absent until there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub drill: Option<Drill>,
}

/// Why a snapshot was taken, which decides how long it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// By the schedule; retention applies.
    Rolling,
    /// By hand; kept until somebody deletes it.
    OneOff,
}

/// Some bytes and what they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256.
    #[serde(with = "digest_text")]
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// Bytes as they are kept, and how to read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// How they are encoded.
    pub codec: Codec,
    /// What they must be.
    #[serde(flatten)]
    pub content: Content,
}

/// An id of etcd's, written as it writes them: lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u64);

/// Why an object is no manifest of ours.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON of this shape.
    #[error("manifest is not readable")]
    Json(#[from] serde_json::Error),
    /// A newer program wrote it.
    #[error("manifest has format {0}; this program knows up to {FORMAT}")]
    Newer(u32),
    /// It tells of another snapshot than the one it lies beside.
    #[error("manifest tells of {0}")]
    Stranger(SnapshotName),
}

impl Manifest {
    /// What verification found; `None` while there was none.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verification
            .as_ref()
            .map(|verification| verification.result)
    }

    /// Whether its content was verified as deep as `method`, however that ended.
    pub fn is_verified(&self, method: Method) -> bool {
        let done = self.verification.as_ref();
        done.is_some_and(|done| done.method >= method || done.result != Verdict::Held)
    }

    /// Whether it tells of a later or a deeper verification of the same bytes than `other`, the
    /// manifest of another copy. That its own copy was altered says nothing of that one.
    pub fn knows_more_than(&self, other: &Self) -> bool {
        let done = self.verification.as_ref();
        let altered = (Method::Digest, Verdict::Corrupt);
        if done.is_some_and(|done| (done.method, done.result) == altered) {
            return false;
        }
        let known = |manifest: &Self| {
            let done = manifest.verification.as_ref();
            done.map(|done| (done.method, done.at))
        };
        self.stored == other.stored && known(self) > known(other)
    }

    /// Whether both tell of the same snapshot in the same bytes, whatever was found out since.
    pub fn is_of_same(&self, other: &Self) -> bool {
        let who = |it: &Self| (it.cluster_id, it.member_id, it.order, it.stored);
        who(self) == who(other)
    }

    /// The bytes to keep.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain fields always serialise");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the manifest that lies beside the snapshot `name`.
    pub fn read(name: &SnapshotName, bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(bytes)?;
        if head.format > FORMAT {
            return Err(ManifestError::Newer(head.format));
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        if manifest.name != *name {
            return Err(ManifestError::Stranger(manifest.name));
        }
        Ok(manifest)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

mod digest_text {
    use super::{Deserialize, Deserializer, Digest, Serializer};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Digest, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

mod name_text {
    use super::{Deserialize, Deserializer, Serializer, SnapshotName};

    pub(super) fn serialize<S: Serializer>(name: &SnapshotName, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<SnapshotName, D::Error> {
        SnapshotName::new(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
