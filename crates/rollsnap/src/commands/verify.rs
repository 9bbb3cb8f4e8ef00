//! `rollsnap verify`: whether snapshots are what etcd sent, and whether that is whole.

mod kept;
pub(super) mod remote;
mod row;

use rollsnap_engine::catalog::{Entry, Reader};
use rollsnap_engine::examine::Examined;
use rollsnap_engine::image::Access;
use rollsnap_engine::look::{Finding, Report, Trailer, digest_at_end, has_meta, verify};
use rollsnap_engine::manifest::Verdict;
use rollsnap_engine::{Kind, Manifest, SnapshotName, proof};
use rollsnap_store::Store;
use serde::Serialize;
use tokio::time::Instant;

use super::Context;
use super::opened::Opened;
use super::operand::Operand;
use crate::assembly;
use crate::cli::Side;
use crate::output::{self, Format};
use crate::report::Failure;

use kept::Kept;
use row::{Outcome, Row};

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
        let began = Instant::now();
        let mut row = match one(context, operand, request).await {
            Ok(row) => row,
            Err(failure) if failure.kind == Kind::Canceled => return Err(failure),
            Err(failure) => {
                let row = Row::unreadable(operand, &failure);
                first.get_or_insert(failure);
                row
            }
        };
        row.seconds = began.elapsed().as_secs_f64();
        if request.all == Some(Side::Everywhere) {
            // Copies have one name.
            row.is_shown_by_location = true;
        }
        snapshots.push(tell(context, row)?);
    }
    let is_nothing = snapshots.iter().all(|row| row.result == Outcome::Foreign);
    if is_nothing {
        // Nothing that was looked at is no good news to whoever reads only exit codes.
        let message = "verify: there are no snapshots";
        let nothing = Failure::new(Kind::Usage, message)
            .with_hint("rollsnap config show tells which directory and bucket were looked into");
        first.get_or_insert(nothing);
    }
    if snapshots.is_empty() {
        return first.map_or(Ok(()), Err);
    }
    let hint = "restore from one that held; rollsnap list shows all";
    conclude(context, snapshots, first, hint)
}

/// Prints what came of one as soon as it is known, for people.
fn tell(context: &Context, row: Row) -> Result<Row, Failure> {
    if context.format == Format::Text {
        output::print(&row.text())?;
    }
    Ok(row)
}

/// Ends with what came of all: corrupt where one is, else the first failure.
fn conclude(
    context: &Context,
    snapshots: Vec<Row>,
    first: Option<Failure>,
    hint: &str,
) -> Result<(), Failure> {
    let corrupt = snapshots
        .iter()
        .filter(|row| row.result == Outcome::Corrupt);
    let ours = snapshots
        .iter()
        .filter(|row| row.result != Outcome::Foreign);
    let (bad, all) = (corrupt.count(), ours.count());
    if context.format == Format::Json {
        output::tell(context.format, &Verified { snapshots }, String::new)?;
    }
    if bad > 0 {
        let message = format!("verify: {bad} of {all} snapshots corrupt");
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
        let remote = assembly::remote_needed(&settings)?;
        operands.extend(listed(&*remote).await?);
    }
    Ok(operands)
}

async fn listed(store: &dyn Store) -> Result<Vec<String>, Failure> {
    let catalog = Reader::default().read(store).await?;
    let place = store.location();
    let objects = catalog.entries.iter().map(Entry::object);
    Ok(objects.map(|object| format!("{place}/{object}")).collect())
}

/// Verifies one, and writes down what was found where it is one of the directory's.
async fn one(context: &Context, operand: &str, request: &Request) -> Result<Row, Failure> {
    let began = Instant::now();
    let kept = Kept::find(context, operand).await;
    let (mut row, found) = examine(context, operand, request).await?;
    let took = began.elapsed();
    if let (Some(kept), false) = (kept, request.digest_only) {
        let judged = kept.judge(context, found, took);
        // A manifest that is wrong of bytes that hold is for people to look at.
        let held = judged.verdict() == Some(Verdict::Held);
        if held == (row.result == Outcome::Held) {
            row.recorded = kept.record(&judged).await;
        }
    }
    Ok(row)
}

async fn examine(
    context: &Context,
    operand: &str,
    request: &Request,
) -> Result<(Row, Examined), Failure> {
    let opened = match Operand::open(context, operand, Access::All).await {
        // What cannot be unpacked is as corrupt as what was unpacked and is wrong.
        Err(failure) if failure.kind == Kind::Corrupt => {
            let row = Row::packed(operand, &failure.message);
            let found = Examined {
                altered: true,
                findings: vec![failure.message],
                ..Examined::default()
            };
            return Ok((row, found));
        }
        opened => opened?,
    };
    if request.all.is_some() && is_stray(context, &opened).await? {
        let row = Row::foreign(&opened.name, &opened.location);
        return Ok((row, Examined::default()));
    }
    let report = if request.digest_only {
        let size = opened.image.len();
        let trailer = opened.ask(context, "verify", digest_at_end).await?;
        let report = Report::of_digest(trailer, size);
        if report.is_whole() && trailer == Trailer::Absent && opened.manifest.is_none() {
            let message = format!("verify {}: there is no digest at its end", opened.location);
            return Err(Failure::new(Kind::Usage, message)
                .with_hint("its pages tell whether it is whole: leave out --digest"));
        }
        report
    } else {
        opened.ask(context, "verify", verify).await?
    };
    let found = Examined {
        stored: opened.image.stored_digest(),
        ..Examined::from(&report)
    };
    let mut findings = report.findings.clone();
    if let Some(manifest) = &opened.manifest {
        if report.trailer == Trailer::Absent {
            findings.push(Finding::of_file("there is no digest at its end"));
        }
        let strange = proof::strange(manifest, &found);
        findings.extend(strange.into_iter().map(Finding::of_file));
        findings.extend(other_hash(manifest, &found).map(Finding::of_file));
    }
    findings.extend(opened.doubt.iter().map(Finding::of_file));
    let row = Row::read(&opened.name, &opened.location, &report, &findings);
    Ok((row, found))
}

/// Whether a file that nobody named is no snapshot at all: without a manifest, with a name that
/// somebody gave, and with nothing of a database in it.
async fn is_stray(context: &Context, opened: &Opened) -> Result<bool, Failure> {
    let name = SnapshotName::new(&opened.name);
    let is_automatic = name.is_ok_and(|name| name.is_automatic());
    if opened.manifest.is_some() || opened.doubt.is_some() || is_automatic {
        return Ok(false);
    }
    let has_meta = opened.look(context, "verify", |bytes| has_meta(bytes));
    Ok(!has_meta.await?)
}

/// Whether the same bytes hash to something else than before.
fn other_hash(manifest: &Manifest, found: &Examined) -> Option<String> {
    let before = manifest.contents.as_ref()?.hash;
    let hash = found.contents.as_ref()?.hash;
    (hash != before).then(|| format!("the hash is {hash:x}, its manifest tells of {before:x}"))
}
