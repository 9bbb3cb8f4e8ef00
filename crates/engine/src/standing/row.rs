//! The snapshots of both stores as one list.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Cluster, Copy, Facts, There, words};
use crate::catalog::{Entry, Standing as Worth};
use crate::manifest::{Class, Manifest, Method, Outcome};
use crate::retention::{Fate, Verdict};
use crate::{Codec, SnapshotName};

/// One snapshot, wherever it is. Copies that differ are rows of their own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Why it was taken; absent where no manifest tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// When; absent where nothing tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<DateTime<Utc>>,
    /// How long ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Bytes that are stored.
    pub size: u64,
    /// The last revision in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// `proved`, `disputed`, `corrupt`, `foreign` or `suspect`.
    pub standing: &'static str,
    /// How deep it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Method>,
    /// What came of the last drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill_result: Option<Outcome>,
    /// `local`, `remote`, or both.
    pub stores: Vec<&'static str>,
    /// What retention would do: `keep` or `delete`; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<&'static str>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Every copy that is known, those of the directory first.
pub(super) fn copies<'a>(facts: &Facts<'a>) -> Vec<Copy<'a>> {
    let copy = |is_there| move |entry| Copy { entry, is_there };
    let mut copies: Vec<_> = facts.here.entries.iter().map(copy(false)).collect();
    if let There::Known(there) = facts.there {
        copies.extend(there.entries.iter().map(copy(true)));
    }
    copies
}

/// That of the newest snapshot: the directory's, where it has any.
pub(super) fn cluster(copies: &[Copy<'_>]) -> Cluster {
    let told = copies.iter().filter_map(|copy| {
        let manifest = copy.entry.manifest()?;
        Some((!copy.is_there, manifest.started_at, manifest.cluster_id))
    });
    told.max().map(|(_, _, cluster)| cluster)
}

/// Whether it is that cluster's, as far as anything tells.
pub(super) fn is_of(entry: &Entry, cluster: Cluster) -> bool {
    let of = entry.manifest().map(|manifest| manifest.cluster_id);
    of.is_none() || of == cluster
}

/// Where there is a copy of this one.
pub(super) fn places(manifest: &Manifest, copies: &[Copy<'_>]) -> &'static str {
    let has = |is_there: bool| {
        copies.iter().any(|copy| {
            copy.is_there == is_there
                && copy.entry.name == manifest.name
                && copy.entry.manifest().map(|it| &it.stored) == Some(&manifest.stored)
        })
    };
    match (has(false), has(true)) {
        (true, true) => "the directory and the bucket",
        (false, true) => "the bucket",
        _ => "the directory",
    }
}

/// Those copies as rows, the newest first.
pub(super) fn rows(facts: &Facts<'_>, copies: &[Copy<'_>]) -> Vec<Row> {
    let fates = |plan: &'_ [Verdict]| -> HashMap<(SnapshotName, Codec), Fate> {
        let fate = |it: &Verdict| ((it.name.clone(), it.codec), it.fate);
        plan.iter().map(fate).collect()
    };
    let (here, there) = (fates(facts.plan_here), fates(facts.plan_there));
    let mut rows: Vec<Row> = Vec::new();
    // The row of each snapshot of the directory, by what proves that another is the same.
    let mut known = HashMap::new();
    for copy in copies {
        let entry = copy.entry;
        let key = entry.manifest().map(|manifest| {
            let digest = manifest.stored.content.digest.to_string();
            (
                entry.name.clone(),
                digest,
                matches!(entry.standing, Worth::Corrupt(_)),
            )
        });
        let fate = if copy.is_there { &there } else { &here };
        let fate = fate.get(&(entry.name.clone(), entry.codec)).copied();
        let twin = key.as_ref().and_then(|key| known.get(key).copied());
        if let Some(row) = twin.and_then(|at: usize| rows.get_mut(at)) {
            row.stores.push(store(copy));
            // It goes where it goes from everywhere.
            if row.fate == Some("delete") && !fate.is_some_and(Fate::is_delete) {
                row.set_fate(fate);
            }
            continue;
        }
        if let Some(key) = key {
            known.insert(key, rows.len());
        }
        let mut row = Row::of(facts, copy);
        row.set_fate(fate);
        rows.push(row);
    }
    rows.sort_by_cached_key(|row| (Reverse(row.taken_at), row.name.clone()));
    rows
}

fn store(copy: &Copy<'_>) -> &'static str {
    if copy.is_there { "remote" } else { "local" }
}

impl Row {
    fn of(facts: &Facts<'_>, copy: &Copy<'_>) -> Self {
        let entry = copy.entry;
        let manifest = entry.manifest();
        let taken_at = entry.taken_at();
        let took = |manifest: &Manifest| {
            let took = words::since(manifest.started_at, manifest.finished_at);
            took.as_secs_f64()
        };
        Self {
            name: entry.name.to_string(),
            class: manifest.map(|manifest| manifest.class),
            taken_at,
            age_seconds: taken_at
                .and_then(|at| (facts.now - at).to_std().ok())
                .map(|age| age.as_secs()),
            seconds: manifest.map(took),
            size: entry.size,
            revision: manifest.map(|manifest| manifest.revision),
            standing: entry.standing.as_str(),
            verified: manifest
                .and_then(|manifest| manifest.verification.as_ref())
                .map(|done| done.method),
            drill_result: manifest
                .and_then(|manifest| manifest.drill.as_ref())
                .map(|drill| drill.result),
            stores: vec![store(copy)],
            fate: None,
            reason: None,
        }
    }

    fn set_fate(&mut self, fate: Option<Fate>) {
        self.fate = fate.map(|fate| if fate.is_delete() { "delete" } else { "keep" });
        self.reason = fate.map(|fate| fate.reason().to_string());
    }
}
