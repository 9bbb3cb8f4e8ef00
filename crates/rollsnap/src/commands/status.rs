//! `rollsnap status`: what a snapshot holds, in etcdutl's numbers and in more.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use rollsnap_engine::Kind;
use rollsnap_engine::image::Access;
use rollsnap_engine::look::{self, Member, Status, Trailer, cluster_id, status};
use rollsnap_engine::manifest::{Drill, Id, Verdict, Verification};
use serde::Serialize;

use super::Context;
use super::opened::Opened;
use super::operand::Operand;
use crate::output::{self, Size, moment};
use crate::report::Failure;

/// The answer. The first five are etcdutl's, by its names.
#[derive(Serialize)]
struct Report<'a> {
    hash: u32,
    revision: u64,
    #[serde(rename = "totalKey")]
    total_key: u64,
    #[serde(rename = "totalSize")]
    total_size: u64,
    version: &'a str,
    entries: u64,
    live_keys: u64,
    records: u64,
    tombstones: u64,
    superseded: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compact_revision: Option<u64>,
    store_revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    consistent_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<u64>,
    bytes_in_use: u64,
    page_size: u32,
    leases: u64,
    alarms: u64,
    auth_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<Id>,
    /// `manifest`, or `members` where it is computed of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Shown<'a>>,
    digest: Digest,
    /// How it is kept.
    form: &'static str,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<&'a Verification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<&'a Drill>,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: Id,
    name: &'a str,
    peer_urls: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    client_urls: &'a [String],
    is_learner: bool,
}

/// The digest behind the database.
#[derive(Serialize)]
struct Digest {
    /// `held`, `absent` or `wrong`.
    state: &'static str,
    /// What etcd sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<String>,
    /// What the bytes give.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
}

pub(super) async fn run(context: &Context, operand: &str) -> Result<(), Failure> {
    let opened = Operand::open(context, operand, Access::All).await?;
    let (trailer, status) = opened.ask(context, "status of", status).await?;
    let report = Report::of(&opened, trailer, &status);
    output::tell(context.format, &report, || report.text())?;
    let fault = match trailer {
        Trailer::Held(_) => None,
        Trailer::Wrong { .. } => Some("the digest at its end is not that of its bytes".to_owned()),
        // Without its digest it may be a copy of a server's file, unless there is some of it.
        Trailer::Absent => {
            let ends = look::Report::of_digest(trailer, opened.image.len());
            ends.findings.first().map(ToString::to_string)
        }
    };
    let Some(fault) = fault else { return Ok(()) };
    let message = format!("status of {}: {fault}", opened.location);
    Err(Failure::new(Kind::Corrupt, message)
        .with_hint("rollsnap verify tells whether its pages are whole; restore from another"))
}

impl<'a> Report<'a> {
    fn of(opened: &'a Opened, trailer: Trailer, status: &'a Status) -> Self {
        let manifest = opened.manifest.as_ref();
        let cluster = match manifest {
            Some(manifest) => Some((manifest.cluster_id, "manifest")),
            None if status.members.is_empty() => None,
            None => Some((Id(cluster_id(&status.members)), "members")),
        };
        Self {
            hash: status.hash,
            revision: status.revision,
            total_key: status.live_keys,
            total_size: status.total_size,
            version: &status.version,
            entries: status.entries,
            live_keys: status.live_keys,
            records: status.records,
            tombstones: status.tombstones,
            superseded: status.superseded(),
            first_revision: status.first_revision,
            compact_revision: status.compact_revision,
            store_revision: status.store_revision,
            consistent_index: status.consistent_index,
            term: status.term,
            bytes_in_use: status.bytes_in_use,
            page_size: status.page_size,
            leases: status.leases,
            alarms: status.alarms,
            auth_enabled: status.auth_enabled,
            cluster_version: status.cluster_version.as_deref(),
            cluster_id: cluster.map(|(id, _)| id),
            cluster_id_by: cluster.map(|(_, by)| by),
            members: status.members.iter().map(Shown::of).collect(),
            digest: Digest::of(trailer),
            form: opened.image.form().label(),
            location: &opened.location,
            name: manifest.map(|manifest| manifest.name.as_str()),
            taken_at: manifest.map(|manifest| manifest.started_at),
            verification: manifest.and_then(|manifest| manifest.verification.as_ref()),
            drill: manifest.and_then(|manifest| manifest.drill.as_ref()),
        }
    }

    /// A line for each, within 80 columns, in the order in which people ask.
    fn text(&self) -> String {
        let mut rows = vec![
            ("hash", format!("{:x}", self.hash)),
            ("revision", self.revision.to_string()),
            (
                "total keys",
                format!("{} alive (etcdutl 3.6 and later)", self.total_key),
            ),
            (
                "",
                format!("{} entries (etcdctl and etcdutl before 3.6)", self.entries),
            ),
            ("total size", bytes(self.total_size)),
            ("in use", bytes(self.bytes_in_use)),
            (
                "storage version",
                match self.version {
                    "" => "none (before 3.6)".to_owned(),
                    version => version.to_owned(),
                },
            ),
            (
                "history",
                format!(
                    "{} records: {} superseded, {} deletions",
                    self.records, self.superseded, self.tombstones
                ),
            ),
            ("first revision", or(self.first_revision, "none")),
            ("store revision", self.store_revision.to_string()),
            ("compacted at", or(self.compact_revision, "never")),
            ("raft index", or(self.consistent_index, "unknown")),
            ("raft term", or(self.term, "unknown (before 3.5)")),
            ("leases", self.leases.to_string()),
            ("alarms", self.alarms.to_string()),
            (
                "auth",
                if self.auth_enabled { "on" } else { "off" }.to_owned(),
            ),
        ];
        if let (Some(id), Some(by)) = (self.cluster_id, self.cluster_id_by) {
            rows.push(("cluster", format!("{id} (by its {by})")));
        }
        rows.push(("cluster version", or(self.cluster_version, "unknown")));
        let mut label = "members";
        for member in &self.members {
            let learner = if member.is_learner { " (learner)" } else { "" };
            rows.push((label, format!("{} {}{learner}", member.id, member.name)));
            label = "";
            for url in member.peer_urls.iter().chain(member.client_urls) {
                rows.push((label, format!("  {url}")));
            }
        }
        rows.push(("digest", self.digest.word().to_owned()));
        let digests = self.digest.claimed.iter().chain(&self.digest.actual);
        let held = self.digest.claimed == self.digest.actual;
        let shown = if held { 1 } else { 2 };
        rows.extend(digests.take(shown).map(|digest| ("", digest.clone())));
        rows.push(("kept as", self.form.to_owned()));
        rows.push(("in", self.location.to_owned()));
        if let Some(at) = self.taken_at {
            rows.push(("taken", moment(at)));
        }
        if let Some(done) = self.verification {
            let result = match done.result {
                Verdict::Held => "held",
                Verdict::Corrupt => "corrupt",
                Verdict::Disputed => "disputed by members",
            };
            let (at, method) = (moment(done.at), done.method.as_str());
            rows.push(("verified", format!("{at} ({method}): {result}")));
        }
        if let Some(drill) = self.drill {
            let (at, result) = (moment(drill.at), drill.result.as_str());
            let etcd = drill.boot.as_ref();
            let etcd = etcd.map(|boot| format!(", with etcd {}", boot.etcd_version));
            rows.push((
                "drilled",
                format!("{at}{}: {result}", etcd.unwrap_or_default()),
            ));
        }
        let mut text = String::new();
        for (label, value) in rows {
            // A String takes everything.
            let _ = writeln!(text, "{label:<15} {value}");
        }
        text
    }
}

impl<'a> Shown<'a> {
    fn of(member: &'a Member) -> Self {
        Self {
            id: Id(member.id),
            name: &member.name,
            peer_urls: &member.peer_urls,
            client_urls: &member.client_urls,
            is_learner: member.is_learner,
        }
    }
}

impl Digest {
    fn of(trailer: Trailer) -> Self {
        let (state, claimed, actual) = match trailer {
            Trailer::Held(digest) => ("held", Some(digest), Some(digest)),
            Trailer::Absent => ("absent", None, None),
            Trailer::Wrong { claimed, actual } => ("wrong", Some(claimed), Some(actual)),
        };
        Self {
            state,
            claimed: claimed.map(|digest| digest.to_string()),
            actual: actual.map(|digest| digest.to_string()),
        }
    }

    fn word(&self) -> &'static str {
        match self.state {
            "held" => "held: these are the bytes that etcd sent",
            "absent" => "absent: a database file, or one that was cut",
            _ => "WRONG: etcd sent the first, the bytes give the second",
        }
    }
}

fn or(value: Option<impl ToString>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), |value| value.to_string())
}

fn bytes(count: u64) -> String {
    format!("{count} ({})", Size(count))
}
