//! What is there beside the snapshot, and what it has that the snapshot has not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rollsnap_engine::look::{self, Difference, LookError, ReadAt};
use rollsnap_engine::manifest::Id;
use rollsnap_engine::restore::{self, RestoreError};
use rollsnap_etcd::{MemberStatus, Members};
use rollsnap_kube::Keys;
use serde::Serialize;

use super::Context;
use crate::commands::look::du::{OTHER, resource};
use crate::commands::opened::Opened;
use crate::report::Failure;

/// Most resources that people are shown; a program is told all.
const SHOWN: usize = 15;

/// A database or a member that is there.
#[derive(Serialize)]
pub(super) struct Beside {
    /// `directory` or `member`.
    what: &'static str,
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<Id>,
    revision: u64,
    /// The snapshot that was taken of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) saved_as: Option<String>,
    /// Those in which it differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    resource: String,
    /// Keys alive.
    there: u64,
    snapshot: u64,
    /// Whose they are, where each was compared.
    #[serde(flatten)]
    compared: Option<Compared>,
}

#[derive(Serialize)]
struct Compared {
    only_there: u64,
    changed: u64,
    only_snapshot: u64,
}

/// What is known of a database before it is compared.
pub(super) struct Place {
    pub(super) what: &'static str,
    pub(super) location: String,
    pub(super) cluster_id: Option<Id>,
}

/// A database beside the snapshot, key by key. Also all differences together.
pub(super) async fn database(
    context: &Context,
    snapshot: &Opened,
    there: Arc<dyn ReadAt>,
    place: Place,
) -> Result<(Beside, Difference), Failure> {
    let asked = snapshot.look(context, "compare", move |here| {
        let keys = Keys::default();
        let revision = *look::revisions(&*there)?.end();
        let found = look::difference(here, &*there, &|key| name(&keys, key))?;
        Ok((revision, found))
    });
    let (revision, found) = asked.await?;
    let all = found
        .values()
        .copied()
        .fold(Difference::default(), Difference::and);
    let rows = found.into_iter().map(|(resource, found)| Row {
        resource,
        there: found.there,
        snapshot: found.here,
        compared: Some(Compared {
            only_there: found.only_there,
            changed: found.changed,
            only_snapshot: found.only_here,
        }),
    });
    Ok((Beside::of(place, revision, rows.collect()), all))
}

/// A live member beside the snapshot: how many keys each has, which costs it next to nothing.
pub(super) async fn member(
    context: &Context,
    snapshot: &Opened,
    members: &Members,
    status: &MemberStatus,
    place: Place,
) -> Result<Beside, Failure> {
    let counted = snapshot.look(context, "count", |file| counts(file)).await?;
    let mut prefixes: Vec<_> = counted.values().map(|(prefix, _)| prefix.clone()).collect();
    prefixes.push(Vec::new());
    let mut told = members.counts(&prefixes).await?;
    // What is below none of them is something else.
    let all = told.pop().unwrap_or_default();
    let known: u64 = counted
        .iter()
        .zip(&told)
        .filter(|((name, _), _)| *name != OTHER)
        .fold(0, |sum, (_, count)| sum.saturating_add(*count));
    let other = all.saturating_sub(known);
    let mut rows: Vec<Row> = counted
        .iter()
        .zip(&told)
        .filter(|((name, _), _)| *name != OTHER)
        .map(|((resource, (_, here)), there)| Row {
            resource: resource.clone(),
            there: *there,
            snapshot: *here,
            compared: None,
        })
        .collect();
    rows.push(Row {
        resource: OTHER.to_owned(),
        there: other,
        snapshot: counted.get(OTHER).map_or(0, |(_, count)| *count),
        compared: None,
    });
    Ok(Beside::of(place, status.revision, rows))
}

/// The keys of each resource: what all of them begin with, and how many there are.
fn counts(file: &dyn ReadAt) -> Result<BTreeMap<String, (Vec<u8>, u64)>, LookError> {
    let keys = Keys::default();
    let mut counts: BTreeMap<String, (Vec<u8>, u64)> = BTreeMap::new();
    look::live(file, None, b"", &mut |live| {
        let key = live.record.key;
        let (_, count) = counts
            .entry(name(&keys, key))
            .or_insert_with(|| (prefix(&keys, key).to_vec(), 0));
        *count = count.saturating_add(1);
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}

fn name(keys: &Keys, key: &[u8]) -> String {
    match keys.parse(key) {
        Some(object) => resource(&object).into_owned(),
        None => OTHER.to_owned(),
    }
}

/// What is before the namespace and the name.
fn prefix<'k>(keys: &Keys, key: &'k [u8]) -> &'k [u8] {
    let Some(object) = keys.parse(key) else {
        return b"";
    };
    let namespace = object.namespace.map_or(0, |namespace| namespace.len() + 1);
    let end = key.len().saturating_sub(object.name.len() + namespace);
    key.get(..end).unwrap_or(key)
}

impl Beside {
    fn of(place: Place, revision: u64, mut resources: Vec<Row>) -> Self {
        resources.retain(Row::is_other);
        resources.sort_by(|a, b| {
            let lost = b.lost().cmp(&a.lost());
            lost.then_with(|| a.resource.cmp(&b.resource))
        });
        Self {
            what: place.what,
            location: place.location,
            cluster_id: place.cluster_id,
            revision,
            saved_as: None,
            resources,
        }
    }

    /// Refuses what has nothing in common with the snapshot. A cluster that was restored has another
    /// id than the one that was saved; what came of the same store is told by its keys, or by a
    /// directory of the snapshot's own cluster that an earlier restore kept.
    pub(super) fn stranger(
        &self,
        snapshot: Id,
        all: &Difference,
        kept: &[Id],
    ) -> Option<RestoreError> {
        let is_known = self.cluster_id == Some(snapshot) || kept.contains(&snapshot);
        let is_stranger = !is_known && restore::are_strangers(all);
        is_stranger.then(|| RestoreError::Stranger(self.location.clone()))
    }

    /// For people, beside a snapshot at this revision.
    pub(super) fn lines(&self, from: u64) -> Vec<String> {
        let mut first = format!("{}, at revision {}", self.location, self.revision);
        match self.revision.checked_sub(from) {
            Some(0) => {}
            Some(more) => first = format!("{first}, {more} after the snapshot's"),
            None => {
                let less = from - self.revision;
                first = format!("{first}, {less} before the snapshot's");
            }
        }
        let mut lines = vec![first];
        if let Some(name) = &self.saved_as {
            lines.push(format!("it is saved as {name}"));
        }
        lines.extend(self.resources.iter().take(SHOWN).map(Row::text));
        match self.resources.len().checked_sub(SHOWN) {
            Some(0) | None if !self.resources.is_empty() => {}
            Some(more) => lines.push(format!("and {more} resources more: -o json")),
            None => lines.push("as far as that tells, it holds what the snapshot holds".to_owned()),
        }
        lines
    }
}

impl Row {
    fn is_other(&self) -> bool {
        self.lost() > 0 || self.there != self.snapshot
    }

    /// How much of it is not in the snapshot.
    fn lost(&self) -> u64 {
        match &self.compared {
            Some(it) => it.only_there.saturating_add(it.changed),
            None => self.there.saturating_sub(self.snapshot),
        }
    }

    fn text(&self) -> String {
        let Self {
            resource,
            there,
            snapshot,
            compared,
        } = self;
        let Some(it) = compared else {
            return format!("{resource}: {there} there, {snapshot} in the snapshot");
        };
        let parts = [
            (it.only_there, "are lost"),
            (it.changed, "are again what they were"),
            (it.only_snapshot, "come back"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        format!("{resource}: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_resource_begin_with_one_prefix_and_no_others_do() {
        let keys = Keys::default();
        for (key, expected) in [
            ("/registry/pods/default/a", "/registry/pods/"),
            ("/registry/minions/n1", "/registry/minions/"),
            (
                "/registry/services/specs/default/a",
                "/registry/services/specs/",
            ),
            (
                "/registry/example.com/things/ns/a",
                "/registry/example.com/things/",
            ),
            ("/other", ""),
        ] {
            let told = prefix(&keys, key.as_bytes());
            assert_eq!(String::from_utf8_lossy(told), expected);
        }
    }

    #[test]
    fn only_what_nothing_connects_with_the_snapshot_is_a_stranger() {
        let apart = Difference {
            here: 100,
            there: 100,
            ..Difference::default()
        };
        let akin = Difference { kin: 50, ..apart };
        let is_stranger = |cluster_id, all: &Difference, kept: &[Id]| {
            let place = Place {
                what: "directory",
                location: "x".to_owned(),
                cluster_id,
            };
            let there = Beside::of(place, 1, Vec::new());
            there.stranger(Id(1), all, kept).is_some()
        };
        assert!(is_stranger(Some(Id(2)), &apart, &[]));
        assert!(is_stranger(None, &apart, &[Id(3)]));
        // Restored before: by its keys, or by what was kept then.
        assert!(!is_stranger(Some(Id(2)), &akin, &[]));
        assert!(!is_stranger(Some(Id(2)), &apart, &[Id(1)]));
        // Its own cluster, in which everything was written anew.
        assert!(!is_stranger(Some(Id(1)), &apart, &[]));
    }
}
