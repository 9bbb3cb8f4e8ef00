//! `rollsnap hashkv`: a snapshot's keys hashed as members do it, and beside what members say.

use std::collections::BTreeMap;

use rollsnap_engine::Kind;
use rollsnap_engine::compare::{Comparison, Judged, Known, Verdict};
use rollsnap_engine::examine::Cut;
use rollsnap_engine::image::Access;
use rollsnap_engine::look::{LookError, ReadAt, hash_kv, revisions};
use rollsnap_engine::manifest::Id;
use rollsnap_etcd::Peers;
use serde::Serialize;

use super::Context;
use super::opened::Opened;
use super::operand::Operand;
use crate::assembly;
use crate::cli::hashkv::HashKv;
use crate::output::{self, Table};
use crate::report::Failure;

const VERB: &str = "hashkv of";

/// The answer. The first three are etcdutl's, by its names.
#[derive(Serialize)]
struct Report<'a> {
    hash: u32,
    #[serde(rename = "hashRevision")]
    hash_revision: u64,
    /// -1 where it never was, as etcdutl has it.
    #[serde(rename = "compactRevision")]
    compact_revision: i64,
    location: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Row<'a>>,
}

/// One member.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_hash: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compact_revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

pub(super) async fn run(context: &Context, request: &HashKv) -> Result<(), Failure> {
    // Before anything is read: what is wrong with the way to etcd is known at once.
    let peers = if request.against {
        Some(assembly::source(&context.settings_with_etcd()?)?)
    } else {
        None
    };
    let opened = Operand::open(context, &request.operand, Access::All).await?;
    let known = opened.look(context, VERB, |bytes| revisions(bytes));
    let known = known.await?;
    let cut = cut(request, *known.start(), *known.end())
        .map_err(|what| Failure::new(Kind::Usage, format!("{VERB} {}: {what}", opened.location)))?;
    let hash = opened
        .look(context, VERB, move |bytes| hash_at(bytes, cut))
        .await?;
    let compared = match peers {
        None => None,
        Some(peers) => {
            let known = Known {
                cluster_id: opened.manifest.as_ref().map(|manifest| manifest.cluster_id),
                compact_revision: *known.start(),
            };
            Some(compare(context, &opened, &*peers, known, (cut, hash)).await?)
        }
    };
    let report = Report::of(&opened, cut, hash, compared.as_ref());
    output::tell(context.format, &report, || report.text())?;
    compared.map_or(Ok(()), |compared| compared.judge(&opened))
}

/// What is to be hashed of a snapshot that knows the revisions from `compacted` to `last`. That
/// `rev` is among them is for the hash itself to tell.
fn cut(request: &HashKv, compacted: u64, last: u64) -> Result<Cut, String> {
    let revision = request.revision.unwrap_or(last);
    let compact_revision = request.compact_revision.unwrap_or(compacted);
    if compact_revision < compacted {
        return Err(format!(
            "its history was compacted at {compacted} already, and not at {compact_revision}"
        ));
    }
    if request.compact_revision.is_some() && compact_revision > revision {
        return Err(format!(
            "nobody compacted at {compact_revision} can tell the hash at {revision}, which is older"
        ));
    }
    Ok(Cut {
        revision,
        compact_revision,
    })
}

fn hash_at(bytes: &dyn ReadAt, cut: Cut) -> Result<u32, LookError> {
    let hashed = hash_kv(bytes, Some(cut.revision), Some(cut.compact_revision));
    hashed.map(|hashed| hashed.hash)
}

/// What came of the question.
struct Compared {
    comparison: Comparison,
    /// Why the first of those who did not answer did not.
    refusal: Option<Failure>,
}

/// Asks every member, and hashes the snapshot at what they answer with. `first` is hashed already.
async fn compare(
    context: &Context,
    opened: &Opened,
    peers: &dyn Peers,
    known: Known,
    (first, hash): (Cut, u32),
) -> Result<Compared, Failure> {
    let said = peers.hash_kv(first.revision).await?;
    let mut cuts = known.cuts(&said);
    cuts.retain(|cut| *cut != first);
    let ours = opened.look(context, VERB, move |bytes| {
        let mut ours = BTreeMap::from([(first, hash)]);
        for cut in cuts {
            match hash_at(bytes, cut) {
                Ok(hash) => ours.insert(cut, hash),
                // A member that lags may be where the snapshot's history begins only later.
                Err(LookError::Compacted { .. } | LookError::Future { .. }) => None,
                Err(error) => return Err(error),
            };
        }
        Ok(ours)
    });
    Ok(Compared {
        comparison: known.judge(&said, &ours.await?),
        refusal: said
            .into_iter()
            .find_map(|peer| peer.hash.err())
            .map(Failure::from),
    })
}

impl Compared {
    /// Whether the verb has done well.
    fn judge(self, opened: &Opened) -> Result<(), Failure> {
        let said = |what: &str| format!("{VERB} {}: {what}", opened.location);
        let findings = self.comparison.findings();
        if !findings.is_empty() {
            let what = format!("the members disagree: {}", findings.join("; "));
            let hint = match opened.manifest {
                Some(_) => "find out which member is right before anything is restored or replaced",
                None => {
                    "if it is of this cluster, find out which member is right before anything is \
                     restored or replaced"
                }
            };
            return Err(Failure::new(Kind::Corrupt, said(&what)).with_hint(hint));
        }
        if self.comparison.agreeing().next().is_some() {
            return Ok(());
        }
        let what = said("no member could be compared");
        let is_old = |it: &Judged| matches!(it.verdict, Verdict::Compacted(_));
        if self.comparison.members.iter().any(is_old) {
            let hint = "the cluster no longer has history as old as that: take a newer snapshot";
            return Err(Failure::new(Kind::Source, what).with_hint(hint));
        }
        Err(match self.refusal {
            None => Failure::new(Kind::Source, what),
            Some(refusal) => Failure {
                message: format!("{what}: {}", refusal.message),
                ..refusal
            },
        })
    }
}

impl<'a> Report<'a> {
    fn of(opened: &'a Opened, cut: Cut, hash: u32, compared: Option<&'a Compared>) -> Self {
        let members = compared.map_or(&[][..], |it| &it.comparison.members);
        let compacted = Some(cut.compact_revision).filter(|revision| *revision > 0);
        Self {
            hash,
            hash_revision: cut.revision,
            compact_revision: compacted.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX)),
            location: &opened.location,
            members: members.iter().map(Row::of).collect(),
        }
    }

    fn text(&self) -> String {
        let compacted = match self.compact_revision {
            -1 => "never".to_owned(),
            revision => revision.to_string(),
        };
        let mut text = format!(
            "{:<16} {}\n{:<16} {}\n{:<16} {compacted}\n",
            "hash", self.hash, "revision", self.hash_revision, "compacted at"
        );
        if !self.members.is_empty() {
            let mut table = Table::new(&["MEMBER", "ID", "REVISION", "COMPACTED", "HASH", "", ""]);
            for member in &self.members {
                table.push(member.cells());
            }
            text.push('\n');
            text.push_str(&table.render());
        }
        text
    }
}

impl<'a> Row<'a> {
    fn of(judged: &'a Judged) -> Self {
        let cut = judged.cut();
        let snapshot_hash = match judged.verdict {
            Verdict::Agrees(_) => judged.hash,
            Verdict::Differs { ours, .. } => Some(ours),
            Verdict::Compacted(_) | Verdict::Unknown(_) => None,
        };
        Self {
            name: judged.name.as_deref(),
            id: judged.id,
            hash: judged.hash,
            snapshot_hash,
            revision: cut.map(|cut| cut.revision),
            compact_revision: cut
                .map(|cut| cut.compact_revision)
                .filter(|revision| *revision > 0),
            agrees: judged.agrees(),
            error: judged.reason(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let or_none = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
        vec![
            or_none(self.name.map(str::to_owned)),
            self.id.to_string(),
            or_none(self.revision.map(|it| it.to_string())),
            or_none(self.compact_revision.map(|it| it.to_string())),
            or_none(self.hash.map(|it| it.to_string())),
            match self.agrees {
                Some(true) => "agrees".to_owned(),
                Some(false) => "DIFFERS".to_owned(),
                None => "cannot be compared".to_owned(),
            },
            match (self.snapshot_hash, self.error) {
                (Some(ours), _) if self.agrees == Some(false) => {
                    format!("the snapshot's is {ours}")
                }
                (_, Some(error)) => error.to_owned(),
                _ => String::new(),
            },
        ]
    }
}
