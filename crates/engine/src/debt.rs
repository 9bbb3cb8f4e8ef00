//! What the bucket is owed. Pure.
//!
//! There is no ledger: the difference between the two catalogs is the to-do list, after any
//! failure and after any restart. What is owed is held back here from retention, within bounds,
//! so that a bucket that was away finds what it missed.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::catalog::{Catalog, Entry};
use crate::manifest::{Class, Method, Verdict as Found};
use crate::retention::{Fate, Grade, Guard, Reason, Verdict};
use crate::{Manifest, SnapshotName};

/// Both sides of a debt, and whose it is.
#[derive(Clone, Copy)]
pub struct Debt<'a> {
    /// The directory.
    pub here: &'a Catalog,
    /// The bucket.
    pub there: &'a Catalog,
    /// Whose snapshots are copied.
    pub guard: Guard,
    /// How deep a snapshot must have been verified before it is copied.
    pub demand: Method,
    /// What becomes of a one-off whose name another has there.
    pub namesakes: Namesakes,
}

/// What becomes in the bucket of one-offs of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Namesakes {
    /// The first stays; no other is copied.
    #[default]
    FirstStays,
    /// The newest of one cluster takes the place of what is there: RKE gives the one-offs of all
    /// members one name, and each new one that of an older one.
    NewestWins,
}

impl<'a> Debt<'a> {
    /// The snapshots of this member that are here, verified as deep as is demanded and not broken,
    /// and that are not there; newest first.
    pub fn owed(&self) -> Vec<&'a Entry> {
        let mut missing = self.missing();
        missing.retain(|entry| entry.manifest().is_some_and(|it| self.is_fit(it)));
        missing
    }

    /// What [is owed](Self::owed) or will be once it is verified.
    pub(crate) fn missing(&self) -> Vec<&'a Entry> {
        let may_be_owed = |manifest: &Manifest| {
            self.guard.owns(manifest)
                && manifest.verdict() != Some(Found::Corrupt)
                && !self.is_there(manifest)
        };
        let entries = self.here.entries.iter();
        let mut missing: Vec<_> = entries
            .filter(|entry| entry.manifest().is_some_and(may_be_owed))
            .collect();
        missing.sort_by_key(|entry| Reverse(entry.manifest().map(|manifest| manifest.order)));
        missing
    }

    fn is_there(&self, manifest: &Manifest) -> bool {
        let Some(entry) = self.there.find(&manifest.name) else {
            return false;
        };
        let digest = |manifest: &Manifest| manifest.stored.content.digest;
        let twin = entry.manifest();
        twin.is_some_and(|twin| digest(twin) == digest(manifest) && !twin.is_of_broken_copy())
            || self.is_superseded(manifest, entry)
    }

    /// Whether the bucket has a newer one of its name, which is to stay.
    fn is_superseded(&self, manifest: &Manifest, entry: &Entry) -> bool {
        if !self.may_replace(manifest) {
            return false;
        }
        match entry.manifest() {
            Some(twin) => {
                let when = |it: &Manifest| (it.started_at, it.member_id, it.order);
                twin.class == Class::OneOff
                    && twin.cluster_id == manifest.cluster_id
                    && when(twin) > when(manifest)
            }
            // Its manifest may be on the way.
            None => entry.modified.is_some_and(|at| at > manifest.finished_at),
        }
    }

    /// Whether it takes the place of another of its name there.
    pub(crate) fn may_replace(&self, manifest: &Manifest) -> bool {
        self.namesakes == Namesakes::NewestWins && manifest.class == Class::OneOff
    }

    fn is_fit(&self, manifest: &Manifest) -> bool {
        self.demand == Method::Digest || manifest.is_verified(self.demand)
    }

    /// Of [what is missing](Self::missing) that which the bucket's own retention would delete as
    /// soon as it were there, so that sending it would be in vain. `plan` judges entries as that
    /// does.
    pub(crate) fn in_vain(
        &self,
        plan: impl FnOnce(&[Entry]) -> Vec<Verdict>,
    ) -> BTreeSet<SnapshotName> {
        let mut then = self.there.entries.clone();
        let missing = self.missing();
        let is_missing = |name: &SnapshotName| missing.iter().any(|entry| entry.name == *name);
        then.retain(|entry| !is_missing(&entry.name));
        then.extend(missing.iter().copied().cloned());
        let verdicts = plan(&then).into_iter();
        verdicts
            .filter(|verdict| verdict.fate.is_delete() && is_missing(&verdict.name))
            .map(|verdict| verdict.name)
            .collect()
    }

    /// Keeps in a plan of what is here what the bucket lacks: each snapshot that held, until the
    /// bucket has it or as many newer ones as it keeps by `count`. The newest so many of them, for
    /// a bucket that stays away must not fill the disk. Returns their names.
    pub fn hold_back(&self, plan: &mut [Verdict], count: usize) -> BTreeSet<SnapshotName> {
        let is_held = |manifest: &Manifest| {
            self.guard.owns(manifest)
                && manifest.class == Class::Rolling
                && Grade::of(manifest, self.demand) == Grade::Held
        };
        let there = self.there.entries.iter().filter_map(Entry::manifest);
        let orders: Vec<_> = there
            .filter(|manifest| is_held(manifest) && !manifest.is_of_broken_copy())
            .map(|manifest| manifest.order)
            .collect();
        let mut held_back = BTreeSet::new();
        // A plan is newest first.
        for verdict in plan.iter_mut().filter(|verdict| verdict.fate.is_delete()) {
            let entry = self.here.find(&verdict.name);
            let Some(manifest) = entry.and_then(Entry::manifest) else {
                continue;
            };
            let newer = orders.iter().filter(|order| **order > manifest.order);
            let is_needed = is_held(manifest) && !self.is_there(manifest) && newer.count() < count;
            if is_needed && held_back.len() < count {
                verdict.fate = Fate::Keep(Reason::NotUploaded);
                held_back.insert(verdict.name.clone());
            }
        }
        held_back
    }
}
