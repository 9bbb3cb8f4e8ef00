//! What uploads that nobody ended have left in the bucket. No listing shows it, and it is billed.
//!
//! | left by | found by | freed |
//! |---|---|---|
//! | an upload whose [ticket](crate::tickets) is here | the ticket | as soon as nothing will go on with it |
//! | another upload of a snapshot of ours, by a command or a run that was killed | the bucket's list | after a day without a new part |
//! | an upload of a name like ours that nobody knows | the same | after a week: whoever began it may be another member, and come back |
//!
//! A name that a manifest of another cluster or member has, here or there, is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rollsnap_store::{ObjectName, Store, StoreError};
use tokio::time::Instant;

use crate::SnapshotName;
use crate::debt::Debt;
use crate::name::Part;
use crate::tickets::Tickets;

/// How often the bucket is asked for them.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// After which time without a new part one of ours is given up.
const OURS: TimeDelta = TimeDelta::days(1);

/// The same of one that nobody knows.
const NOBODYS: TimeDelta = TimeDelta::days(7);

/// What is left of uploads to one bucket, looked at from time to time.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// When the bucket is asked next; `None` at the start.
    next: Option<Instant>,
    /// The last look failed, which was told.
    pub(crate) is_failing: bool,
}

impl Leftovers {
    /// Frees what is left of uploads with a ticket, but of those that are `wanted`, and once a day
    /// what is left of others. Tells of each that it freed.
    pub(crate) async fn clear(
        &mut self,
        remote: &dyn Store,
        tickets: &Tickets,
        wanted: &BTreeSet<ObjectName>,
        debt: &Debt<'_>,
        now: DateTime<Utc>,
        mut tell: impl FnMut(ObjectName) + Send,
    ) -> Result<(), StoreError> {
        let mut with_ticket = BTreeSet::new();
        for (object, ticket) in tickets.list().await? {
            if wanted.contains(&object) {
                with_ticket.insert(object);
                continue;
            }
            if let Some(ticket) = ticket {
                remote.forget(&object, &ticket).await?;
            }
            tickets.remove(&object).await?;
            tell(object);
        }
        if self.next.is_some_and(|next| next > Instant::now()) {
            return Ok(());
        }
        let owners = Owners::new(debt);
        for (owner, age) in [(Owner::Us, OURS), (Owner::Nobody, NOBODYS)] {
            let is_theirs = |object: &ObjectName| {
                !with_ticket.contains(object) && owners.of(object) == Some(owner)
            };
            let freed = remote.sweep(&is_theirs, now - age).await?;
            freed.into_iter().for_each(&mut tell);
        }
        self.next = Some(Instant::now() + EVERY);
        Ok(())
    }
}

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Us,
    /// It looks like ours, but no manifest is known.
    Nobody,
    Others,
}

/// Whose the names of all manifests are that are known.
struct Owners(BTreeMap<SnapshotName, Owner>);

impl Owners {
    fn new(debt: &Debt<'_>) -> Self {
        let mut owners = BTreeMap::new();
        for catalog in [debt.here, debt.there] {
            for manifest in catalog.manifests().chain(&catalog.orphans) {
                let owner = if debt.guard.owns(manifest) {
                    Owner::Us
                } else {
                    Owner::Others
                };
                let known = owners.entry(manifest.name.clone()).or_insert(owner);
                if owner == Owner::Others {
                    *known = owner;
                }
            }
        }
        Self(owners)
    }

    /// `None` for a name that is no snapshot's of anybody's we know.
    fn of(&self, object: &ObjectName) -> Option<Owner> {
        let Some(Part::Stored(name, _)) = Part::of(object) else {
            return None;
        };
        let known = self.0.get(&name).copied();
        known.or_else(|| name.rolling_time().map(|_| Owner::Nobody))
    }
}
