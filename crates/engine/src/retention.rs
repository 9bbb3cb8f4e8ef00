//! Which snapshots stay. Pure: it takes the list and the time, and answers with reasons.
//!
//! What is never planned for deletion, whatever the rules say: a one-off, a snapshot without a
//! manifest (but for [the old program's rolling ones](Foreign), where that is wanted), one that
//! does not fit it or that was found broken, another cluster's or member's, and the newest proved
//! one.
//!
//! Only what was proved as deep as is demanded makes anything older go. Each snapshot has a rank
//! from the newest on, and the same number is kept of each [grade](Grade):
//!
//! | a snapshot that | is ranked among |
//! |---|---|
//! | held | those that held |
//! | waits for its verification | those that held and those that wait: it makes none go that held, and goes itself when enough newer ones have held |
//! | is disputed | those that are disputed: beside the others, which it neither counts for nor against |
//!
//! Tiers go by the same grades: the last of a day is the last that held, beside it the last that
//! waits, if that is newer, and the last that is disputed.
//!
//! So whatever ends verification for a while, a disk holds three times the number at most. Where
//! there is a bucket that stays away, as many again [are held back](crate::debt) for it.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::{Entry, Standing};
use crate::manifest::{Class, Id, Manifest, Method, Verdict as Found};
use crate::{Codec, SnapshotName};

mod foreign;
mod tiers;

pub use foreign::{Foreign, PruneForeign};
pub use tiers::{Tier, Tiers};

/// How much is kept of the rolling snapshots of one member in one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// The newest so many, at least one.
    Count(usize),
    /// What is not older than `limit`, and the newest `floor` whatever their age: an outage
    /// never empties the history.
    Age {
        /// The age limit.
        limit: Duration,
        /// The least number kept, at least one.
        floor: usize,
    },
    /// The newest so many, at least one, and of older ones the last of so many hours, days, weeks
    /// and months.
    Tiered {
        /// How many of the newest.
        count: usize,
        /// How many of each tier.
        tiers: Tiers,
    },
}

/// Whose snapshots are planned. Everybody else's are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The cluster that is guarded.
    pub cluster: Id,
    /// The member whose snapshots are rotated here.
    pub member: Id,
    /// The others of that cluster from which a snapshot may come as well: all of theirs count
    /// together.
    pub fellows: Fellows,
}

/// Members whose snapshots count as one member's. Of more than etcd advises a cluster to have (7)
/// the rest is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fellows(pub(crate) [Option<Id>; 7]);

impl FromIterator<u64> for Fellows {
    fn from_iter<T: IntoIterator<Item = u64>>(ids: T) -> Self {
        let mut fellows = Self::default();
        for (place, id) in fellows.0.iter_mut().zip(ids) {
            *place = Some(Id(id));
        }
        fellows
    }
}

impl Guard {
    /// Whose snapshot this is.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            cluster: manifest.cluster_id,
            member: manifest.member_id,
            fellows: Fellows::default(),
        }
    }

    /// The same, with others whose snapshots count as well.
    #[must_use]
    pub fn and(self, fellows: impl IntoIterator<Item = u64>) -> Self {
        let fellows = fellows.into_iter().collect();
        Self { fellows, ..self }
    }

    /// Whether it is ours to rotate.
    pub fn owns(self, manifest: &Manifest) -> bool {
        let member = manifest.member_id;
        let is_one = self.member == member || self.fellows.0.contains(&Some(member));
        self.cluster == manifest.cluster_id && is_one
    }
}

/// Whether ages may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ages {
    /// The wall clock has run evenly.
    Trusted,
    /// The wall clock jumped a while ago: nothing is deleted for its age.
    Doubted,
}

/// What is to happen to one snapshot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The snapshot.
    pub name: SnapshotName,
    /// Its encoding: two of one name may lie beside each other.
    pub codec: Codec,
    /// Keep or delete, with the reason.
    pub fate: Fate,
}

/// Keep or delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Keep(Reason),
    /// It goes.
    Delete(Reason),
}

/// What a snapshot counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// Proved as deep as is demanded.
    Held,
    /// Not verified yet as deep as is demanded.
    Waiting,
    /// A member of its cluster holds other data.
    Disputed,
}

impl Grade {
    pub(crate) fn of(manifest: &Manifest, demand: Method) -> Self {
        match manifest.verdict() {
            Some(Found::Disputed) => Self::Disputed,
            _ if demand == Method::Digest || manifest.is_verified(demand) => Self::Held,
            _ => Self::Waiting,
        }
    }
}

/// The ranks given so far, from the newest on.
#[derive(Default)]
struct Ranks {
    held: usize,
    waiting: usize,
    disputed: usize,
}

impl Ranks {
    fn next(&mut self, grade: Grade) -> usize {
        let place = match grade {
            Grade::Held => &mut self.held,
            Grade::Waiting => &mut self.waiting,
            Grade::Disputed => &mut self.disputed,
        };
        *place += 1;
        match grade {
            Grade::Waiting => self.held + self.waiting,
            Grade::Held | Grade::Disputed => *place,
        }
    }
}

/// Why. The `rank` of the newest is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Taken by hand.
    OneOff,
    /// We did not make it.
    Foreign,
    /// It does not fit its manifest.
    Suspect,
    /// Its database is broken, or this copy of it.
    Corrupt,
    /// Of another cluster.
    OtherCluster,
    /// Of another member.
    OtherMember,
    /// The newest proved snapshot.
    Newest,
    /// Among the newest that are kept.
    WithinCount {
        /// Its place.
        rank: usize,
        /// How many are kept.
        count: usize,
        /// What it counts for.
        grade: Grade,
    },
    /// Not older than the limit.
    WithinAge {
        /// Its age.
        age: Duration,
        /// The limit.
        limit: Duration,
    },
    /// The last of its hour, day, week or month.
    OfTier {
        /// Which of the four.
        tier: Tier,
        /// The place of its hour, day, week or month from the newest on.
        rank: usize,
        /// How many of them are kept.
        count: usize,
    },
    /// Past the limit, by a clock that jumped.
    DoubtedAge,
    /// Newer ones fill the count, but the bucket has neither it nor them.
    NotUploaded,
    /// The store holds it under a lock.
    Locked,
    /// Newer ones fill the count.
    BeyondCount {
        /// Its place.
        rank: usize,
        /// How many are kept.
        count: usize,
        /// What it counts for.
        grade: Grade,
    },
    /// Newer ones fill the count, and it is none that a tier keeps.
    BeyondTiers {
        /// How many are kept of the newest.
        count: usize,
    },
    /// Older than the limit, and enough newer ones are there.
    PastAge {
        /// Its age.
        age: Duration,
        /// The limit.
        limit: Duration,
    },
}

impl Retention {
    /// How long a snapshot stays if none is missed: what the old program calls `retention`. With
    /// tiers, how long the last ones stay.
    pub fn span(&self, interval: Duration) -> Duration {
        let of_newest = |count| interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        match *self {
            Self::Count(count) => of_newest(count),
            Self::Age { limit, .. } => limit,
            Self::Tiered { count, tiers } => of_newest(count).max(tiers.span()),
        }
    }

    /// The least number that it keeps.
    pub fn count(&self) -> usize {
        match *self {
            Self::Count(count) | Self::Age { floor: count, .. } | Self::Tiered { count, .. } => {
                count.max(1)
            }
        }
    }

    /// Judges every entry of one store, newest first, foreign ones last. `demand` is how deep a
    /// snapshot must have been verified to make an older one go, `foreign` what becomes of the old
    /// program's.
    ///
    /// The answer does not depend on the order of `entries`, and planning again after carrying
    /// it out deletes nothing more at the same `now`.
    pub fn plan(
        &self,
        entries: &[Entry],
        guard: Guard,
        demand: Method,
        now: DateTime<Utc>,
        ages: Ages,
        foreign: Foreign,
    ) -> Vec<Verdict> {
        let mut rolling: Vec<(&Entry, &Manifest)> = Vec::new();
        let mut others = Vec::new();
        for entry in entries {
            match spared(entry, guard) {
                Ok(manifest) => rolling.push((entry, manifest)),
                Err(reason) => others.push((entry, reason)),
            }
        }
        rolling.sort_by_key(|(entry, manifest)| {
            Reverse((manifest.order, manifest.started_at, entry.name.clone()))
        });
        let held = |manifest: &Manifest| Grade::of(manifest, demand) == Grade::Held;
        let proved = rolling.iter().filter(|(_, manifest)| held(manifest));
        let proved = proved.map(|(_, manifest)| manifest.started_at).collect();
        let when = (now, ages);
        let foreign = foreign::Judge::new(foreign, entries, proved, self.count(), when);
        let others = others.into_iter().map(|(entry, reason)| {
            let judge = foreign.as_ref().filter(|_| reason == Reason::Foreign);
            let fate = judge.map_or(Fate::Keep(reason), |judge| judge.fate(entry));
            Verdict::of(entry, fate)
        });
        let mut others: Vec<_> = others.collect();
        others.sort_by(|a, b| (&b.name, b.codec).cmp(&(&a.name, a.codec)));
        let mut ranks = Ranks::default();
        let mut shelves = Shelves::default();
        let judged = rolling.iter().map(|(entry, manifest)| {
            let grade = Grade::of(manifest, demand);
            let age = (now - manifest.started_at).to_std().unwrap_or_default();
            let rank = ranks.next(grade);
            let fate = match self {
                Self::Tiered { count, tiers } => {
                    let places = shelves.put(grade, tiers, manifest.started_at);
                    tiered(grade, rank, *count, tiers.judge(&places, ages))
                }
                _ => self.judge(grade, rank, age, ages),
            };
            Verdict::of(entry, fate)
        });
        judged.chain(others).collect()
    }

    fn judge(&self, grade: Grade, rank: usize, age: Duration, ages: Ages) -> Fate {
        if rank == 1 && grade == Grade::Held {
            return Fate::Keep(Reason::Newest);
        }
        match *self {
            Self::Count(count) | Self::Tiered { count, .. } if rank <= count.max(1) => {
                Fate::Keep(Reason::WithinCount { rank, count, grade })
            }
            Self::Count(count) | Self::Tiered { count, .. } => {
                Fate::Delete(Reason::BeyondCount { rank, count, grade })
            }
            Self::Age { limit, .. } if age <= limit => Fate::Keep(Reason::WithinAge { age, limit }),
            Self::Age { floor, .. } if rank <= floor.max(1) => Fate::Keep(Reason::WithinCount {
                rank,
                count: floor,
                grade,
            }),
            Self::Age { .. } if ages == Ages::Doubted => Fate::Keep(Reason::DoubtedAge),
            Self::Age { limit, .. } => Fate::Delete(Reason::PastAge { age, limit }),
        }
    }
}

/// The newest so many stay, and what a tier keeps.
fn tiered(grade: Grade, rank: usize, count: usize, kept: Option<Reason>) -> Fate {
    match Retention::Count(count).judge(grade, rank, Duration::ZERO, Ages::Trusted) {
        Fate::Delete(_) => kept.map_or(Fate::Delete(Reason::BeyondTiers { count }), Fate::Keep),
        keep @ Fate::Keep(_) => keep,
    }
}

/// The shelves of each grade, filled from the newest on, as [`Ranks`] are given: what waits stands
/// among those that held, which it does not move.
#[derive(Default)]
struct Shelves {
    held: tiers::Shelf,
    waiting: tiers::Shelf,
    disputed: tiers::Shelf,
}

impl Shelves {
    fn put(&mut self, grade: Grade, tiers: &Tiers, at: DateTime<Utc>) -> tiers::Places {
        match grade {
            Grade::Held => {
                self.waiting.put(tiers, at);
                self.held.put(tiers, at)
            }
            Grade::Waiting => self.waiting.put(tiers, at),
            Grade::Disputed => self.disputed.put(tiers, at),
        }
    }
}

/// The manifest of an entry that the rules apply to, or why they do not.
fn spared(entry: &Entry, guard: Guard) -> Result<&Manifest, Reason> {
    let manifest = match &entry.standing {
        Standing::Foreign => return Err(Reason::Foreign),
        Standing::Suspect(_) => return Err(Reason::Suspect),
        Standing::Corrupt(_) => return Err(Reason::Corrupt),
        Standing::Proved(manifest) | Standing::Disputed(manifest) => manifest,
    };
    if manifest.cluster_id != guard.cluster {
        Err(Reason::OtherCluster)
    } else if !guard.owns(manifest) {
        Err(Reason::OtherMember)
    } else if manifest.class == Class::OneOff {
        Err(Reason::OneOff)
    } else {
        Ok(manifest)
    }
}

impl Verdict {
    pub(crate) fn of(entry: &Entry, fate: Fate) -> Self {
        Self {
            name: entry.name.clone(),
            codec: entry.codec,
            fate,
        }
    }
}

impl Fate {
    /// Whether it goes.
    pub fn is_delete(self) -> bool {
        matches!(self, Self::Delete(_))
    }

    /// The reason, either way.
    pub fn reason(self) -> Reason {
        match self {
            Self::Keep(reason) | Self::Delete(reason) => reason,
        }
    }
}

/// What is said of a snapshot behind its rank.
impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "",
            Self::Waiting => "; it is not verified yet",
            Self::Disputed => " of those that members dispute",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOff => write!(f, "one-off, kept until deleted by hand"),
            Self::Foreign => write!(f, "not made by rollsnap"),
            Self::Suspect => write!(f, "does not fit its manifest"),
            Self::Corrupt => write!(f, "it is broken; kept until deleted by hand"),
            Self::OtherCluster => write!(f, "of another cluster"),
            Self::OtherMember => write!(f, "of another member"),
            Self::Newest => write!(f, "newest proved snapshot"),
            Self::WithinCount { rank, count, grade } => {
                write!(f, "number {rank} of {count} kept{grade}")
            }
            Self::WithinAge { age, limit } | Self::PastAge { age, limit } => {
                write!(f, "{}s old, limit {}s", age.as_secs(), limit.as_secs())
            }
            Self::OfTier { tier, rank, count } => write!(f, "{tier} {rank} of {count}"),
            Self::BeyondTiers { count } => write!(
                f,
                "not among the newest {count}, nor the last of an hour, day, week or month that is kept"
            ),
            Self::DoubtedAge => write!(f, "past its age by a clock that jumped"),
            Self::NotUploaded => write!(f, "not in the bucket yet"),
            Self::Locked => write!(f, "under a lock; deleted once that ends"),
            Self::BeyondCount { rank, count, grade } => {
                write!(f, "number {rank}, {count} are kept{grade}")
            }
        }
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
pub(crate) mod tests;
