//! What came of one snapshot, for programs and for people.

use rollsnap_engine::look::{Finding, Report, Trailer};
use rollsnap_engine::manifest::Reading;
use serde::Serialize;

use crate::report::Failure;

/// What came of one snapshot.
#[derive(Serialize)]
pub(super) struct Row {
    name: String,
    location: String,
    pub(super) result: Outcome,
    /// `held`, `absent` or `wrong`; absent where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_keys: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Place>,
    /// Findings beyond those listed.
    unlisted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Whether its manifest tells of this now.
    pub(super) recorded: bool,
    pub(super) seconds: f64,
    /// Whether people are told of it by its place.
    #[serde(skip)]
    pub(super) is_shown_by_location: bool,
}

/// The answer in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// Nothing is wrong.
    Held,
    /// The bytes are not what they should be.
    Corrupt,
    /// Nobody knows.
    Unreadable,
    /// It is no snapshot.
    Foreign,
}

/// One finding.
#[derive(Serialize)]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    what: String,
    /// All of it, for people.
    text: String,
}

impl Row {
    /// One that was read, with everything that is wrong with it.
    pub(super) fn read(name: &str, location: &str, report: &Report, findings: &[Finding]) -> Self {
        let status = report.status.as_ref();
        Self {
            digest: Some(match report.trailer {
                Trailer::Held(_) => "held",
                Trailer::Absent => "absent",
                Trailer::Wrong { .. } => "wrong",
            }),
            hash: status.map(|status| status.hash),
            revision: status.map(|status| status.revision),
            live_keys: status.map(|status| status.live_keys),
            unlisted: report.unlisted,
            ..Self::of(name, location, findings)
        }
    }

    /// One that only lies among snapshots.
    pub(super) fn foreign(name: &str, location: &str) -> Self {
        Self {
            result: Outcome::Foreign,
            ..Self::of(name, location, &[])
        }
    }

    /// One whose bytes cannot even be unpacked.
    pub(super) fn packed(operand: &str, why: &str) -> Self {
        Self::doubtful(operand, operand, why)
    }

    /// A copy whose manifest does not fit it.
    pub(super) fn doubtful(name: &str, location: &str, why: &str) -> Self {
        Self::of(name, location, &[Finding::of_file(why)])
    }

    /// A copy that was read back.
    pub(super) fn read_back(name: &str, location: &str, reading: &Reading) -> Self {
        let finding = reading.finding.as_deref().map(Finding::of_file);
        Self::of(name, location, finding.as_slice())
    }

    /// One that could not be read, which says nothing of its bytes.
    pub(super) fn unreadable(operand: &str, failure: &Failure) -> Self {
        Self {
            result: Outcome::Unreadable,
            error: Some(failure.message.clone()),
            ..Self::of(operand, operand, &[])
        }
    }

    fn of(name: &str, location: &str, findings: &[Finding]) -> Self {
        let result = if findings.is_empty() {
            Outcome::Held
        } else {
            Outcome::Corrupt
        };
        Self {
            name: name.to_owned(),
            location: location.to_owned(),
            result,
            digest: None,
            hash: None,
            revision: None,
            live_keys: None,
            findings: findings.iter().map(Place::of).collect(),
            unlisted: 0,
            error: None,
            recorded: false,
            seconds: 0.0,
            is_shown_by_location: false,
        }
    }

    /// A line, and one for each finding.
    pub(super) fn text(&self) -> String {
        let word = match self.result {
            Outcome::Held => "held",
            Outcome::Corrupt => "corrupt",
            Outcome::Unreadable => "unreadable",
            Outcome::Foreign => "foreign",
        };
        let shown = if self.is_shown_by_location {
            &self.location
        } else {
            &self.name
        };
        let mut line = format!("{word:<10} {shown}");
        let held = self.result == Outcome::Held;
        if let (true, Some(revision), Some(keys), Some(hash)) =
            (held, self.revision, self.live_keys, self.hash)
        {
            line = format!("{line}: revision {revision}, {keys} keys, hash {hash:x}");
        }
        if self.result == Outcome::Foreign {
            line.push_str(": is no database");
        }
        if held && self.digest == Some("absent") {
            line.push_str(", no digest at its end");
        }
        let mut lines = vec![line];
        let below = |text: &str| format!("{:<10} {text}", "");
        lines.extend(self.error.as_deref().map(below));
        lines.extend(self.findings.iter().map(|finding| below(&finding.text)));
        if self.unlisted > 0 {
            lines.push(below(&format!("and {} more", self.unlisted)));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Place {
    fn of(finding: &Finding) -> Self {
        let shown = |bytes: &Vec<u8>| bytes.escape_ascii().to_string();
        Self {
            page: finding.page,
            bucket: finding.bucket.as_ref().map(shown),
            key: finding.key_text(),
            what: finding.what.clone(),
            text: finding.to_string(),
        }
    }
}
