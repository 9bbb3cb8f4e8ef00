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
