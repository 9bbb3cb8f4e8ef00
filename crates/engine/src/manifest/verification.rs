//! What is known of a snapshot's content, and by which proof.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Id;

/// Findings that a manifest keeps; the others are in the log's count.
pub const MAX_FINDINGS: usize = 20;

/// Members that a manifest tells of. etcd advises seven at most.
pub const MAX_MEMBERS: usize = 12;

/// Characters that are kept of a text that somebody else made.
const MAX_TEXT: usize = 300;

/// How a snapshot's content was verified, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How deep it went.
    pub method: Method,
    /// What came of it.
    pub result: Verdict,
    /// What is wrong, the first [`MAX_FINDINGS`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<String>,
    /// How long it took. In the file: seconds with a fraction.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
}

impl Verification {
    /// A verification that ended so, its findings cut to what a manifest keeps.
    pub fn new(
        at: DateTime<Utc>,
        method: Method,
        result: Verdict,
        findings: &[String],
        took: Duration,
    ) -> Self {
        let findings = findings.iter().take(MAX_FINDINGS);
        Self {
            at,
            method,
            result,
            findings: findings.map(|finding| shortened(finding)).collect(),
            took: whole_millis(took),
        }
    }
}

/// How deep a verification went. The deeper one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The digest that etcd sent equals that of the bytes.
    Digest,
    /// Also every page, key and revision of the database.
    Deep,
}

impl Method {
    /// The words for it, the shallower first.
    pub const WORDS: [&'static str; 2] = ["digest", "deep"];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// What came of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is wrong.
    Held,
    /// The database is broken.
    Corrupt,
    /// The database is whole, but a member of the cluster holds other data at its revision. Which
    /// of them is right is for people to find out.
    Disputed,
}

/// What deep verification learnt of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The CRC that `etcdutl snapshot status` prints as `hash`.
    pub hash: u32,
    /// Keys that are alive at the last revision: the `totalKey` of etcdutl since 3.6.
    pub live_keys: u64,
    /// Versions of keys, and deletions.
    pub records: u64,
    /// Entries of all buckets, etcd's own included: the `totalKey` of etcdutl before 3.6.
    pub entries: u64,
    /// The oldest revision that is there; absent where nothing was ever written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_revision: Option<u64>,
    /// The revision up to which history was compacted; absent where it never was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compact_revision: Option<u64>,
    /// The revision that a member restored from it would be at.
    pub store_revision: u64,
    /// Bytes of the database.
    pub total_size: u64,
    /// Bytes of its pages that hold anything.
    pub bytes_in_use: u64,
    /// etcd's storage version; empty before 3.6.
    pub version: String,
}

/// What one member said of its own data up to the snapshot's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberHash {
    /// Its name; absent before its first start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Its id.
    pub id: Id,
    /// Its `HashKV`; absent where it did not answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hash: Option<u32>,
    /// Whether that is the snapshot's; absent where it cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agrees: Option<bool>,
    /// Why it cannot be compared; absent where it can.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// A text that may be long or hostile, as a manifest keeps it.
pub(crate) fn shortened(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(MAX_TEXT).map(shown).collect()
}

/// As exact as the file tells it.
pub(super) fn whole_millis(took: Duration) -> Duration {
    let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    Duration::from_millis(millis.into())
}

/// Seconds with three decimals. What cannot be a duration counts as none: it is told to people
/// and decides nothing.
pub(super) mod seconds {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(in crate::manifest) fn serialize<S: Serializer>(
        took: &Duration,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        s.serialize_f64(f64::from(millis) / 1000.0)
    }

    pub(in crate::manifest) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(d)?;
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SnapshotName;
    use crate::manifest::{MAX_SIZE, Manifest};

    /// As the first release wrote it, and with a field that none knows yet.
    const OLD: &str = r#"{
        "format": 1, "name": "n", "class": "rolling", "order": 7,
        "cluster_id": "c1", "member_id": "31", "etcd_version": "3.4.16",
        "revision": 9, "raft_term": 2, "raft_applied_index": 11,
        "database": {"digest": "DIGEST", "size": 512},
        "stored": {"codec": "none", "digest": "DIGEST", "size": 544},
        "started_at": "2026-05-01T12:00:00Z", "finished_at": "2026-05-01T12:00:01Z",
        "tool": "rollsnap 0.1.0", "later": {"field": [1, 2]}
    }"#;

    fn old() -> Manifest {
        let name = SnapshotName::new("n").unwrap();
        let text = OLD.replace("DIGEST", &"ab".repeat(32));
        Manifest::read(&name, text.as_bytes()).unwrap()
    }

    fn verified(result: Verdict, method: Method) -> Manifest {
        let mut manifest = old();
        let (at, took) = (manifest.finished_at, Duration::from_millis(1234));
        let findings = match result {
            Verdict::Corrupt => vec!["page 17: \u{1}\n\"".to_owned()],
            _ => Vec::new(),
        };
        manifest.verification = Some(Verification::new(at, method, result, &findings, took));
        manifest
    }

    fn read_back(manifest: &Manifest) -> Manifest {
        Manifest::read(&manifest.name, &manifest.to_bytes()).unwrap()
    }

    #[test]
    fn a_manifest_of_the_first_release_is_read_and_tells_of_no_verification() {
        let manifest = old();
        assert_eq!(manifest.verdict(), None);
        assert!(!manifest.is_verified(Method::Digest));
        let text = String::from_utf8(manifest.to_bytes()).unwrap();
        assert!(
            !text.contains("verification") && !text.contains("members"),
            "{text}"
        );
    }

    #[test]
    fn what_was_verified_is_read_back() {
        let mut manifest = verified(Verdict::Corrupt, Method::Deep);
        manifest.contents = Some(Contents {
            hash: 7,
            live_keys: 1,
            records: 2,
            entries: 4,
            first_revision: Some(2),
            compact_revision: None,
            store_revision: 9,
            total_size: 512,
            bytes_in_use: 256,
            version: String::new(),
        });
        manifest.members = vec![MemberHash {
            name: Some("a".to_owned()),
            id: Id(0x31),
            hash: Some(5),
            agrees: Some(false),
            error: None,
        }];
        assert_eq!(read_back(&manifest), manifest);
        let text = String::from_utf8(manifest.to_bytes()).unwrap();
        assert!(text.contains("\"seconds\": 1.234"), "{text}");
        assert!(text.contains("\"result\": \"corrupt\""), "{text}");
    }

    #[test]
    fn a_deeper_verification_and_a_later_one_know_more() {
        let [digest, deep] = Method::WORDS.map(|_| old());
        assert!(!digest.knows_more_than(&deep));
        let digest = verified(Verdict::Held, Method::Digest);
        let deep = verified(Verdict::Held, Method::Deep);
        assert!(digest.knows_more_than(&old()) && deep.knows_more_than(&digest));
        assert!(!digest.knows_more_than(&deep) && !deep.knows_more_than(&deep));
        let mut later = verified(Verdict::Corrupt, Method::Deep);
        if let Some(verification) = &mut later.verification {
            verification.at += Duration::from_secs(1);
        }
        assert!(later.knows_more_than(&deep));
        later.stored.content.size += 1;
        assert!(!later.knows_more_than(&deep), "of other bytes");
    }

    #[test]
    fn what_is_found_wrong_needs_no_deeper_look() {
        assert!(!verified(Verdict::Held, Method::Digest).is_verified(Method::Deep));
        assert!(verified(Verdict::Corrupt, Method::Digest).is_verified(Method::Deep));
    }

    #[test]
    fn a_time_that_cannot_be_costs_no_manifest() {
        for seconds in ["-1", "1e300", "0"] {
            let text = String::from_utf8(verified(Verdict::Held, Method::Deep).to_bytes()).unwrap();
            let text = text.replace("1.234", seconds);
            let read = Manifest::read(&old().name, text.as_bytes()).unwrap();
            assert_eq!(read.verification.unwrap().took, Duration::ZERO);
        }
    }

    #[test]
    fn the_largest_that_verification_writes_is_read_back() {
        let mut manifest = verified(Verdict::Corrupt, Method::Deep);
        let worst: Vec<_> = ["\u{10ffff}", "\"", "\u{1}"]
            .iter()
            .cycle()
            .take(50)
            .collect();
        let findings: Vec<_> = worst.iter().map(|c| c.repeat(100_000)).collect();
        manifest.verification = Some(Verification::new(
            manifest.finished_at,
            Method::Deep,
            Verdict::Corrupt,
            &findings,
            Duration::MAX,
        ));
        let member = MemberHash {
            name: Some(shortened(&"\u{10ffff}".repeat(5000))),
            id: Id(u64::MAX),
            hash: Some(u32::MAX),
            agrees: None,
            error: Some(shortened(&"\u{10ffff}".repeat(5000))),
        };
        manifest.members = vec![member; MAX_MEMBERS];
        let size = manifest.to_bytes().len() as u64;
        assert!(size < MAX_SIZE, "{size}");
        assert_eq!(
            read_back(&manifest).verification.unwrap().findings.len(),
            20
        );
    }
}
