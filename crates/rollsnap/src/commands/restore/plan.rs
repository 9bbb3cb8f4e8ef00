//! What a restore would do, and what would stop it, before anything is touched.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use rollsnap_engine::look::{Status, Trailer, cluster_id};
use rollsnap_engine::manifest::{Id, Method, Verdict, Verification};
use rollsnap_engine::restore::{self, Alarms, Choice, Order, Place, RestoreError, Room};
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::source::Source;
use crate::cli::restore::Restore;
use crate::output::Size;
use crate::report::Failure;

/// The plan. Its fields are those of `docs/json.md`.
#[derive(Serialize)]
pub(super) struct Plan {
    snapshot: Snapshot,
    target: Target,
    cluster: Cluster,
    revision: Revision,
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

/// Something that surprises people after a restore.
#[derive(Serialize)]
struct Note {
    about: &'static str,
    text: String,
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
        let Room { needed, free } = restore::room(&*bytes, &place).map_err(wrong)?;
        let stopped_by = restore::check(&*bytes, order, &place).err();
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
            notes: notes(source, trailer, status, order),
            commands: commands(request, source, trailer, order),
            blocker: stopped_by.as_ref().map(ToString::to_string),
            stopped_by,
        })
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
            taken_at,
            age_seconds: age.map(|age| age.as_secs()),
            revision: status.store_revision,
            live_keys: status.live_keys,
            total_size: status.total_size,
            digest_held: matches!(trailer, Trailer::Held(_)),
            verification: manifest.and_then(|it| it.verification.as_ref().map(Verified::of)),
        }
    }

    fn origin(&self) -> String {
        let mut text = format!("of cluster {}", self.cluster_id);
        if let Some(member) = &self.member_name {
            text = format!("{text}, member {member}");
        }
        match (self.taken_at, self.age_seconds) {
            (Some(at), Some(age)) => {
                let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
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
        match &self.verification {
            Some(done) if done.result == Verdict::Held => {
                let at = done.at.to_rfc3339_opts(SecondsFormat::Secs, true);
                format!("{digest}; {} at {at}", done.method.as_str())
            }
            _ => digest.to_owned(),
        }
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

fn notes(source: &Source, trailer: Trailer, status: &Status, order: &Order) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |about, text: String| notes.push(Note { about, text });
    let changes = &order.changes;
    let old = source.manifest().map(|manifest| manifest.cluster_id.0);
    if old.unwrap_or_else(|| cluster_id(&status.members)) == changes.cluster.id() {
        let text = "it will have the old cluster's id: a member of that one which is still alive \
                    takes it for its own; another --initial-cluster-token prevents that";
        note("cluster", text.to_owned());
    }
    for why in &source.unseen {
        note(
            "unseen",
            format!("newer ones may be where nobody could look: {why}"),
        );
    }
    if !matches!(trailer, Trailer::Held(_)) {
        let text = "there is no digest that holds: as was said, that is no matter";
        note("digest", text.to_owned());
    }
    if status.leases > 0 && changes.expire_leases {
        let text = format!("{} leases end, and their keys are deleted", status.leases);
        note("leases", text);
    } else if status.leases > 0 {
        let text = format!(
            "{} leases come back with the whole of their time: --expire-leases ends them",
            status.leases
        );
        note("leases", text);
    }
    if status.alarms > 0 {
        let text = match changes.alarms {
            Alarms::Keep => "stay: writes may be refused until they are disarmed",
            Alarms::DropNoSpace => "are left out, if they tell of a full database: --keep-alarms",
            Alarms::Drop => "are left out",
        };
        note("alarms", format!("{} alarms {text}", status.alarms));
    }
    if status.auth_enabled && changes.disable_auth {
        let text = "authentication is switched off: anybody who reaches it may do everything";
        note("auth", text.to_owned());
    } else if status.auth_enabled {
        let text = "users and passwords are those of the snapshot: --disable-auth lets you in \
                    without";
        note("auth", text.to_owned());
    }
    notes
}

/// What to run on each member, with all that must be the same said.
fn commands(request: &Restore, source: &Source, trailer: Trailer, order: &Order) -> Vec<String> {
    let cluster = &order.changes.cluster;
    // A word or a moment may mean another snapshot by then.
    let snapshot = match (&request.snapshot, source.manifest()) {
        (Some(said), _) if Choice::of_word(said).is_none() => said.clone(),
        (_, Some(manifest)) => manifest.name.to_string(),
        (_, None) => source.opened.location.clone(),
    };
    let digest = match trailer {
        Trailer::Held(digest) => Some(digest.to_string()),
        _ => None,
    };
    let bump = order.changes.bump.unwrap_or(0).to_string();
    let mut members: Vec<_> = cluster.members().iter().collect();
    members.sort_by_key(|member| &member.name);
    let all: Vec<String> = members
        .iter()
        .flat_map(|member| {
            let each = |url| format!("{}={url}", member.name);
            member.peer_urls.iter().map(each)
        })
        .collect();
    let all = all.join(",");
    members.sort_by_key(|member| member.name != order.me.name);
    let command = |name: &str| {
        let mut words = vec!["rollsnap", "restore", &snapshot];
        words.extend(["--data-dir", &request.data_dir]);
        if let Some(digest) = &digest {
            words.extend(["--digest", digest]);
        }
        words.extend(["--name", name, "--initial-cluster", &all]);
        words.extend(["--initial-cluster-token", cluster.token()]);
        words.extend(["--bump-revision", &bump]);
        let switches = [
            (request.from_s3, "--from-s3"),
            (request.skip_hash_check, "--skip-hash-check"),
            (request.drop_alarms, "--drop-alarms"),
            (request.keep_alarms, "--keep-alarms"),
            (request.expire_leases, "--expire-leases"),
            (request.disable_auth, "--disable-auth"),
        ];
        let said = switches.into_iter().filter(|(said, _)| *said);
        words.extend(said.map(|(_, switch)| switch));
        let words: Vec<String> = words.into_iter().map(for_shell).collect();
        words.join(" ")
    };
    members.iter().map(|member| command(&member.name)).collect()
}

/// A word as a shell reads it back.
fn for_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+=:,./@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::for_shell;

    #[test]
    fn a_word_that_a_shell_would_take_apart_is_quoted() {
        for (word, quoted) in [
            ("/var/lib/etcd", "/var/lib/etcd"),
            (
                "m1=https://h:2380,m2=https://h:1",
                "m1=https://h:2380,m2=https://h:1",
            ),
            ("my dir", "'my dir'"),
            ("it's", "'it'\\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(for_shell(word), quoted);
        }
    }
}
