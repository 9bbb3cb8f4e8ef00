//! What a restore would do, and what would stop it, before anything is touched.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use rollsnap_engine::look::{Status, Trailer, cluster_id};
use rollsnap_engine::manifest::{Id, Method, Outcome, Verdict, Verification};
use rollsnap_engine::restore::{self, LogPlace, Order, Place, RestoreError, Room};
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::beside::Beside;
use super::lines::commands;
use super::notes::{Note, notes};
use super::source::Source;
use crate::cli::restore::Restore;
use crate::output::{Size, moment};
use crate::report::Failure;

/// The plan. Its fields are those of `docs/json.md`.
#[derive(Serialize)]
pub(super) struct Plan {
    snapshot: Snapshot,
    target: Target,
    cluster: Cluster,
    revision: Revision,
    /// What is there, and what it has that the snapshot has not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Beside>,
    notes: Vec<Note>,
    /// The command for each member, this one's first.
    commands: Vec<String>,
    /// What stops it; nothing, if it can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocker: Option<String>,
    #[serde(skip)]
    stopped_by: Option<RestoreError>,
}

#[derive(Serialize)]
struct Snapshot {
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    cluster_id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etcd_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    revision: u64,
    live_keys: u64,
    total_size: u64,
    /// Whether its digest holds: it was read through for this plan.
    digest_held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Verified>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<Drilled>,
}

/// What came of the last drill.
#[derive(Serialize)]
struct Drilled {
    at: DateTime<Utc>,
    result: Outcome,
}

/// What was found before.
#[derive(Serialize)]
struct Verified {
    at: DateTime<Utc>,
    method: Method,
    result: Verdict,
}

#[derive(Serialize)]
struct Target {
    data_dir: String,
    /// Where what is there now will be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    /// Where the log goes, if not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    wal_dir: Option<String>,
    needed_bytes: u64,
    free_bytes: u64,
}

#[derive(Serialize)]
struct Cluster {
    id: Id,
    member: String,
    member_id: Id,
    members: usize,
}

#[derive(Serialize)]
struct Revision {
    from: u64,
    to: u64,
}

impl Plan {
    pub(super) fn of(
        request: &Restore,
        source: &Source,
        trailer: Trailer,
        status: &Status,
        order: &Order,
    ) -> Result<Self, Failure> {
        let bytes = source.opened.image.bytes();
        let wrong = |error: RestoreError| Failure::new(error.kind(), format!("restore: {error}"));
        let place = Place::of(&order.data_dir).map_err(wrong)?;
        let is_log_elsewhere = order.wal_dir.is_some();
        let room = restore::room(&*bytes, &place, is_log_elsewhere);
        let Room { needed, free } = room.map_err(wrong)?;
        let stopped_by = restore::check(&*bytes, order, &place).err();
        let log = order.wal_dir.as_deref();
        let log = log.and_then(|dir| LogPlace::of(dir, &place).ok());
        let is_there = place
            .path()
            .read_dir()
            .is_ok_and(|mut it| it.next().is_some());
        let (me, cluster) = (&order.me, &order.changes.cluster);
        let from = status.store_revision;
        Ok(Self {
            snapshot: Snapshot::of(source, trailer, status, order.at),
            target: Target {
                data_dir: request.data_dir.clone(),
                kept: is_there.then(|| place.kept(order.at).display().to_string()),
                wal_dir: request.wal_dir.clone(),
                needed_bytes: needed,
                free_bytes: free,
            },
            cluster: Cluster {
                id: Id(cluster.id()),
                member: me.name.clone(),
                member_id: Id(me.id),
                members: cluster.members().len(),
            },
            revision: Revision {
                from,
                to: from
                    .saturating_add(u64::from(order.changes.expire_leases && status.leases > 0))
                    .saturating_add(order.changes.bump.unwrap_or(0)),
            },
            beside: Vec::new(),
            notes: notes(source, trailer, status, order, log.as_ref()),
            commands: commands(request, source, trailer, order),
            blocker: stopped_by.as_ref().map(ToString::to_string),
            stopped_by,
        })
    }

    /// Adds something that is there.
    pub(super) fn compare(&mut self, beside: Beside) {
        self.beside.push(beside);
    }

    pub(super) fn note(&mut self, about: &'static str, text: String) {
        self.notes.push(Note { about, text });
    }

    /// Says that it cannot be done, unless that was said before.
    pub(super) fn stop(&mut self, error: RestoreError) {
        if self.stopped_by.is_none() {
            self.blocker = Some(error.to_string());
            self.stopped_by = Some(error);
        }
    }

    /// Whether an etcd runs on the target.
    pub(super) fn is_in_use(&self) -> bool {
        matches!(self.stopped_by, Some(RestoreError::Running(_)))
    }

    /// The cluster that the snapshot was taken from.
    pub(super) fn cluster(&self) -> Id {
        self.snapshot.cluster_id
    }

    /// Whether it can be done.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let Some(error) = &self.stopped_by else {
            return Ok(());
        };
        let failure = Failure::new(error.kind(), format!("restore: {error}"));
        Err(match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        })
    }

    pub(super) fn text(&self) -> String {
        let Self {
            snapshot,
            target,
            cluster,
            revision,
            ..
        } = self;
        let mut rows = vec![("restores", snapshot.location.clone())];
        rows.push(("", snapshot.origin()));
        rows.push((
            "",
            format!(
                "revision {}, {} keys alive, {}",
                snapshot.revision,
                snapshot.live_keys,
                Size(snapshot.total_size)
            ),
        ));
        rows.push(("proved", snapshot.proof()));
        rows.push(("into", target.data_dir.clone()));
        if let Some(kept) = &target.kept {
            rows.push(("", format!("what is there is kept as {kept}")));
        }
        if let Some(dir) = &target.wal_dir {
            rows.push(("", format!("its log into {dir}")));
        }
        let (needed, free) = (Size(target.needed_bytes), Size(target.free_bytes));
        rows.push(("room", format!("{needed} of {free} that are free")));
        rows.push((
            "as",
            format!(
                "member {} ({}) of {} in cluster {}",
                cluster.member, cluster.member_id, cluster.members, cluster.id
            ),
        ));
        rows.push((
            "revision",
            match revision.to - revision.from {
                0 => format!("stays {}: clients may see it go back", revision.from),
                by => format!("goes up by {by} to {}, all before compacted", revision.to),
            },
        ));
        for beside in &self.beside {
            let mut label = "beside";
            for line in beside.lines(revision.from) {
                rows.push((label, line));
                label = "";
            }
        }
        let mut label = "note";
        for note in &self.notes {
            rows.push((label, note.text.clone()));
            label = "";
        }
        if self.commands.len() > 1 {
            let mut label = "run";
            for command in &self.commands {
                rows.push((label, command.clone()));
                label = "";
            }
        }
        if let Some(blocker) = &self.blocker {
            rows.push(("STOPS IT", blocker.clone()));
        }
        let mut text = String::new();
        for (label, value) in rows {
            // A String takes everything.
            let _ = writeln!(text, "{label:<10} {value}");
        }
        text
    }
}

impl Snapshot {
    fn of(source: &Source, trailer: Trailer, status: &Status, now: DateTime<Utc>) -> Self {
        let manifest = source.manifest();
        let taken_at = source.taken_at();
        let age = taken_at.and_then(|at| (now - at).to_std().ok());
        Self {
            location: source.opened.location.clone(),
            name: manifest.map(|manifest| manifest.name.to_string()),
            cluster_id: manifest.map_or_else(
                || Id(cluster_id(&status.members)),
                |manifest| manifest.cluster_id,
            ),
            member_name: manifest.and_then(|manifest| manifest.member_name.clone()),
            etcd_version: manifest.map(|manifest| manifest.etcd_version.clone()),
            taken_at,
            age_seconds: age.map(|age| age.as_secs()),
            revision: status.store_revision,
            live_keys: status.live_keys,
            total_size: status.total_size,
            digest_held: matches!(trailer, Trailer::Held(_)),
            verification: manifest.and_then(|it| it.verification.as_ref().map(Verified::of)),
            drill: manifest
                .and_then(|it| it.drill.as_ref())
                .map(|drill| Drilled {
                    at: drill.at,
                    result: drill.result,
                }),
        }
    }

    fn origin(&self) -> String {
        let mut text = format!("of cluster {}", self.cluster_id);
        if let Some(member) = &self.member_name {
            text = format!("{text}, member {member}");
        }
        if let Some(version) = &self.etcd_version {
            text = format!("{text}, etcd {version}");
        }
        match (self.taken_at, self.age_seconds) {
            (Some(at), Some(age)) => {
                let at = moment(at);
                let age = GoDuration(std::time::Duration::from_secs(age));
                format!("{text}, taken {at}, {age} ago")
            }
            _ => format!("{text}; nobody knows when it was taken"),
        }
    }

    fn proof(&self) -> String {
        let digest = if self.digest_held {
            "its digest and its structure hold now"
        } else {
            "its structure holds now; NOTHING says that it is what etcd sent"
        };
        let verified = match &self.verification {
            Some(done) if done.result == Verdict::Held => {
                let at = moment(done.at);
                format!("{digest}; {} at {at}", done.method.as_str())
            }
            _ => digest.to_owned(),
        };
        let Some(Drilled { at, result }) = &self.drill else {
            return verified;
        };
        let (at, result) = (moment(*at), result.as_str());
        format!("{verified}; drill {result} at {at}")
    }
}

impl Verified {
    fn of(done: &Verification) -> Self {
        Self {
            at: done.at,
            method: done.method,
            result: done.result,
        }
    }
}
