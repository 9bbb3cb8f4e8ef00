//! The last time that a copy was read back from the bucket that keeps it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::verification::{seconds, shortened, whole_millis};
use super::{Manifest, Verdict};

/// One copy read from the first byte to the last, and what came of it. It is of that copy alone:
/// other copies of the same snapshot have their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// [`Verdict::Held`] where its bytes are those that were uploaded.
    pub result: Verdict,
    /// What is wrong; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finding: Option<String>,
    /// How long it took. In the file: seconds with a fraction.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
}

impl Reading {
    /// A reading that ended so, with what is wrong where something is.
    pub fn new(at: DateTime<Utc>, finding: Option<&str>, took: Duration) -> Self {
        Self {
            at,
            result: match finding {
                None => Verdict::Held,
                Some(_) => Verdict::Corrupt,
            },
            finding: finding.map(shortened),
            took: whole_millis(took),
        }
    }
}

impl Manifest {
    /// Whether the copy that it lies beside was read back and is not what was uploaded.
    pub fn is_of_broken_copy(&self) -> bool {
        let reading = self.read_back.as_ref();
        reading.is_some_and(|reading| reading.result != Verdict::Held)
    }

    /// What it tells of the snapshot, to be put beside a copy that has this reading.
    #[must_use]
    pub fn with_reading(&self, read_back: Option<Reading>) -> Self {
        Self {
            read_back,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SnapshotName;

    #[test]
    fn a_reading_is_read_back_as_exact_as_the_file_tells_it() {
        let at = DateTime::UNIX_EPOCH;
        let long = "x".repeat(5000);
        let broken = Reading::new(at, Some(&long), Duration::from_micros(1_234_567));
        let text = serde_json::to_string(&broken).unwrap();
        assert!(text.contains("\"result\":\"corrupt\""), "{text}");
        assert!(text.contains("\"seconds\":1.234"), "{text}");
        assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), broken);
        assert_eq!(broken.finding.map(|finding| finding.len()), Some(300));
        let held = serde_json::to_string(&Reading::new(at, None, Duration::ZERO)).unwrap();
        assert!(
            held.contains("\"held\"") && !held.contains("finding"),
            "{held}"
        );
    }

    #[test]
    fn what_a_later_program_found_is_no_reason_to_disbelieve_a_manifest() {
        let digest = "ab".repeat(32);
        let text = format!(
            r#"{{"format": 1, "name": "n", "class": "one-off", "order": 7,
            "cluster_id": "c1", "member_id": "31", "etcd_version": "3.5.1",
            "revision": 9, "raft_term": 2, "raft_applied_index": 11,
            "database": {{"digest": "{digest}", "size": 512}},
            "stored": {{"codec": "none", "digest": "{digest}", "size": 544}},
            "started_at": "2026-05-01T12:00:00Z", "finished_at": "2026-05-01T12:00:01Z",
            "tool": "rollsnap 9.0.0",
            "read_back": {{"at": "2026-05-02T12:00:01Z", "result": "held", "seconds": 1,
                           "later": [1]}}}}"#
        );
        let name = SnapshotName::new("n").unwrap();
        let manifest = Manifest::read(&name, text.as_bytes()).unwrap();
        assert!(manifest.read_back.is_some() && !manifest.is_of_broken_copy());
        assert_eq!(manifest.with_reading(None).read_back, None);
    }
}
