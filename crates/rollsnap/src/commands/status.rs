//! `rollsnap status`: what a snapshot holds, in etcdutl's numbers and in more.

use std::fmt::Write as _;

use rollsnap_engine::image::Access;
use rollsnap_engine::look::{Member, Status, Trailer, cluster_id, status};
use rollsnap_engine::manifest::{Id, Verification};
use rollsnap_engine::{Kind, Manifest};
use serde::Serialize;

use super::Context;
use super::operand::{Opened, Operand};
use crate::output::{self, Size};
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
    cluster_id: Id,
    /// `manifest`, or `members` where it is computed of them.
    cluster_id_by: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Shown<'a>>,
    digest: Digest,
    /// How it is kept.
    form: &'static str,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<&'a Verification>,
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
    match trailer {
        Trailer::Wrong { .. } => Err(Failure::new(
            Kind::Corrupt,
            format!(
                "status of {}: the digest at its end is not that of its bytes",
                opened.location
            ),
        )
        .with_hint("these are not the bytes that etcd sent: restore from another snapshot")),
        Trailer::Held(_) | Trailer::Absent => Ok(()),
    }
}

impl<'a> Report<'a> {
    fn of(opened: &'a Opened, trailer: Trailer, status: &'a Status) -> Self {
        let manifest = opened.manifest.as_ref();
        let (cluster, cluster_id_by) = match manifest {
            Some(manifest) => (manifest.cluster_id, "manifest"),
            None => (Id(cluster_id(&status.members)), "members"),
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
            cluster_id: cluster,
            cluster_id_by,
            members: status.members.iter().map(Shown::of).collect(),
            digest: Digest::of(trailer),
            form: opened.image.form().label(),
            location: &opened.location,
            name: manifest.map(|manifest| manifest.name.to_string()),
            verification: manifest.and_then(|manifest: &Manifest| manifest.verification.as_ref()),
        }
    }

    /// One line for each, in the order in which people ask.
    fn text(&self) -> String {
        let or_none = |number: Option<u64>| number.map_or("none".to_owned(), |it| it.to_string());
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
            ("first revision", or_none(self.first_revision)),
            ("store revision", self.store_revision.to_string()),
            ("compacted at", or_none(self.compact_revision)),
            ("raft index", or_none(self.consistent_index)),
            ("raft term", or_none(self.term)),
            ("leases", self.leases.to_string()),
            ("alarms", self.alarms.to_string()),
            (
                "auth",
                if self.auth_enabled { "on" } else { "off" }.to_owned(),
            ),
            (
                "cluster",
                format!("{} (by {})", self.cluster_id, self.cluster_id_by),
            ),
        ];
        let mut label = "members";
        for member in &self.members {
            let urls = member.peer_urls.join(", ");
            rows.push((label, format!("{} {} {urls}", member.id, member.name)));
            label = "";
        }
        rows.push(("digest", self.digest.text()));
        rows.push(("kept as", format!("{}, {}", self.form, self.location)));
        let mut text = String::new();
        for (label, value) in rows {
            // A String takes everything.
            let _ = writeln!(text, "{label:<16} {value}");
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

    fn text(&self) -> String {
        match self.state {
            "held" => format!("held, {}", self.actual.as_deref().unwrap_or_default()),
            "absent" => "absent: this is a database file, not a snapshot of the API".to_owned(),
            _ => "WRONG: these are not the bytes that etcd sent".to_owned(),
        }
    }
}

fn bytes(count: u64) -> String {
    format!("{count} ({})", Size(count))
}
