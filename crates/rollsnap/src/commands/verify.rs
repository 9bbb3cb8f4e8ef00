//! `rollsnap verify`: whether snapshots are what etcd sent, and whether that is whole.

use rollsnap_engine::catalog::{Entry, Reader};
use rollsnap_engine::image::Access;
use rollsnap_engine::look::{Finding, Report, Trailer, digest_at_end, verify};
use rollsnap_engine::{Kind, Manifest};
use rollsnap_store::Store;
use serde::Serialize;

use super::Context;
use super::operand::Operand;
use crate::assembly;
use crate::cli::Side;
use crate::output::{self, Format};
use crate::report::Failure;

/// What is to be verified, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Snapshots as they were named.
    pub operands: Vec<String>,
    /// Every snapshot of these stores instead.
    pub all: Option<Side>,
    /// Only digests.
    pub digest_only: bool,
}

/// What came of one snapshot.
#[derive(Serialize)]
struct Row {
    name: String,
    location: String,
    /// `held`, `corrupt`, or `unreadable`.
    result: &'static str,
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

#[derive(Serialize)]
struct Verified {
    snapshots: Vec<Row>,
}

pub(super) async fn run(context: &Context, request: &Request) -> Result<(), Failure> {
    let operands = match request.all {
        Some(side) => everything(context, side).await?,
        None => request.operands.clone(),
    };
    let mut snapshots = Vec::new();
    let mut first = None;
    for operand in &operands {
        let row = match one(context, operand, request.digest_only).await {
            Ok(row) => row,
            Err(failure) if failure.kind == Kind::Canceled => return Err(failure),
            Err(failure) => {
                let row = Row::unreadable(operand, &failure);
                first.get_or_insert(failure);
                row
            }
        };
        if context.format == Format::Text {
            output::print(&row.text())?;
        }
        snapshots.push(row);
    }
    let corrupt = snapshots.iter().filter(|row| row.result == "corrupt");
    let (bad, all) = (corrupt.count(), snapshots.len());
    if context.format == Format::Json {
        output::tell(context.format, &Verified { snapshots }, String::new)?;
    }
    if bad > 0 {
        let message = format!("verify: {bad} of {all} snapshots corrupt");
        let hint = "restore from one that held; rollsnap list shows all";
        return Err(Failure::new(Kind::Corrupt, message).with_hint(hint));
    }
    first.map_or(Ok(()), Err)
}

/// Every snapshot of the stores, as operands.
async fn everything(context: &Context, side: Side) -> Result<Vec<String>, Failure> {
    let settings = context.settings()?;
    let mut operands = Vec::new();
    if side != Side::Remote {
        operands.extend(listed(&assembly::local_to_read(&settings)?).await?);
    }
    if side != Side::Local {
        let remote = match side {
            Side::Remote => Some(assembly::remote_needed(&settings)?),
            _ => assembly::remote(&settings)?,
        };
        if let Some(remote) = remote {
            operands.extend(listed(&*remote).await?);
        }
    }
    Ok(operands)
}

async fn listed(store: &dyn Store) -> Result<Vec<String>, Failure> {
    let catalog = Reader::default().read(store).await?;
    let place = store.location();
    let objects = catalog.entries.iter().map(Entry::object);
    Ok(objects.map(|object| format!("{place}/{object}")).collect())
}

async fn one(context: &Context, operand: &str, digest_only: bool) -> Result<Row, Failure> {
    let opened = match Operand::open(context, operand, Access::All).await {
        // What cannot be unpacked is as corrupt as what was unpacked and is wrong.
        Err(failure) if failure.kind == Kind::Corrupt => {
            let finding = Finding::of_file(failure.to_string());
            return Ok(Row::of_findings(operand, operand, &[finding]));
        }
        opened => opened?,
    };
    let report = if digest_only {
        let trailer = opened.ask(context, "verify", digest_at_end).await?;
        Report::of_digest(trailer)
    } else {
        opened.ask(context, "verify", verify).await?
    };
    let mut findings = report.findings;
    if let Some(manifest) = &opened.manifest {
        findings.extend(strange(
            &report.trailer,
            report.status.as_ref().map(|it| it.hash),
            manifest,
        ));
    }
    if let Some(doubt) = &opened.doubt {
        findings.push(Finding::of_file(doubt.clone()));
    }
    Ok(Row {
        digest: Some(match report.trailer {
            Trailer::Held(_) => "held",
            Trailer::Absent => "absent",
            Trailer::Wrong { .. } => "wrong",
        }),
        hash: report.status.as_ref().map(|status| status.hash),
        revision: report.status.as_ref().map(|status| status.revision),
        live_keys: report.status.as_ref().map(|status| status.live_keys),
        unlisted: report.unlisted,
        ..Row::of_findings(&opened.name, &opened.location, &findings)
    })
}

/// What is another than the manifest tells: the bytes may be a snapshot, and not this one.
fn strange(trailer: &Trailer, hash: Option<u32>, manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    let claimed = manifest.database.digest;
    match trailer {
        Trailer::Held(actual) if *actual != claimed => findings.push(Finding::of_file(format!(
            "the database's digest is {actual}, its manifest tells of {claimed}"
        ))),
        Trailer::Absent => findings.push(Finding::of_file("the digest at its end is gone")),
        Trailer::Held(_) | Trailer::Wrong { .. } => {}
    }
    let recorded = manifest.contents.as_ref().map(|contents| contents.hash);
    if let (Some(hash), Some(recorded)) = (hash, recorded)
        && hash != recorded
    {
        findings.push(Finding::of_file(format!(
            "the hash is {hash:x}, its manifest tells of {recorded:x}"
        )));
    }
    findings
}

impl Row {
    fn of_findings(name: &str, location: &str, findings: &[Finding]) -> Self {
        Self {
            name: name.to_owned(),
            location: location.to_owned(),
            result: if findings.is_empty() {
                "held"
            } else {
                "corrupt"
            },
            digest: None,
            hash: None,
            revision: None,
            live_keys: None,
            findings: findings.iter().map(Place::of).collect(),
            unlisted: 0,
            error: None,
        }
    }

    fn unreadable(operand: &str, failure: &Failure) -> Self {
        Self {
            result: "unreadable",
            error: Some(failure.to_string()),
            ..Self::of_findings(operand, operand, &[])
        }
    }

    /// A line, and one for each finding.
    fn text(&self) -> String {
        let mut line = format!("{:<10} {}", self.result, self.name);
        let held = self.result == "held";
        if let (true, Some(revision), Some(keys), Some(hash)) =
            (held, self.revision, self.live_keys, self.hash)
        {
            line = format!("{line}: revision {revision}, {keys} keys, hash {hash:x}");
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
