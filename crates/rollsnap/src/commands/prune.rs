//! `rollsnap prune`: the retention of both stores, now, or only the plan of it.

use rollsnap_engine::catalog::{Catalog, Reader};
use rollsnap_engine::event::{Event, Observer};
use rollsnap_engine::retention::{Ages, Guard, Verdict};
use rollsnap_engine::{Kind, prune};
use rollsnap_store::Store;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::cli::PruneMode;
use crate::output::{self, Table};
use crate::report::Failure;

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
    let now = context.clock.now();
    let retention = settings.schedule.retention.value;
    let demand = settings.making.verify.value;
    let plan =
        |catalog: &Catalog| retention.plan(&catalog.entries, guard, demand, now, Ages::Trusted);

    let mut rows = Vec::new();
    let mut stores: Vec<(&dyn Store, Catalog)> = vec![(&local, here)];
    if let Some(remote) = &remote {
        stores.push((&**remote, Reader::default().read(&**remote).await?));
    }
    for (store, catalog) in &stores {
        let plan = plan(catalog);
        rows.extend(plan.iter().map(|verdict| row(*store, verdict)));
        if mode == PruneMode::Act {
            prune::carry_out(*store, catalog, &plan, &Silent).await?;
        }
    }
    let report = Report {
        dry_run: mode == PruneMode::DryRun,
        plan: rows,
    };
    output::tell(context.format, &report, || table(&report.plan).render())
}

fn row(store: &dyn Store, verdict: &Verdict) -> Row {
    Row {
        name: verdict.name.to_string(),
        store: store.location().to_string(),
        action: if verdict.fate.is_delete() {
            "delete"
        } else {
            "keep"
        },
        reason: verdict.fate.reason().to_string(),
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
