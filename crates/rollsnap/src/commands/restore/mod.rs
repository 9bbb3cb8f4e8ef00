//! `rollsnap restore`: a data directory from a snapshot, after a plan of it.

mod around;
mod beside;
mod lines;
mod live;
mod notes;
mod plan;
mod source;
mod words;

use std::ops::ControlFlow;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_engine::look::{Trailer, status};
use rollsnap_engine::restore::{self, Order, RestoreError, Restored, Step, revision_in};
use serde::Serialize;

use super::Context;
use super::opened::{Opened, blocking};
use super::progress::Bar;
use crate::cli::restore::Restore;
use crate::output::{self, Format};
use crate::report::Failure;
use around::Around;
use plan::Plan;
pub(super) use source::Source;

#[derive(Serialize)]
struct Report<'a> {
    plan: &'a Plan,
    /// What was done; absent where only the plan was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<Done>,
}

#[derive(Serialize)]
struct Done {
    data_dir: String,
    revision: u64,
    records: u64,
    expired_keys: u64,
    mended_leases: u64,
    dropped_alarms: u64,
    /// Where the old data directory is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

#[derive(Serialize)]
struct RolledBack {
    data_dir: String,
    /// Which came back.
    from: String,
    /// Where the one is now that was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

pub(super) async fn run(context: &Context, request: &Restore) -> Result<(), Failure> {
    if request.rollback {
        return roll_back(context, request).await;
    }
    let cluster = words::cluster(request)?;
    let source = Source::open(context, "restore", request).await?;
    // Before it is read: what is still this when it is restored was read already.
    let stamp = source.opened.image.bytes().stamp().ok().flatten();
    let (trailer, status) = source.opened.ask(context, "restore", status).await?;
    proved(&source.opened, trailer, request)?;
    if !request.plan {
        recover(context, request).await?;
    }
    let live = live::ask(context, request).await;
    let seen = live
        .revision()
        .max(revision_in(Path::new(&request.data_dir)));
    let mut order = words::order(
        request,
        cluster,
        &source,
        &status,
        seen,
        context.clock.now(),
    )?;
    order.held = stamp.filter(|_| matches!(trailer, Trailer::Held(_)));
    let mut plan = Plan::of(request, &source, trailer, &status, &order)?;
    let bump = order.changes.bump.unwrap_or(0);
    let reached = status.store_revision.saturating_add(bump);
    if let Some(seen) = seen.filter(|seen| bump > 0 && *seen >= reached) {
        let text = format!("what is there is at {seen} already: clients may see it go back");
        plan.note("revision", text);
    }
    let may_act = words::may_act(request, &order.changes.cluster);
    let around = Around {
        context,
        request,
        snapshot: &source.opened,
        acts: !request.plan && may_act.is_ok(),
    };
    Box::pin(around.look(live, &mut plan)).await?;
    if request.plan {
        let report = Report {
            plan: &plan,
            restored: None,
        };
        output::tell(context.format, &report, || plan.text())?;
        return plan.verdict();
    }
    if context.format == Format::Text {
        output::print(&plan.text())?;
    }
    plan.verdict()?;
    may_act?;
    let restored = act(context, &source.opened, order).await?;
    let done = Done::of(request, &restored);
    let report = Report {
        plan: &plan,
        restored: Some(done),
    };
    output::tell(context.format, &report, || text(request, &restored))
}

/// Refuses what is not what etcd sent, unless that was said to be no matter.
fn proved(opened: &Opened, trailer: Trailer, request: &Restore) -> Result<(), Failure> {
    let error = match (trailer, &request.digest) {
        (Trailer::Held(digest), Some(wanted)) if digest.to_string() != *wanted => {
            let location = &opened.location;
            let message = format!("restore {location}: its digest is {digest}, not {wanted}");
            return Err(Failure::new(Kind::Corrupt, message)
                .with_hint("it is another snapshot than the one of the plan"));
        }
        (Trailer::Held(_), _) => return Ok(()),
        (_, None) if request.skip_hash_check => return Ok(()),
        (Trailer::Absent, _) => RestoreError::NoDigest,
        (Trailer::Wrong { .. }, _) => RestoreError::Digest,
    };
    Err(failure(&opened.location, &error))
}

/// Ends what a killed run left, before anything is measured.
async fn recover(context: &Context, request: &Restore) -> Result<(), Failure> {
    let (data_dir, at) = (request.data_dir.clone(), context.clock.now());
    match blocking(move || restore::recover(Path::new(&data_dir), at)).await? {
        // What stops it, the plan tells.
        Ok(())
        | Err(RestoreError::Running(_) | RestoreError::Foreign { .. } | RestoreError::Mounted(_)) => {
            Ok(())
        }
        Err(error) => Err(failure(&request.data_dir, &error)),
    }
}

async fn act(context: &Context, opened: &Opened, order: Order) -> Result<Restored, Failure> {
    // From here on it ends by itself when it is to stop, and only it knows how.
    let last_word = context.last_word.lock().await;
    let bar = Bar::new();
    bar.say(format!("restore {}", opened.name));
    let bytes = opened.image.bytes();
    let stop = context.orders.stop.clone();
    let done = blocking(move || {
        restore::restore(&*bytes, &order, &mut |step, done, total| {
            match step {
                Step::Check if done == 0 => bar.say("checks what was written".to_owned()),
                Step::Write | Step::Check | Step::Digest => bar.at(done, total),
                _ => {}
            }
            if stop.is_cancelled() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
    });
    let done = done.await;
    drop(last_word);
    done?.map_err(|error| failure(&opened.location, &error))
}

async fn roll_back(context: &Context, request: &Restore) -> Result<(), Failure> {
    let (data_dir, at) = (request.data_dir.clone(), context.clock.now());
    let last_word = context.last_word.lock().await;
    let done = blocking(move || {
        restore::roll_back(Path::new(&data_dir), at, &mut |_, _, _| {
            ControlFlow::Continue(())
        })
    });
    let (from, kept) = done.await?.map_err(|error| {
        let message = format!("roll {} back: {error}", request.data_dir);
        hinted(Failure::new(error.kind(), message), &error)
    })?;
    drop(last_word);
    let report = RolledBack {
        data_dir: request.data_dir.clone(),
        from: from.display().to_string(),
        kept: kept.map(|kept| kept.display().to_string()),
    };
    output::tell(context.format, &report, || {
        let kept = report.kept.as_ref();
        let kept = kept.map(|kept| format!("; what was there is {kept}"));
        let (data_dir, from) = (&report.data_dir, &report.from);
        format!(
            "{data_dir} is again what {from} was{}\n",
            kept.unwrap_or_default()
        )
    })
}

fn failure(location: &str, error: &RestoreError) -> Failure {
    let message = format!("restore {location}: {error}");
    hinted(Failure::new(error.kind(), message), error)
}

fn hinted(failure: Failure, error: &RestoreError) -> Failure {
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

impl Done {
    fn of(request: &Restore, restored: &Restored) -> Self {
        let database = &restored.database;
        Self {
            data_dir: request.data_dir.clone(),
            revision: database.revision,
            records: database.records,
            expired_keys: database.expired,
            mended_leases: database.mended,
            dropped_alarms: database.alarms,
            kept: restored
                .kept
                .as_ref()
                .map(|kept| kept.display().to_string()),
        }
    }
}

fn text(request: &Restore, restored: &Restored) -> String {
    let database = &restored.database;
    let mut lines = vec![format!(
        "restored {}: revision {}, {} records",
        request.data_dir, database.revision, database.records
    )];
    if database.expired > 0 {
        lines.push(format!("{} keys ended with their leases", database.expired));
    }
    if database.mended > 0 {
        lines.push(format!(
            "{} leases were missing under live keys, and last for an hour now",
            database.mended
        ));
    }
    if let Some(kept) = &restored.kept {
        lines.push(format!(
            "the old directory is {}: --rollback brings it back, and when all is well it may go",
            kept.display()
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
