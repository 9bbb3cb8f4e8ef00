//! What is wrong or could be better, each with its cure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Chosen, Copy, Facts, State, There, Trouble, words};
use crate::Kind;
use crate::catalog::{Entry, Standing as Worth};
use crate::manifest::{Manifest, Outcome};
use crate::schedule::Schedule;

/// How old the last drill may be before another is advised.
const STALE: Duration = Duration::from_secs(31 * 86_400);

/// Something that is wrong, or could be better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `failed` or `weak`.
    pub level: State,
    /// What was found.
    pub text: String,
    /// What may be done about it.
    pub cure: String,
    /// What it means; of what failed alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    #[serde(skip)]
    means: Option<Kind>,
}

impl Finding {
    fn bad(kind: Kind, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            level: State::Failed,
            text: text.into(),
            cure: cure.into(),
            kind: Some(kind.label()),
            means: Some(kind),
        }
    }

    fn weak(text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            level: State::Weak,
            text: text.into(),
            cure: cure.into(),
            kind: None,
            means: None,
        }
    }

    pub(super) fn failed(&self) -> Option<Kind> {
        self.means
    }
}

/// Whether a snapshot that began at `last` is too old at `now` to be the newest.
pub(super) fn is_late(facts: &Facts<'_>, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let schedule = facts.schedule;
    schedule.is_some_and(|schedule| now > schedule.late_from(last))
}

/// Everything that is to be told.
pub(super) fn of(
    facts: &Facts<'_>,
    copies: &[Copy<'_>],
    chosen: Option<&Chosen<'_>>,
    strangers: usize,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(newest(facts, copies, chosen));
    findings.extend(facts.troubles.iter().map(|it| trouble(facts, it)));
    findings.extend(broken(facts, copies));
    findings.extend(bucket(facts, copies));
    findings.extend(room(facts, copies));
    findings.extend(drill(facts, copies, chosen));
    if facts.schedule.is_none() {
        let cure = "switch the schedule on, or see that somebody else takes them";
        findings.push(Finding::weak("No snapshots are taken by themselves.", cure));
    }
    if strangers > 0 {
        let (one, many) = (
            "snapshot here is of another cluster",
            "snapshots here are of other clusters",
        );
        findings.push(Finding::weak(
            format!("{}.", counted(strangers, one, many)),
            "give each cluster a directory and a folder in the bucket of its own",
        ));
    }
    findings
}

fn newest(facts: &Facts<'_>, copies: &[Copy<'_>], chosen: Option<&Chosen<'_>>) -> Option<Finding> {
    const LOOK: &str =
        "the log tells why none comes (rollsnap run); rollsnap check tries everything out";
    let Some(chosen) = chosen else {
        let text = if copies.is_empty() {
            "No snapshot was ever taken, or it is not here."
        } else {
            "No snapshot has a manifest that proves it."
        };
        let cure = "rollsnap save takes one now; rollsnap check tells what keeps it from that";
        return Some(Finding::bad(Kind::Store, text, cure));
    };
    let began = chosen.manifest.started_at;
    if let Some(schedule) = facts.schedule
        && is_late(facts, began, facts.now)
    {
        let age = words::span(words::since(began, facts.now));
        let due = match schedule {
            Schedule::Every(interval) => format!("one is due every {}", words::every(*interval)),
            Schedule::At(_) => format!("one was due at {}", words::moment(schedule.after(began))),
        };
        let text = format!("The newest snapshot that will do is {age} old, and {due}.");
        return Some(Finding::bad(Kind::Source, text, LOOK));
    }
    (!chosen.is_sure).then(|| {
        let text = "No snapshot was verified as deep as is demanded, and held.";
        Finding::weak(text, "wait for its end, or run rollsnap verify latest")
    })
}

fn trouble(facts: &Facts<'_>, trouble: &Trouble) -> Finding {
    let ago = words::span(words::since(trouble.at, facts.now));
    let (work, message) = (trouble.work, &trouble.message);
    let cure = trouble.cure.as_deref();
    Finding::bad(
        trouble.kind,
        format!("The last {work} failed {ago} ago: {message}."),
        cure.unwrap_or("it is tried again by itself; the log has every attempt"),
    )
}

fn broken(facts: &Facts<'_>, copies: &[Copy<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all = |is: fn(&Worth) -> bool| -> Vec<&Entry> {
        let entries = copies.iter().map(|copy| copy.entry);
        entries.filter(|entry| is(&entry.standing)).collect()
    };
    let corrupt = all(|it| matches!(it, Worth::Corrupt(_)));
    if let Some(first) = corrupt.first() {
        let count = counted(corrupt.len(), "copy is broken", "copies are broken");
        let name = &first.name;
        findings.push(Finding::bad(
            Kind::Corrupt,
            format!("{count}, such as that of {name}."),
            format!("rollsnap verify {name} tells what is wrong; restore from another"),
        ));
    }
    if facts.quarantined > 0 {
        let count = counted(facts.quarantined, "snapshot was", "snapshots were");
        findings.push(Finding::weak(
            format!("{count} broken and moved aside."),
            "look at the member's disk and memory; rollsnap delete removes them",
        ));
    }
    let disputed = all(|it| matches!(it, Worth::Disputed(_)));
    if let Some(first) = disputed.first() {
        let (count, name) = (disputed.len(), &first.name);
        let count = counted(count, "snapshot is", "snapshots are");
        findings.push(Finding::bad(
            Kind::Corrupt,
            format!("{count} disputed: a member of the cluster holds other data."),
            format!("rollsnap hashkv {name} names the member"),
        ));
    }
    let suspect = all(|it| matches!(it, Worth::Suspect(_)));
    if let Some(first) = suspect.first() {
        let count = counted(suspect.len(), "snapshot does", "snapshots do");
        findings.push(Finding::weak(
            format!(
                "{count} not fit the manifest beside, such as {}.",
                first.name
            ),
            "rollsnap verify tells what it is; copy it again, or delete it",
        ));
    }
    findings
}

fn bucket(facts: &Facts<'_>, copies: &[Copy<'_>]) -> Option<Finding> {
    match facts.there {
        There::Unasked => None,
        There::Nowhere => Some(Finding::weak(
            "Every snapshot is on this machine alone: there is no bucket.",
            "configure a bucket, or copy the directory elsewhere",
        )),
        There::Unseen(why) => Some(Finding::bad(
            Kind::Store,
            format!("The bucket cannot be read: {why}."),
            "rollsnap check tries the bucket out, step by step",
        )),
        There::Known(there) => {
            let newest = |is_there: bool| {
                let of = copies.iter().filter(|copy| copy.is_there == is_there);
                of.filter_map(|copy| copy.entry.manifest())
                    .max_by_key(|it| it.started_at)
            };
            let here = newest(false)?;
            if there.find(&here.name).is_some() {
                return None;
            }
            let behind = match newest(true) {
                None => return Some(not_there("The bucket has no snapshot.")),
                // It comes after the proof: one is always on its way.
                Some(there) if !is_late(facts, there.started_at, here.started_at) => return None,
                Some(there) => words::span(words::since(there.started_at, here.started_at)),
            };
            Some(not_there(&format!("The bucket is {behind} behind.")))
        }
    }
}

fn not_there(text: &str) -> Finding {
    let cure = "the log tells what keeps uploads; rollsnap upload NAME copies one now";
    Finding::bad(Kind::Store, text, cure)
}

fn room(facts: &Facts<'_>, copies: &[Copy<'_>]) -> Option<Finding> {
    let free = facts.room?.free;
    let newest = copies.iter().filter(|copy| !copy.is_there);
    let newest = newest.max_by_key(|copy| copy.entry.taken_at())?;
    let more = free / newest.entry.size.max(1);
    let cure = "free space on that file system, keep fewer, or set compression: zstd";
    match more {
        0 => {
            let text = "The directory has no room for another snapshot.";
            Some(Finding::bad(Kind::Full, text, cure))
        }
        1 | 2 => {
            let what = if more == 1 {
                "one more snapshot"
            } else {
                "two more snapshots"
            };
            Some(Finding::weak(
                format!("The directory has room for {what}."),
                cure,
            ))
        }
        _ => None,
    }
}

fn drill(facts: &Facts<'_>, copies: &[Copy<'_>], chosen: Option<&Chosen<'_>>) -> Option<Finding> {
    chosen?;
    let manifests = copies.iter().filter_map(|copy| copy.entry.manifest());
    let drilled = manifests.filter_map(|it: &Manifest| Some((it, it.drill.as_ref()?)));
    let Some((manifest, last)) = drilled.max_by_key(|(_, drill)| drill.at) else {
        return Some(Finding::weak(
            "No restore was ever rehearsed.",
            "rollsnap drill rehearses one now; drill: 7days has the daemon do it",
        ));
    };
    let age = words::since(last.at, facts.now);
    let (name, ago) = (&manifest.name, words::span(age));
    match last.result {
        Outcome::Held if age > STALE => Some(Finding::weak(
            format!("The last rehearsal of a restore was {ago} ago."),
            "rollsnap drill rehearses one now; drill: 7days has the daemon do it",
        )),
        Outcome::Held => None,
        Outcome::Corrupt | Outcome::Failed => {
            let finding = last
                .finding
                .as_deref()
                .unwrap_or("no reason was written down");
            Some(Finding::bad(
                Kind::Corrupt,
                format!("The last drill, of {name}, failed {ago} ago: {finding}."),
                format!("rollsnap drill {name} tries it again; try another snapshot or etcd"),
            ))
        }
    }
}

/// `one snapshot is`, `3 snapshots are`.
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        return format!("One {one}");
    }
    format!("{count} {many}")
}
