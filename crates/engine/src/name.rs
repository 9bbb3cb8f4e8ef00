//! What a snapshot is called, and which objects belong to it.
//!
//! | object | holds |
//! |---|---|
//! | `2018-05-04T18:40:16Z_etcd` | the snapshot, as etcd sent it |
//! | `2018-05-04T18:40:16Z_etcd.zst` | the same, compressed |
//! | `2018-05-04T18:40:16Z_etcd.zip` | the same, in a zip |
//! | `2018-05-04T18:40:16Z_etcd.manifest.json` | what is known of it |
//! | `2018-05-04T18:40:16Z_etcd.keys.index` | where its keys lie |
//! | `pki.bundle.tar.gz` | the cluster's certificates, by [RKE before v0.2.0](crate::bundle) |
//!
//! What lies beside a snapshot has two extensions on purpose: the old program downloads any object
//! whose key without its last extension is the name, and would take `<name>.json` for a snapshot.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use rollsnap_store::{NameError, ObjectName};

use crate::{Codec, bundle};

/// Longest name in bytes.
pub const MAX_LEN: usize = 200;

const ROLLING_SUFFIX: &str = "_etcd";
const ONE_OFF_PREFIX: &str = "rke_etcd_snapshot_";
const BEFORE_RESTORE_PREFIX: &str = "before-restore-";
const MANIFEST_SUFFIX: &str = ".manifest.json";
const INDEX_SUFFIX: &str = ".keys.index";

/// What the names of things end with that lie beside snapshots and are none: ours, the state files
/// and certificates that RKE puts there, and what `etcdctl` left when it was cut.
const BESIDE: [&str; 5] = [
    MANIFEST_SUFFIX,
    INDEX_SUFFIX,
    ".rkestate",
    bundle::NAME,
    ".part",
];

/// The name of a snapshot, without the extension of its codec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName(ObjectName);

/// How the time is written in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeStyle {
    /// RFC 3339: `2018-05-04T18:40:16Z`.
    #[default]
    Rfc3339,
    /// Without colons, for file systems and tools that refuse them: `2018-05-04T18-40-16Z`.
    Safe,
}

/// Why a text is no snapshot's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotNameError {
    /// It is no single path component.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It leaves no room for the manifest's name.
    #[error("name of {0} bytes is too long: at most {MAX_LEN} are allowed")]
    Long(usize),
    /// It would be read as another snapshot's part, or as something else that lies beside them.
    #[error(
        "name {0:?} ends like something that lies beside snapshots: leave out \".manifest.json\", \
         \".keys.index\", \".zst\", \".zip\", \".rkestate\", \".part\" and \"pki.bundle.tar.gz\""
    )]
    Reserved(String),
}

/// What an object of a store is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A snapshot's bytes.
    Stored(SnapshotName, Codec),
    /// A snapshot's manifest.
    Manifest(SnapshotName),
    /// The index of a snapshot's keys.
    Index(SnapshotName),
    /// The certificates of a cluster that RKE before v0.2.0 built.
    Bundle,
}

impl SnapshotName {
    /// The name of a rolling snapshot begun at `at`.
    pub fn rolling(at: DateTime<Utc>, style: TimeStyle) -> Self {
        Self::made(format!("{}{ROLLING_SUFFIX}", style.write(at)))
    }

    /// The name of a one-off that was given none, as `rke etcd snapshot-save` makes it. The old
    /// program never prunes such a name.
    pub fn one_off(at: DateTime<Utc>, style: TimeStyle) -> Self {
        Self::made(format!("{ONE_OFF_PREFIX}{}", style.write(at)))
    }

    /// The name of the one-off that a restore takes of a live member first, and of the second and
    /// so on of one moment.
    pub fn before_restore(at: DateTime<Utc>, number: u32) -> Self {
        let time = TimeStyle::Safe.write(at);
        Self::made(match number {
            ..=1 => format!("{BEFORE_RESTORE_PREFIX}{time}"),
            _ => format!("{BEFORE_RESTORE_PREFIX}{time}-{number}"),
        })
    }

    fn made(text: String) -> Self {
        Self(ObjectName::new(text).expect("a time and a word are one component"))
    }

    /// Checks a name that somebody gave.
    pub fn new(text: &str) -> Result<Self, SnapshotNameError> {
        if text.len() > MAX_LEN {
            return Err(SnapshotNameError::Long(text.len()));
        }
        let name = ObjectName::new(text)?;
        let is_part = BESIDE
            .into_iter()
            .chain(extensions().map(|(_, extension)| extension))
            .any(|part| text.ends_with(part));
        if is_part {
            return Err(SnapshotNameError::Reserved(text.to_owned()));
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The moment in the name of a rolling snapshot, in either style, in any zone.
    pub fn rolling_time(&self) -> Option<DateTime<Utc>> {
        parse_time(self.as_str().strip_suffix(ROLLING_SUFFIX)?)
    }

    /// The moment in the name of a rolling snapshot as the old program called its files: RFC 3339
    /// as Go reads it, `_etcd`, and then nothing, `.zip`, or the `.gz` of its v0.1.29 and 30.
    pub fn old_rolling_time(&self, codec: Codec) -> Option<DateTime<Utc>> {
        let text = self.as_str();
        let stem = match codec {
            Codec::None => text.strip_suffix(".gz").unwrap_or(text),
            Codec::Zip => text,
            Codec::Zstd => return None,
        };
        let time = stem.strip_suffix(ROLLING_SUFFIX)?;
        let end = time.len().checked_sub("+00:00".len())?;
        let zone = time.as_bytes()[end];
        let is_gos = time.as_bytes().get(10) == Some(&b'T')
            && (time.ends_with('Z') || zone == b'+' || zone == b'-');
        let parsed = DateTime::parse_from_rfc3339(time).ok()?;
        is_gos.then(|| parsed.to_utc())
    }

    /// Whether people do not give such names: that of a rolling snapshot or of a one-off without
    /// one, also with the extension of a zip that the old program's v0.1.29 and 30 wrote.
    pub fn is_automatic(&self) -> bool {
        let text = self.as_str();
        let stem = text.strip_suffix(".gz").unwrap_or(text);
        let time = stem.strip_suffix(ROLLING_SUFFIX);
        let time = time.or(stem.strip_prefix(ONE_OFF_PREFIX));
        time.is_some_and(|time| parse_time(time).is_some())
    }

    /// The object that holds the bytes.
    pub fn stored(&self, codec: Codec) -> ObjectName {
        self.with(codec.extension())
    }

    /// The object that holds the manifest.
    pub fn manifest(&self) -> ObjectName {
        self.with(MANIFEST_SUFFIX)
    }

    /// The object that tells where its keys lie.
    pub fn index(&self) -> ObjectName {
        self.with(INDEX_SUFFIX)
    }

    fn with(&self, suffix: &str) -> ObjectName {
        ObjectName::new(format!("{}{suffix}", self.0)).expect("MAX_LEN leaves room for a suffix")
    }
}

impl Part {
    /// Reads an object's name. `None` for what no snapshot of ours could be called.
    pub fn of(object: &ObjectName) -> Option<Self> {
        let text = object.as_str();
        if let Some(name) = text.strip_suffix(MANIFEST_SUFFIX) {
            return SnapshotName::new(name).ok().map(Self::Manifest);
        }
        if let Some(name) = text.strip_suffix(INDEX_SUFFIX) {
            return SnapshotName::new(name).ok().map(Self::Index);
        }
        if bundle::is_bundle(object) {
            return Some(Self::Bundle);
        }
        let (name, codec) = extensions()
            .find_map(|(codec, extension)| Some((text.strip_suffix(extension)?, codec)))
            .unwrap_or((text, Codec::None));
        let name = SnapshotName::new(name).ok()?;
        Some(Self::Stored(name, codec))
    }
}

/// The codecs whose files have an extension of their own.
fn extensions() -> impl Iterator<Item = (Codec, &'static str)> {
    let all = Codec::ALL.into_iter();
    let named = all.map(|codec| (codec, codec.extension()));
    named.filter(|(_, extension)| !extension.is_empty())
}

impl TimeStyle {
    fn write(self, at: DateTime<Utc>) -> String {
        let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self {
            Self::Rfc3339 => text,
            Self::Safe => text.replace(':', "-"),
        }
    }
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H-%M-%SZ")
        .ok()
        .map(|time| time.and_utc())
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_documentation_shows_this_name() {
        let name = SnapshotName::rolling(at(1_525_459_216), TimeStyle::Rfc3339);
        assert_eq!(name.as_str(), "2018-05-04T18:40:16Z_etcd");
        let safe = SnapshotName::rolling(at(1_525_459_216), TimeStyle::Safe);
        assert_eq!(safe.as_str(), "2018-05-04T18-40-16Z_etcd");
    }

    #[test]
    fn the_old_program_wrote_local_zones_and_they_are_read() {
        let name = SnapshotName::new("2026-11-23T06:30:20+08:00_etcd").unwrap();
        assert_eq!(name.rolling_time(), Some(at(1_795_386_620)));
    }

    #[test]
    fn a_one_off_is_never_taken_for_a_rolling_one() {
        for style in [TimeStyle::Rfc3339, TimeStyle::Safe] {
            assert_eq!(SnapshotName::one_off(at(0), style).rolling_time(), None);
        }
        for other in [
            "mysnapshot",
            "2018-01-01T00:00:00Z_other",
            "c-abc-rl-xyz_2018-01-01T00:00:00Z",
        ] {
            assert_eq!(
                SnapshotName::new(other).unwrap().rolling_time(),
                None,
                "{other}"
            );
        }
    }

    #[test]
    fn names_that_programs_give_are_told_from_those_of_people() {
        for automatic in [
            "2018-01-01T00:00:00Z_etcd",
            "2018-01-01T00:00:00Z_etcd.gz",
            "rke_etcd_snapshot_2018-01-01T00:00:00Z",
        ] {
            assert!(SnapshotName::new(automatic).unwrap().is_automatic());
        }
        for given in ["mysnapshot", "notes_etcd", "rke_etcd_snapshot_mine", "a.gz"] {
            assert!(!SnapshotName::new(given).unwrap().is_automatic(), "{given}");
        }
    }

    #[test]
    fn names_of_parts_are_not_given_to_snapshots() {
        for text in [
            "a.manifest.json",
            "a.keys.index",
            "a.zst",
            "a.zip",
            "a/b",
            "..",
            "",
            &"x".repeat(201),
        ] {
            assert!(SnapshotName::new(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_are_read_back_in_both_styles(seconds in 0i64..253_402_300_799) {
            for style in [TimeStyle::Rfc3339, TimeStyle::Safe] {
                let name = SnapshotName::rolling(at(seconds), style);
                prop_assert_eq!(name.rolling_time(), Some(at(seconds)));
            }
        }

        #[test]
        fn parts_are_told_apart(text in "[a-z.:_ -]{1,200}") {
            if let Ok(name) = SnapshotName::new(&text) {
                for codec in Codec::ALL {
                    prop_assert_eq!(
                        Part::of(&name.stored(codec)), Some(Part::Stored(name.clone(), codec)));
                }
                prop_assert_eq!(Part::of(&name.manifest()), Some(Part::Manifest(name.clone())));
                prop_assert_eq!(Part::of(&name.index()), Some(Part::Index(name.clone())));
            }
        }
    }
}
