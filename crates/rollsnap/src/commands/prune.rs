//! `rollsnap prune`: the retention of both stores, now, or only the plan of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rollsnap_engine::catalog::{Catalog, Reader};
use rollsnap_engine::event::{Event, Observer};
use rollsnap_engine::prune::Locks;
use rollsnap_engine::retention::{Fate, Guard, Reason, Verdict};
use rollsnap_engine::{Kind, prune};
use rollsnap_store::Store;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::cli::PruneMode;
use crate::output::{self, Table};
use crate::report::Failure;
use crate::rules::Rules;

/// What happens to one snapshot in one store.
#[derive(Serialize)]
struct Row {
    name: String,
    store: String,
    /// `keep` or `delete`.
    action: &'static str,
    reason: String,
}

#[derive(Serialize)]
struct Report {
    /// Whether nothing was deleted because only the plan was asked for.
    dry_run: bool,
    plan: Vec<Row>,
}

/// Says nothing: the plan is printed, which tells as much.
struct Silent;

impl Observer for Silent {
    fn tell(&self, _: Event<'_>) {}
}

pub(super) async fn run(context: &Context, mode: PruneMode) -> Result<(), Failure> {
    let settings = context.settings()?;
    let local = assembly::local_to_read(&settings)?;
    let remote = assembly::remote(&settings)?;
    let here = Reader::default().read(&local).await?;
    let Some(guard) = here.newest().map(Guard::of) else {
        return Err(Failure::new(
            Kind::Config,
            format!(
                "prune {}: no proved snapshot tells which cluster this is",
                local.location()
            ),
        )
        .with_hint("take a snapshot first: nothing is deleted before there is a proved one"));
    };
    let there = match &remote {
        Some(remote) => Some(Reader::default().read(&**remote).await?),
        None => None,
    };
    let rules = Rules::of(&settings);
    let plans = rules.plans(guard, &here, there.as_ref(), context.clock.now());
    let remote_plan = remote.as_ref().zip(there);
    let remote_plan = remote_plan.map(|(remote, there)| (&**remote, plans.there, there));
    let mut rows = Vec::new();
    let local_plan = (&local as &dyn Store, plans.here, here);
    for (store, plan, catalog) in std::iter::once(local_plan).chain(remote_plan) {
        let mut locks = Locks::default();
        if mode == PruneMode::Act {
            prune::carry_out(store, &catalog, &plan, &mut locks, &Silent).await?;
        }
        rows.extend(newest_first(&plan, &catalog).map(|verdict| row(store, verdict, &locks)));
    }
    let report = Report {
        dry_run: mode == PruneMode::DryRun,
        plan: rows,
    };
    output::tell(context.format, &report, || table(&report.plan).render())
}

/// Rolling ones and one-offs as they came, and what has no time behind them.
fn newest_first<'a>(
    plan: &'a [Verdict],
    catalog: &Catalog,
) -> impl Iterator<Item = &'a Verdict> + use<'a> {
    let times: BTreeMap<_, _> = catalog
        .entries
        .iter()
        .map(|entry| (&entry.name, entry.taken_at()))
        .collect();
    let mut verdicts: Vec<_> = plan.iter().collect();
    verdicts.sort_by_key(|verdict| Reverse(times.get(&verdict.name).copied().flatten()));
    verdicts.into_iter()
}

fn row(store: &dyn Store, verdict: &Verdict, locks: &Locks) -> Row {
    let fate = if locks.hold(&verdict.name) {
        Fate::Keep(Reason::Locked)
    } else {
        verdict.fate
    };
    Row {
        name: verdict.name.to_string(),
        store: store.location().to_string(),
        action: if fate.is_delete() { "delete" } else { "keep" },
        reason: fate.reason().to_string(),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["NAME", "STORE", "ACTION", "REASON"]);
    for row in rows {
        table.push(vec![
            row.name.clone(),
            row.store.clone(),
            row.action.to_owned(),
            row.reason.clone(),
        ]);
    }
    table
}
