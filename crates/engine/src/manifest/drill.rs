//! The last time that a data directory was made from a snapshot to see whether it can be.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Manifest;
use super::verification::{seconds, shortened, whole_millis};

/// One rehearsal of a restore, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What came of it.
    pub result: Outcome,
    /// What is wrong; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finding: Option<String>,
    /// How long the restore took, from the first byte read to the data directory in its place. In
    /// the file: seconds with a fraction.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
    /// The server that was started on the data directory and answered; absent where none was to be,
    /// or none did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<Boot>,
}

/// A server that went on with what was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Its version.
    pub etcd_version: String,
    /// From its start to its first answer. In the file: seconds with a fraction.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
}

/// What came of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It can be restored; where a server was to go on with it, that did, and has the same keys.
    Held,
    /// It cannot be restored.
    Corrupt,
    /// It was restored, but the server did not come up, or has other keys.
    Failed,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Corrupt => "corrupt",
            Self::Failed => "failed",
        }
    }
}

impl Drill {
    /// A drill that ended so, its texts and times as a manifest keeps them.
    pub fn new(
        at: DateTime<Utc>,
        result: Outcome,
        finding: Option<&str>,
        took: Duration,
        boot: Option<Boot>,
    ) -> Self {
        Self {
            at,
            result,
            finding: finding.map(shortened),
            took: whole_millis(took),
            boot: boot.map(|boot| Boot {
                etcd_version: shortened(&boot.etcd_version),
                took: whole_millis(boot.took),
            }),
        }
    }
}

impl Manifest {
    /// The same with this drill.
    #[must_use]
    pub fn with_drill(&self, drill: Option<Drill>) -> Self {
        Self {
            drill,
            ..self.clone()
        }
    }

    /// What the manifest beside another copy should tell by what this one knows; `None` where that
    /// has nothing to learn. What was found of the bytes is true of every copy of them, but that a
    /// copy cannot be restored is true of that copy alone.
    pub fn told_to(&self, twin: &Self) -> Option<Self> {
        let mut told = if self.knows_more_than(twin) {
            self.with_reading(twin.read_back.clone())
        } else {
            twin.clone()
        };
        let known = |manifest: &Self| manifest.drill.as_ref().map(|drill| drill.at);
        let of_this_copy = |drill: &Drill| drill.result == Outcome::Corrupt;
        let is_newer = self.stored == twin.stored
            && known(self) > known(twin)
            && !self.drill.as_ref().is_some_and(of_this_copy);
        let newest = if is_newer { self } else { twin };
        told.drill.clone_from(&newest.drill);
        (told != *twin).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::SnapshotName;
    use crate::manifest::{Method, Verdict, Verification};

    fn manifest(rest: &str) -> Manifest {
        let text = format!(
            r#"{{"format": 1, "name": "n", "class": "one-off", "order": 7,
            "cluster_id": "c1", "member_id": "31", "etcd_version": "3.5.1",
            "revision": 9, "raft_term": 2, "raft_applied_index": 11,
            "database": {{"digest": "{digest}", "size": 512}},
            "stored": {{"codec": "none", "digest": "{digest}", "size": 544}},
            "started_at": "2026-05-01T12:00:00Z", "finished_at": "2026-05-01T12:00:01Z",
            "tool": "rollsnap 9.0.0"{rest}}}"#,
            digest = "ab".repeat(32)
        );
        let name = SnapshotName::new("n").unwrap();
        Manifest::read(&name, text.as_bytes()).unwrap()
    }

    fn drilled(manifest: &Manifest, hour: i64, result: Outcome) -> Manifest {
        let at = DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        manifest.with_drill(Some(Drill::new(at, result, None, Duration::ZERO, None)))
    }

    #[test]
    fn a_drill_is_read_back_as_exact_as_the_file_tells_it() {
        let boot = Boot {
            etcd_version: "3.5.1".to_owned(),
            took: Duration::from_micros(987_654),
        };
        let (at, took) = (DateTime::UNIX_EPOCH, Duration::from_micros(1_234_567));
        let long = "x\u{1b}".repeat(5000);
        let done = Drill::new(at, Outcome::Failed, Some(&long), took, Some(boot));
        let text = serde_json::to_string(&done).unwrap();
        for piece in [
            "\"result\":\"failed\"",
            "\"seconds\":1.234",
            "\"boot\":{\"etcd_version\":\"3.5.1\",\"seconds\":0.987}",
        ] {
            assert!(text.contains(piece), "{text}");
        }
        assert!(!text.contains('\u{1b}') && text.len() < 1000);
        assert_eq!(serde_json::from_str::<Drill>(&text).unwrap(), done);
        for word in [Outcome::Held, Outcome::Corrupt, Outcome::Failed] {
            let text = serde_json::to_string(&word).unwrap();
            assert_eq!(text, format!("{:?}", word.as_str()));
        }
    }

    #[test]
    fn what_an_earlier_or_a_later_program_wrote_is_read() {
        assert_eq!(manifest("").drill, None);
        let later = r#", "drill": {"at": "2026-05-02T12:00:01Z", "result": "held", "seconds": 1,
                       "boot": {"etcd_version": "3.6.0", "seconds": 2, "later": 1}, "later": [1]}"#;
        let read = manifest(later);
        assert_eq!(
            read.drill.as_ref().map(|drill| drill.result),
            Some(Outcome::Held)
        );
        let again = Manifest::read(&read.name, &read.to_bytes()).unwrap();
        assert_eq!(again, read);
    }

    #[test]
    fn another_copy_learns_of_the_newest_drill_and_keeps_what_it_knows_itself() {
        let plain = manifest("");
        let old = drilled(&plain, 1, Outcome::Held);
        let new = drilled(&plain, 2, Outcome::Failed);
        assert_eq!(new.told_to(&old), Some(new.clone()));
        assert_eq!(new.told_to(&plain), Some(new.clone()));
        assert_eq!(old.told_to(&new), None);
        assert_eq!(plain.told_to(&old), None);
        // It cannot be restored: a fault of that copy.
        let broken = drilled(&plain, 3, Outcome::Corrupt);
        assert_eq!(broken.told_to(&new), None);
        // Other bytes are another snapshot.
        let mut other = new.clone();
        other.stored.content.size += 1;
        assert_eq!(other.told_to(&old), None);

        let mut proved = old.clone();
        let (at, method) = (old.finished_at, Method::Deep);
        let done = Verification::new(at, method, Verdict::Held, &[], Duration::ZERO);
        proved.verification = Some(done);
        // The drill of the one and the verification of the other.
        let told = proved.told_to(&new).unwrap();
        assert_eq!(told.verification, proved.verification);
        assert_eq!(told.drill, new.drill);
        let told = new.told_to(&proved).unwrap();
        assert_eq!(told.verification, proved.verification);
        assert_eq!(told.drill, new.drill);
    }
}
