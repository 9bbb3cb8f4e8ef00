//! What a snapshot is called, and which objects belong to it.
//!
//! | object | holds |
//! |---|---|
//! | `2018-05-04T18:40:16Z_etcd` | the snapshot, as etcd sent it |
//! | `2018-05-04T18:40:16Z_etcd.zst` | the same, compressed |
//! | `2018-05-04T18:40:16Z_etcd.manifest.json` | what is known of it |
//! | `2018-05-04T18:40:16Z_etcd.keys.index` | where its keys lie |
//!
//! What lies beside a snapshot has two extensions on purpose: the old program downloads any object
//! whose key without its last extension is the name, and would take `<name>.json` for a snapshot.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use rollsnap_store::{NameError, ObjectName};

use crate::Codec;

/// Longest name in bytes.
pub const MAX_LEN: usize = 200;

const ROLLING_SUFFIX: &str = "_etcd";
const ONE_OFF_PREFIX: &str = "rke_etcd_snapshot_";
const MANIFEST_SUFFIX: &str = ".manifest.json";
const INDEX_SUFFIX: &str = ".keys.index";

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
    /// It would be read as another snapshot's part.
    #[error(
        "name {0:?} ends like a part of a snapshot: leave out \".manifest.json\", \".keys.index\" \
         and \".zst\""
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

    fn made(text: String) -> Self {
        Self(ObjectName::new(text).expect("a time and a word are one component"))
    }

    /// Checks a name that somebody gave.
    pub fn new(text: &str) -> Result<Self, SnapshotNameError> {
        if text.len() > MAX_LEN {
            return Err(SnapshotNameError::Long(text.len()));
        }
        let name = ObjectName::new(text)?;
        let parts = [MANIFEST_SUFFIX, INDEX_SUFFIX, Codec::Zstd.extension()];
        if parts.iter().any(|part| text.ends_with(part)) {
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

    /// Whether people do not give such names: that of a rolling snapshot or of a one-off without
    /// one, also with the extension of an archive of the old program.
    pub fn is_automatic(&self) -> bool {
        let text = self.as_str();
        let stem = text.strip_suffix(".zip").or(text.strip_suffix(".gz"));
        let stem = stem.unwrap_or(text);
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
        match text.strip_suffix(Codec::Zstd.extension()) {
            Some(name) => SnapshotName::new(name)
                .ok()
                .map(|name| Self::Stored(name, Codec::Zstd)),
            None => SnapshotName::new(text)
                .ok()
                .map(|name| Self::Stored(name, Codec::None)),
        }
    }
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
            "2018-01-01T00-00-00Z_etcd.zip",
            "2018-01-01T00:00:00Z_etcd.gz",
            "rke_etcd_snapshot_2018-01-01T00:00:00Z",
            "rke_etcd_snapshot_2018-01-01T00:00:00Z.zip",
        ] {
            assert!(SnapshotName::new(automatic).unwrap().is_automatic());
        }
        for given in [
            "mysnapshot",
            "notes_etcd",
            "rke_etcd_snapshot_mine",
            "a.zip",
        ] {
            assert!(!SnapshotName::new(given).unwrap().is_automatic(), "{given}");
        }
    }

    #[test]
    fn names_of_parts_are_not_given_to_snapshots() {
        for text in [
            "a.manifest.json",
            "a.keys.index",
            "a.zst",
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
                for codec in [Codec::None, Codec::Zstd] {
                    prop_assert_eq!(
                        Part::of(&name.stored(codec)), Some(Part::Stored(name.clone(), codec)));
                }
                prop_assert_eq!(Part::of(&name.manifest()), Some(Part::Manifest(name.clone())));
                prop_assert_eq!(Part::of(&name.index()), Some(Part::Index(name.clone())));
            }
        }
    }
}
