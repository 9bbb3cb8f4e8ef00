//! `rollsnap du`: what fills a database, and what would make room.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

use rollsnap_engine::image::Access;
use rollsnap_engine::look::{self, Fate, LookError, ReadAt, Stored, Usage};
use rollsnap_kube::{Keys, ObjectKey};
use serde::Serialize;

use super::chart;
use super::legible;
use crate::cli::look::{By, Du};
use crate::commands::Context;
use crate::commands::operand::Operand;
use crate::output::{self, Size, Table};
use crate::report::Failure;

/// The bucket of all records.
const RECORDS: &[u8] = b"key";

/// What is no object of Kubernetes. Parentheses are in no name of it.
pub(in crate::commands) const OTHER: &str = "(other)";

/// The room that some records take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Room {
    /// Keys that are alive.
    pub(super) keys: u64,
    /// Bytes of their records.
    pub(super) live_size: u64,
    /// Records that hold what was replaced or deleted.
    pub(super) superseded: u64,
    /// Records of deletions.
    pub(super) tombstones: u64,
    /// Bytes of both.
    pub(super) history_size: u64,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) room: Room,
}

#[derive(Serialize)]
struct Report {
    revision: u64,
    total_size: u64,
    #[serde(flatten)]
    all: Room,
    /// Bytes in buckets beside that of the records.
    other_size: u64,
    /// Bytes of pages in use that hold no pair: headers, branches, unfilled ends.
    overhead_size: u64,
    /// Bytes of pages that hold nothing.
    free_size: u64,
    buckets: Vec<Bucket>,
    by: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Bucket {
    name: String,
    pairs: u64,
    size: u64,
}

/// What was counted.
struct Counted {
    usage: Usage,
    all: Room,
    rooms: HashMap<String, Room>,
}

pub(super) async fn run(context: &Context, du: &Du) -> Result<(), Failure> {
    let opened = Operand::open(context, &du.snapshot, Access::All).await?;
    let asked = du.clone();
    let counted = opened.look(context, "du", move |file| count(file, &asked));
    let report = Report::of(counted.await?, du.by);
    output::tell(context.format, &report, || {
        let rows = if output::is_seen() {
            chart::of(report.by, &report.rows)
        } else {
            table(report.by, &report.rows).render()
        };
        format!("{}\n{rows}", report.totals())
    })
}

/// Counts every record. Memory: one row for each name, beside what [`look::usage`] takes.
fn count(file: &dyn ReadAt, du: &Du) -> Result<Counted, LookError> {
    let keys = Keys::new(&du.etcd_prefix);
    let mut all = Room::default();
    let mut rooms: HashMap<String, Room> = HashMap::new();
    let usage = look::usage(file, &mut |stored| {
        all.add(&stored);
        let key = stored.record.key;
        let wanted = du.namespace.is_none()
            || keys.parse(key).and_then(|it| it.namespace) == du.namespace.as_deref();
        if wanted {
            let name = name(du.by, &keys, key);
            match rooms.get_mut(&*name) {
                Some(room) => room.add(&stored),
                None => rooms.entry(name.into_owned()).or_default().add(&stored),
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(Counted { usage, all, rooms })
}

/// The row that a key belongs to.
fn name<'k>(by: By, keys: &Keys, key: &'k [u8]) -> Cow<'k, str> {
    let object = keys.parse(key);
    match (by, object) {
        (By::Prefix, _) => {
            let slashes = key.iter().enumerate().skip(1);
            let mut slashes = slashes.filter(|(_, byte)| **byte == b'/');
            let second = slashes.nth(1);
            let last = key.iter().rposition(|byte| *byte == b'/');
            match second.map(|(at, _)| at).or(last) {
                Some(at) => legible::line(&key[..=at]).into(),
                None => OTHER.into(),
            }
        }
        (_, None) => OTHER.into(),
        (By::Resource, Some(it)) => resource(&it),
        (By::Namespace, Some(it)) => it.namespace.unwrap_or("(cluster)").into(),
    }
}

/// `pods`, `deployments.apps`.
pub(in crate::commands) fn resource<'k>(object: &ObjectKey<'k>) -> Cow<'k, str> {
    match object.group {
        "" => object.resource.into(),
        group => format!("{}.{group}", object.resource).into(),
    }
}

impl Room {
    fn add(&mut self, stored: &Stored<'_>) {
        let size = match stored.fate {
            Fate::Live => {
                self.keys += 1;
                &mut self.live_size
            }
            Fate::Superseded => {
                self.superseded += 1;
                &mut self.history_size
            }
            Fate::Tombstone => {
                self.tombstones += 1;
                &mut self.history_size
            }
        };
        *size = size.saturating_add(stored.size);
    }

    pub(super) fn size(&self) -> u64 {
        self.live_size.saturating_add(self.history_size)
    }
}

impl Report {
    fn of(counted: Counted, by: By) -> Self {
        let Counted { usage, all, rooms } = counted;
        let others = usage.buckets.iter().filter(|it| it.name != RECORDS);
        let other_size = others.map(|it| it.size).sum::<u64>();
        let pairs = all.size().saturating_add(other_size);
        let mut rows: Vec<_> = rooms
            .into_iter()
            .map(|(name, room)| Row { name, room })
            .collect();
        rows.sort_by(|a, b| {
            let by_size = b.room.size().cmp(&a.room.size());
            by_size.then_with(|| a.name.cmp(&b.name))
        });
        let buckets = usage.buckets.iter().map(|bucket| Bucket {
            name: legible::line(&bucket.name),
            pairs: bucket.pairs,
            size: bucket.size,
        });
        Self {
            revision: usage.revision,
            total_size: usage.total_size,
            all,
            other_size,
            overhead_size: usage.bytes_in_use.saturating_sub(pairs),
            free_size: usage.total_size.saturating_sub(usage.bytes_in_use),
            buckets: buckets.collect(),
            by: match by {
                By::Resource => "resource",
                By::Namespace => "namespace",
                By::Prefix => "prefix",
            },
            rows,
        }
    }

    /// Where all bytes are, and what would give some of them back.
    fn totals(&self) -> String {
        let mut table = Table::new(&["ROOM", "SIZE", ""]);
        let mut push = |what: &str, size: u64, note: String| {
            table.push(vec![what.to_owned(), Size(size).to_string(), note]);
        };
        let all = &self.all;
        push("live keys", all.live_size, format!("{} keys", all.keys));
        push(
            "history",
            all.history_size,
            format!(
                "{} replaced values and {} deletions: compaction frees their pages",
                all.superseded, all.tombstones
            ),
        );
        push("other buckets", self.other_size, String::new());
        let note = "headers and unfilled pages: defragmentation gives back some of it";
        push("overhead", self.overhead_size, note.to_owned());
        let note = "etcd will use them again; defragmentation gives them back to the disk";
        push("free pages", self.free_size, note.to_owned());
        let note = format!("the database at revision {}", self.revision);
        push("all", self.total_size, note);
        table.render()
    }
}

fn table(by: &str, rows: &[Row]) -> Table {
    let by = by.to_uppercase();
    let mut table = Table::new(&[&by, "KEYS", "LIVE", "RECORDS", "HISTORY"]);
    for Row { name, room } in rows {
        let records = room.superseded.saturating_add(room.tombstones);
        table.push(vec![
            legible::line(name.as_bytes()),
            room.keys.to_string(),
            Size(room.live_size).to_string(),
            records.to_string(),
            Size(room.history_size).to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_one_row_of_each_kind() {
        let keys = Keys::default();
        for (key, resource, namespace, prefix) in [
            ("/registry/pods/a/b", "pods", "a", "/registry/pods/"),
            (
                "/registry/minions/n",
                "nodes",
                "(cluster)",
                "/registry/minions/",
            ),
            (
                "/registry/deployments/a/b",
                "deployments.apps",
                "a",
                "/registry/deployments/",
            ),
            ("/other/x", "(other)", "(other)", "/other/"),
            ("/x", "(other)", "(other)", "/"),
            ("x", "(other)", "(other)", "(other)"),
            ("a/b/c/d", "(other)", "(other)", "a/b/"),
        ] {
            let name = |by| name(by, &keys, key.as_bytes()).into_owned();
            assert_eq!(name(By::Resource), resource, "{key}");
            assert_eq!(name(By::Namespace), namespace, "{key}");
            assert_eq!(name(By::Prefix), prefix, "{key}");
        }
    }
}
