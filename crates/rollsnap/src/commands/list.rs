//! `rollsnap list`: everything there is, here and there, in one table.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_engine::Manifest;
use rollsnap_engine::catalog::Entry;
use rollsnap_engine::manifest::{Class, Method, Outcome};
use rollsnap_rke::duration::GoDuration;
use rollsnap_store::ObjectInfo;
use serde::Serialize;

use super::Context;
use crate::output::{self, Size, Table, moment};
use crate::report::Failure;
use crate::sight::Sight;

/// One snapshot, wherever it is. Copies that differ are rows of their own.
#[derive(Serialize)]
pub(crate) struct Row {
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
    /// When a restore from it was last rehearsed; absent where it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    drilled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill_result: Option<Outcome>,
    #[serde(skip)]
    drilled_ago: Option<Duration>,
    /// `local`, `remote`, or both, in this order.
    stores: Vec<&'static str>,
}

/// The certificates of a cluster that RKE before v0.2.0 built: no snapshot.
#[derive(Serialize)]
struct BundleRow {
    name: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_at: Option<String>,
    #[serde(skip)]
    age: Option<Duration>,
    /// `local` or `remote`.
    store: &'static str,
}

/// Everything there is.
#[derive(Serialize)]
pub(crate) struct Listing {
    snapshots: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bundles: Vec<BundleRow>,
    /// Why copies in the bucket are not among them; absent where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<String>,
}

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?;
    let sight = Sight::of(&settings).await?;
    let listing = Listing::of(&sight, context.clock.now());
    output::tell(context.format, &listing, || {
        table(&listing.snapshots, &listing.bundles).render()
    })?;
    sight.unseen.map_or(Ok(()), Err)
}

impl Listing {
    /// Of the directory, the bucket as far as it was seen, and the quarantine.
    pub(crate) fn of(sight: &Sight, now: DateTime<Utc>) -> Self {
        let (here, there) = (&sight.here, &*sight.bucket());
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
                    if copy.drilled_at > row.drilled_at {
                        row.drilled_at = copy.drilled_at;
                        row.drill_result = copy.drill_result;
                        row.drilled_ago = copy.drilled_ago;
                    }
                }
                None => rows.push(copy),
            }
        }
        rows.extend(sight.aside.entries.iter().map(|entry| Row {
            standing: "quarantined",
            ..Row::of(entry, "local", now)
        }));
        rows.sort_by(|a, b| (&a.taken_at, &a.name).cmp(&(&b.taken_at, &b.name)));
        let bundles = [(here, "local"), (there, "remote")];
        let bundles = bundles.into_iter().flat_map(|(catalog, store)| {
            let row = move |bundle| BundleRow::of(bundle, store, now);
            catalog.bundles.iter().map(row)
        });
        Self {
            snapshots: rows,
            bundles: bundles.collect(),
            unseen: sight.why_unseen().map(str::to_owned),
        }
    }
}

impl Row {
    fn of(entry: &Entry, store: &'static str, now: DateTime<Utc>) -> Self {
        let manifest = entry.manifest();
        let taken_at = entry.taken_at();
        let age = taken_at.and_then(|at| (now - at).to_std().ok());
        let reading = manifest.and_then(|manifest| manifest.read_back.as_ref());
        let drill = manifest.and_then(|manifest| manifest.drill.as_ref());
        Self {
            name: entry.name.to_string(),
            class: manifest.map(|manifest| manifest.class),
            taken_at: taken_at.map(moment),
            age_seconds: age.map(|age| age.as_secs()),
            size: entry.size,
            digest: manifest.map(|manifest| manifest.stored.content.digest.to_string()),
            revision: manifest.map(|manifest| manifest.revision),
            standing: entry.standing.as_str(),
            verified: manifest
                .and_then(|manifest| manifest.verification.as_ref())
                .map(|verification| verification.method),
            read_back_at: reading.map(|reading| moment(reading.at)),
            drilled_ago: drill.map(|drill| (now - drill.at).to_std().unwrap_or_default()),
            drilled_at: drill.map(|drill| moment(drill.at)),
            drill_result: drill.map(|drill| drill.result),
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

impl BundleRow {
    fn of(bundle: &ObjectInfo, store: &'static str, now: DateTime<Utc>) -> Self {
        Self {
            name: bundle.name.to_string(),
            size: bundle.size,
            modified_at: bundle.modified.map(moment),
            age: bundle.modified.and_then(|at| (now - at).to_std().ok()),
            store,
        }
    }
}

fn table(rows: &[Row], bundles: &[BundleRow]) -> Table {
    let mut heading = vec!["NAME", "AGE", "SIZE", "REVISION", "PROVED", "WHERE"];
    let is_read_back = rows.iter().any(|row| row.read_back_ago.is_some());
    if is_read_back {
        heading.push("READ BACK");
    }
    let is_drilled = rows.iter().any(|row| row.drill_result.is_some());
    if is_drilled {
        heading.push("DRILLED");
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
        let ago = |ago: Duration| format!("{} ago", seconds(ago.as_secs()));
        if is_read_back {
            cells.push(row.read_back_ago.map_or_else(dash, ago));
        }
        if is_drilled {
            cells.push(match (row.drill_result, row.drilled_ago) {
                (Some(Outcome::Held), Some(drilled)) => ago(drilled),
                (Some(result), _) => result.as_str().to_owned(),
                _ => dash(),
            });
        }
        table.push(cells);
    }
    for bundle in bundles {
        let age = bundle.age.map(|age| seconds(age.as_secs()));
        let mut cells = vec![
            bundle.name.clone(),
            age.unwrap_or_else(dash),
            Size(bundle.size).to_string(),
            dash(),
            "certificates".to_owned(),
            bundle.store.to_owned(),
        ];
        cells.resize_with(heading.len(), dash);
        table.push(cells);
    }
    table
}
