//! `rollsnap list`: everything there is, here and there, in one table.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rollsnap_engine::SnapshotName;
use rollsnap_engine::catalog::{Catalog, Entry, Reader, Standing};
use rollsnap_engine::manifest::Class;
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::output::{self, Format, Size, Table};
use crate::report::Failure;

/// One snapshot, wherever it is.
#[derive(Serialize)]
struct Row {
    name: String,
    /// `rolling` or `one-off`; absent where there is no manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    /// Stored bytes.
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// `proved`, `foreign` or `suspect`: the worse of the two where the copies differ.
    standing: &'static str,
    /// `local`, `remote`, or both, in this order.
    stores: Vec<&'static str>,
}

#[derive(Serialize)]
struct Listing {
    snapshots: Vec<Row>,
}

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?;
    let local = assembly::local_to_read(&settings)?;
    let here = Reader::default().read(&local).await?;
    let there = match assembly::remote(&settings)? {
        Some(remote) => Reader::default().read(&*remote).await?,
        None => Catalog::default(),
    };
    let now = context.clock.now();
    let mut rows: Vec<_> = merge(&here, &there)
        .into_values()
        .map(|found| found.row(now))
        .collect();
    rows.sort_by(|a, b| (&a.taken_at, &a.name).cmp(&(&b.taken_at, &b.name)));
    match context.format {
        Format::Json => output::print_json(&Listing { snapshots: rows }),
        Format::Text => output::print(&table(&rows).render()),
    }
    Ok(())
}

/// A snapshot's copies.
#[derive(Default)]
struct Found<'a> {
    here: Option<&'a Entry>,
    there: Option<&'a Entry>,
}

fn merge<'a>(here: &'a Catalog, there: &'a Catalog) -> BTreeMap<&'a SnapshotName, Found<'a>> {
    let mut all: BTreeMap<_, Found<'_>> = BTreeMap::new();
    for entry in &here.entries {
        all.entry(&entry.name).or_default().here = Some(entry);
    }
    for entry in &there.entries {
        all.entry(&entry.name).or_default().there = Some(entry);
    }
    all
}

impl Found<'_> {
    fn row(&self, now: DateTime<Utc>) -> Row {
        let copies = || self.here.into_iter().chain(self.there);
        let manifest = copies().find_map(Entry::proved);
        let taken_at = copies().find_map(Entry::taken_at);
        let standing = copies()
            .map(|entry| word(&entry.standing))
            .min_by_key(|(rank, _)| *rank);
        Row {
            name: copies()
                .next()
                .map(|entry| entry.name.to_string())
                .unwrap_or_default(),
            class: manifest.map(|manifest| manifest.class),
            taken_at: taken_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            age_seconds: taken_at
                .and_then(|at| (now - at).to_std().ok())
                .map(|age| age.as_secs()),
            size: copies().next().map_or(0, |entry| entry.size),
            revision: manifest.map(|manifest| manifest.revision),
            standing: standing.map_or("suspect", |(_, word)| word),
            stores: [self.here.map(|_| "local"), self.there.map(|_| "remote")]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}

/// The word for a standing, and its rank: the worst is the lowest.
fn word(standing: &Standing) -> (u8, &'static str) {
    match standing {
        Standing::Suspect(_) => (0, "suspect"),
        Standing::Foreign => (1, "foreign"),
        Standing::Proved(_) => (2, "proved"),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["NAME", "AGE", "SIZE", "REVISION", "PROVED", "WHERE"]);
    let dash = || "-".to_owned();
    for row in rows {
        table.push(vec![
            row.name.clone(),
            row.age_seconds
                .map_or_else(dash, |age| GoDuration(Duration::from_secs(age)).to_string()),
            Size(row.size).to_string(),
            row.revision
                .map_or_else(dash, |revision| revision.to_string()),
            if row.standing == "proved" {
                "yes".to_owned()
            } else {
                row.standing.to_owned()
            },
            row.stores.join("+"),
        ]);
    }
    table
}
