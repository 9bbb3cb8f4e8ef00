//! Whether the members of a cluster hold what a snapshot holds.
//!
//! Members can part without anybody noticing: each answers, and each has another truth
//! (etcd-io/etcd issue 13766). A snapshot of one of them is whole, and may be the wrong one.
//! `HashKV` at the snapshot's revision tells.

use rollsnap_etcd::{PeerHash, SourceError};
use rollsnap_store::ReadBack;

use crate::examine::{Cut, ExamineError, Examiner};
use crate::manifest::{Id, MAX_MEMBERS, Manifest, MemberHash, shortened};

/// What members said of a snapshot, and what is to be made of it.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) members: Vec<MemberHash>,
    /// One text for each member that holds other data.
    pub(crate) findings: Vec<String>,
}

/// Compares a sound snapshot with what the members said at its revision. Reads it once or twice
/// for each cut of history that they told of: one, unless they were compacted apart.
pub(crate) async fn compare(
    manifest: &Manifest,
    peers: Vec<PeerHash>,
    examiner: &dyn Examiner,
    stored: Box<dyn ReadBack>,
) -> Result<Compared, ExamineError> {
    let mut cuts: Vec<Cut> = peers
        .iter()
        .filter_map(|peer| cut_of(manifest, peer).ok())
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let codec = manifest.stored.codec;
    let hashes = if cuts.is_empty() {
        Vec::new()
    } else {
        examiner.hash(stored, codec, cuts.clone()).await?
    };
    let ours = |cut: Cut| {
        let at = cuts.iter().position(|known| *known == cut)?;
        hashes.get(at).copied().flatten()
    };

    let mut compared = Compared {
        members: Vec::new(),
        findings: Vec::new(),
    };
    for peer in peers.iter().take(MAX_MEMBERS) {
        let mut member = MemberHash {
            name: peer.name.as_deref().map(shortened),
            id: Id(peer.id),
            hash: peer.hash.as_ref().ok().map(|said| said.hash),
            agrees: None,
            error: None,
        };
        let judged = cut_of(manifest, peer).and_then(|cut| {
            let ours = ours(cut).ok_or("the snapshot does not know that part of history")?;
            Ok((cut, ours))
        });
        match judged {
            Ok((cut, ours)) => {
                member.agrees = Some(member.hash == Some(ours));
                if member.hash != Some(ours) {
                    compared.findings.push(differs(&member, cut, ours));
                }
            }
            Err(why) => {
                let said = peer.hash.as_ref().err().map(chain);
                member.error = Some(shortened(&said.unwrap_or_else(|| why.to_owned())));
            }
        }
        compared.members.push(member);
    }
    Ok(compared)
}

/// What of the snapshot is to be hashed for a member's answer, or why nothing can be.
fn cut_of(manifest: &Manifest, peer: &PeerHash) -> Result<Cut, &'static str> {
    let said = peer.hash.as_ref().map_err(|_| "it did not answer")?;
    let contents = manifest.contents.as_ref();
    let compacted = contents.and_then(|contents| contents.compact_revision);
    if Id(said.cluster_id) != manifest.cluster_id {
        Err("it is of another cluster")
    } else if said.compact_revision < compacted.unwrap_or(0) {
        Err("the snapshot has less of its history")
    } else if said.compact_revision > said.revision {
        Err("its history at this revision is gone")
    } else {
        Ok(Cut {
            revision: said.revision,
            compact_revision: said.compact_revision,
        })
    }
}

fn differs(member: &MemberHash, cut: Cut, ours: u32) -> String {
    let theirs = member.hash.unwrap_or_default();
    let name = member.name.as_deref().unwrap_or("without a name");
    format!(
        "member {name} ({}) holds other data up to revision {}: its hash is {theirs}, the \
         snapshot's {ours}",
        member.id, cut.revision
    )
}

fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}
