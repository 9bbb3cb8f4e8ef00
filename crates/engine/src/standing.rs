//! How the backups stand, in words and numbers: whether the cluster could be restored now, to which
//! moment and in what time, and what is to be done. Pure: what is there and the time are arguments.
//!
//! One shape for the terminal, the page and the API; `docs/json.md` has its fields.

mod findings;
mod row;
#[cfg(test)]
mod tests;
pub mod words;

use std::cmp::Reverse;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::Kind;
use crate::catalog::{Catalog, Entry, Standing as Worth};
use crate::manifest::{Id, Manifest, Method, Outcome, Verdict as Found};
use crate::retention::Verdict;
use crate::schedule::Schedule;

pub use findings::Finding;
pub use row::Row;

/// Bytes a second that a restore is taken to do where no drill tells: less than half of what it did
/// on the small machine of `docs/performance.md`, and half of that from a bucket.
const SPEED: u64 = 100_000_000;

/// Everything that is known.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The directory.
    pub here: &'a Catalog,
    /// The bucket.
    pub there: There<'a>,
    /// Snapshots that were found broken and moved aside.
    pub quarantined: usize,
    /// What retention would do in the directory now.
    pub plan_here: &'a [Verdict],
    /// The same in the bucket.
    pub plan_there: &'a [Verdict],
    /// How deep a snapshot is to be verified.
    pub demand: Method,
    /// When snapshots are taken; `None` where none is taken by a schedule.
    pub schedule: Option<&'a Schedule>,
    /// When the next is due, where that is known.
    pub next: Option<DateTime<Utc>>,
    /// Room in the directory.
    pub room: Option<Room>,
    /// What went wrong last, of each kind of work that has not succeeded since.
    pub troubles: &'a [Trouble],
    /// The time.
    pub now: DateTime<Utc>,
}

/// What is known of the bucket.
#[derive(Debug, Clone, Copy)]
pub enum There<'a> {
    /// There is none.
    Nowhere,
    /// It was not looked into yet.
    Unasked,
    /// All that is in it.
    Known(&'a Catalog),
    /// It cannot be read, for this reason.
    Unseen(&'a str),
}

/// Room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    /// What may be written.
    #[serde(rename = "free_bytes")]
    pub free: u64,
    /// All of it.
    #[serde(rename = "total_bytes")]
    pub total: u64,
}

/// Some work that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it was: `save`, `upload`, …
    pub work: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// What it means.
    pub kind: Kind,
    /// From the verb to the cause.
    pub message: String,
    /// What may be done about it.
    pub cure: Option<String>,
}

/// How they stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// When this was so.
    pub at: DateTime<Utc>,
    /// The first thing that anybody wants to know.
    pub headline: Headline,
    /// When the next snapshot is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<DateTime<Utc>>,
    /// Seconds from one snapshot to the next, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u64>,
    /// Room in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
    /// What retention does next.
    pub retention: Retained,
    /// What is wrong or could be better, the worst first, each with its cure.
    pub findings: Vec<Finding>,
    /// The snapshots of the cluster, the newest first.
    pub snapshots: Vec<Row>,
}

/// Whether the cluster can be restored now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Headline {
    /// How things are.
    pub state: State,
    /// One sentence.
    pub text: String,
    /// Which snapshot that is, and what is known of the time; empty where there is none.
    pub detail: String,
    /// The snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The moment to which it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// How long ago that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// How long a restore would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_seconds: Option<u64>,
    /// Whether a drill measured that; else it is estimated by the size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<bool>,
}

/// How things are, in a word. In this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As they should be.
    Held,
    /// Well enough, and they could be better.
    Weak,
    /// Not as they should be: somebody must look.
    Failed,
}

/// What retention does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Snapshots that stay, wherever they are.
    pub keep: usize,
    /// Those that go.
    pub delete: usize,
}

impl Standing {
    /// What the worst that is wrong means; `None` where nothing failed.
    pub fn failed(&self) -> Option<Kind> {
        self.findings.iter().find_map(Finding::failed)
    }
}

/// How the backups stand.
pub fn standing(facts: &Facts<'_>) -> Standing {
    let copies = row::copies(facts);
    let cluster = row::cluster(&copies);
    let (ours, strangers): (Vec<_>, Vec<_>) = copies
        .into_iter()
        .partition(|copy| row::is_of(copy.entry, cluster));
    let chosen = Chosen::of(&ours, facts.demand, facts.now);
    let mut findings = findings::of(facts, &ours, chosen.as_ref(), strangers.len());
    findings.sort_by_key(|it| Reverse(it.level));
    let worst = findings.first().map_or(State::Held, |worst| worst.level);
    let snapshots = row::rows(facts, &ours);
    let goes = |row: &&Row| row.fate == Some("delete");
    let delete = snapshots.iter().filter(goes).count();
    Standing {
        at: facts.now,
        headline: headline(facts, chosen.as_ref(), &ours, worst),
        next: facts.next,
        interval_seconds: facts.schedule.map(|schedule| schedule.longest().as_secs()),
        room: facts.room,
        retention: Retained {
            keep: snapshots.len() - delete,
            delete,
        },
        findings,
        snapshots,
    }
}

/// A snapshot in one of the stores.
#[derive(Debug, Clone, Copy)]
struct Copy<'a> {
    entry: &'a Entry,
    is_there: bool,
}

/// What would be restored now.
struct Chosen<'a> {
    manifest: &'a Manifest,
    is_here: bool,
    /// Whether it was verified as deep as is demanded, and held.
    is_sure: bool,
}

impl<'a> Chosen<'a> {
    /// The newest that was proved; without one the newest that may do.
    fn of(copies: &[Copy<'a>], demand: Method, now: DateTime<Utc>) -> Option<Self> {
        let usable = |copy: &&Copy<'a>| {
            let broken = |manifest: &Manifest| {
                let drill = manifest.drill.as_ref();
                drill.is_some_and(|drill| drill.result == Outcome::Corrupt)
            };
            let stands = matches!(copy.entry.standing, Worth::Proved(_) | Worth::Disputed(_));
            stands && copy.entry.manifest().is_some_and(|it| !broken(it))
        };
        let as_chosen = |copy: &Copy<'a>| {
            let manifest = copy.entry.manifest()?;
            let held = manifest.verdict() != Some(Found::Disputed);
            let deep = demand == Method::Digest || manifest.is_verified(demand);
            Some(Self {
                manifest,
                is_here: !copy.is_there,
                is_sure: held && deep,
            })
        };
        let all = copies.iter().filter(usable).filter_map(as_chosen);
        // Of two copies of one, that of the directory. One of a clock that was ahead hides nothing.
        all.max_by_key(|it| {
            let began = it.manifest.started_at;
            (it.is_sure, began <= now, began, it.is_here)
        })
    }
}

/// Seconds that a restore of this one would take, and the drill that tells, if one does.
fn time<'a>(chosen: &Chosen<'_>, copies: &[Copy<'a>]) -> (Duration, Option<&'a Manifest>) {
    let size = chosen.manifest.database.size;
    let drilled = copies
        .iter()
        .filter_map(|copy| copy.entry.manifest())
        .filter_map(|manifest| Some((manifest, manifest.drill.as_ref()?)))
        .filter(|(_, drill)| drill.result != Outcome::Corrupt)
        .max_by_key(|(_, drill)| drill.at);
    if let Some((manifest, drill)) = drilled {
        let boot = drill.boot.as_ref().map(|boot| boot.took);
        #[expect(
            clippy::cast_precision_loss,
            reason = "an estimate, of sizes far below 2^52"
        )]
        let grown = size as f64 / manifest.database.size.max(1) as f64;
        let took = drill.took.as_secs_f64() * grown;
        let took = Duration::try_from_secs_f64(took).unwrap_or(drill.took);
        return (took + boot.unwrap_or_default(), Some(manifest));
    }
    let speed = if chosen.is_here { SPEED } else { SPEED / 2 };
    (Duration::from_secs(1 + size / speed), None)
}

fn headline(
    facts: &Facts<'_>,
    chosen: Option<&Chosen<'_>>,
    copies: &[Copy<'_>],
    worst: State,
) -> Headline {
    let Some(chosen) = chosen else {
        let why = match copies.len() {
            0 => "there is no snapshot".to_owned(),
            1 => "the one snapshot that is there proves nothing".to_owned(),
            many => format!("none of {many} snapshots proves what it is"),
        };
        return Headline {
            state: State::Failed,
            text: format!("Nothing can be restored: {why}."),
            detail: String::new(),
            snapshot: None,
            to: None,
            age_seconds: None,
            restore_seconds: None,
            measured: None,
        };
    };
    let manifest = chosen.manifest;
    let age = words::since(manifest.started_at, facts.now);
    let (takes, drilled) = time(chosen, copies);
    let (ago, about) = (words::span(age), words::span(takes));
    let is_late = findings::is_late(facts, manifest.started_at, facts.now);
    let text = match (chosen.is_sure, is_late) {
        (true, false) => {
            format!("The cluster can be restored now, to {ago} ago, in about {about}.")
        }
        (true, true) => {
            format!("The cluster can be restored, but only to {ago} ago, in about {about}.")
        }
        (false, _) => format!(
            "The cluster can perhaps be restored, to {ago} ago, in about {about}: no snapshot is proved."
        ),
    };
    let drill = drilled.and_then(|manifest| manifest.drill.as_ref());
    let basis = match drill {
        Some(drill) => {
            let ago = words::span(words::since(drill.at, facts.now));
            format!("The time is that of the drill {ago} ago")
        }
        None => "The time is estimated by the size: no drill has measured it".to_owned(),
    };
    let place = row::places(manifest, copies);
    let at = words::moment(manifest.started_at);
    let (name, revision) = (&manifest.name, manifest.revision);
    Headline {
        state: worst,
        text,
        detail: format!("That is {name}, taken {at} at revision {revision}, in {place}. {basis}."),
        snapshot: Some(name.to_string()),
        to: Some(manifest.started_at),
        age_seconds: Some(age.as_secs()),
        restore_seconds: Some(takes.as_secs().max(1)),
        measured: Some(drill.is_some()),
    }
}

/// The cluster that is meant, where any manifest tells.
type Cluster = Option<Id>;
