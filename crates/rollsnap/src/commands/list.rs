//! `rollsnap list`: everything there is, here and there, in one table.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rollsnap_engine::Manifest;
use rollsnap_engine::catalog::{Catalog, Entry, Reader, Standing};
use rollsnap_engine::manifest::{Class, Method};
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::Context;
use crate::assembly;
use crate::output::{self, Size, Table};
use crate::report::Failure;

/// One snapshot, wherever it is. Copies that differ are rows of their own.
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
    /// SHA-256 of the stored bytes, by the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// `proved`, `disputed`, `corrupt`, `foreign`, `suspect` or `quarantined`.
    standing: &'static str,
    /// How deep it was verified; absent where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Method>,
    /// When the bucket's copy was last read back; absent where it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_back_at: Option<String>,
    #[serde(skip)]
    read_back_ago: Option<Duration>,
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
    let remote = assembly::remote(&settings)?;
    let here = Reader::default().read(&local).await?;
    let there = match remote {
        Some(remote) => Reader::default().read(&*remote).await?,
        None => Catalog::default(),
    };
    let aside = Reader::default().read(&local.quarantine()).await?;
    let now = context.clock.now();
    let mut rows: Vec<_> = here
        .entries
        .iter()
        .map(|entry| Row::of(entry, "local", now))
        .collect();
    for entry in &there.entries {
        let copy = Row::of(entry, "remote", now);
        let is_broken = entry.manifest().is_some_and(Manifest::is_of_broken_copy);
        let is_twin = |row: &&mut Row| !is_broken && row.is_same(&copy);
        match rows.iter_mut().find(is_twin) {
            Some(row) => {
                row.stores.extend(copy.stores);
                row.read_back_at = copy.read_back_at;
                row.read_back_ago = copy.read_back_ago;
            }
            None => rows.push(copy),
        }
    }
    rows.extend(aside.entries.iter().map(|entry| Row {
        standing: "quarantined",
        ..Row::of(entry, "local", now)
    }));
    rows.sort_by(|a, b| (&a.taken_at, &a.name).cmp(&(&b.taken_at, &b.name)));
    let listing = Listing { snapshots: rows };
    output::tell(context.format, &listing, || {
        table(&listing.snapshots).render()
    })
}

impl Row {
    fn of(entry: &Entry, store: &'static str, now: DateTime<Utc>) -> Self {
        let manifest = entry.manifest();
        let taken_at = entry.taken_at();
        let age = taken_at.and_then(|at| (now - at).to_std().ok());
        let reading = manifest.and_then(|manifest| manifest.read_back.as_ref());
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        Self {
            name: entry.name.to_string(),
            class: manifest.map(|manifest| manifest.class),
            taken_at: taken_at.map(text),
            age_seconds: age.map(|age| age.as_secs()),
            size: entry.size,
            digest: manifest.map(|manifest| manifest.stored.content.digest.to_string()),
            revision: manifest.map(|manifest| manifest.revision),
            standing: match entry.standing {
                Standing::Proved(_) => "proved",
                Standing::Disputed(_) => "disputed",
                Standing::Corrupt(_) => "corrupt",
                Standing::Foreign => "foreign",
                Standing::Suspect(_) => "suspect",
            },
            verified: manifest
                .and_then(|manifest| manifest.verification.as_ref())
                .map(|verification| verification.method),
            read_back_at: reading.map(|reading| text(reading.at)),
            read_back_ago: reading.map(|reading| (now - reading.at).to_std().unwrap_or_default()),
            stores: vec![store],
        }
    }

    /// Whether a copy in the other store is this very snapshot. What nothing proves is never
    /// said to be equal, nor is what is broken in one place alone.
    fn is_same(&self, copy: &Self) -> bool {
        let is_broken = |row: &Self| row.standing == "corrupt";
        self.digest.is_some()
            && self.name == copy.name
            && self.digest == copy.digest
            && is_broken(self) == is_broken(copy)
    }
}

fn table(rows: &[Row]) -> Table {
    let mut heading = vec!["NAME", "AGE", "SIZE", "REVISION", "PROVED", "WHERE"];
    let is_read_back = rows.iter().any(|row| row.read_back_ago.is_some());
    if is_read_back {
        heading.push("READ BACK");
    }
    let mut table = Table::new(&heading);
    let dash = || "-".to_owned();
    let seconds = |seconds| GoDuration(Duration::from_secs(seconds)).to_string();
    for row in rows {
        let mut cells = vec![
            row.name.clone(),
            row.age_seconds.map_or_else(dash, seconds),
            Size(row.size).to_string(),
            row.revision
                .map_or_else(dash, |revision| revision.to_string()),
            match (row.standing, row.verified) {
                ("proved", Some(Method::Deep)) => "deep".to_owned(),
                ("proved", _) => "digest".to_owned(),
                (standing, _) => standing.to_owned(),
            },
            row.stores.join("+"),
        ];
        if is_read_back {
            let ago = |ago: Duration| format!("{} ago", seconds(ago.as_secs()));
            cells.push(row.read_back_ago.map_or_else(dash, ago));
        }
        table.push(cells);
    }
    table
}
