//! The members that a database knows.
//!
//! JSON under the member's id (etcd `server/etcdserver/api/membership/member.go`). Ids exceed
//! 2^53 and are whole numbers there.

use std::ops::ControlFlow;

use serde::Deserialize;
use sha1::{Digest as _, Sha1};

use crate::bolt::{Database, Ended, Visitor, walk};
use crate::{Finding, ReadAt, SnapshotError};

const BUCKET: &[u8] = b"members";

/// More than any cluster has, with those that its learners were.
const MOST: usize = 10_000;

/// One member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Its name; empty for one that never started.
    #[serde(default)]
    pub name: String,
    /// Where other members find it.
    #[serde(rename = "peerURLs", default)]
    pub peer_urls: Vec<String>,
    /// Where clients find it.
    #[serde(rename = "clientURLs", default)]
    pub client_urls: Vec<String>,
    /// Whether it has no vote.
    #[serde(default)]
    pub is_learner: bool,
}

impl Member {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

/// The members that a database knows. Reads no other bucket.
pub fn members(file: &dyn ReadAt) -> Result<Vec<Member>, SnapshotError> {
    let database = Database::open(file)?;
    let mut reading = Reading::default();
    let walked = walk(&database, Some(BUCKET), &mut reading);
    match (reading.fault, walked) {
        (Some(finding), _) => Err(SnapshotError::Corrupt(Box::new(finding))),
        (None, Err(Ended::Read(error))) => Err(error.into()),
        (None, Ok(_) | Err(Ended::Stopped)) => Ok(reading.members),
    }
}

#[derive(Default)]
struct Reading {
    members: Vec<Member>,
    fault: Option<Finding>,
}

impl Visitor for Reading {
    fn bucket(&mut self, _: &[u8]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pair(&mut self, page: u64, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        match Member::parse(value) {
            Ok(_) if self.members.len() >= MOST => {
                self.fault(Finding::of_page(page, "has more members than any cluster"))
            }
            Ok(member) => {
                self.members.push(member);
                ControlFlow::Continue(())
            }
            Err(odd) => {
                let finding = Finding::of_page(page, odd.to_string());
                self.fault(finding.in_bucket(BUCKET).at_key(key))
            }
        }
    }

    fn fault(&mut self, finding: Finding) -> ControlFlow<()> {
        self.fault = Some(finding);
        ControlFlow::Break(())
    }

    fn seen(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The id of a cluster that began with these members: the first 8 bytes of the SHA-1 of their ids
/// in ascending order (etcd `server/etcdserver/api/membership/cluster.go`, `genID`). A cluster
/// keeps its id when members come and go, so it is no longer this one after that.
pub fn cluster_id(members: &[Member]) -> u64 {
    id_of_members(members.iter().map(|member| member.id).collect())
}

pub(crate) fn id_of_members(mut ids: Vec<u64>) -> u64 {
    ids.sort_unstable();
    let mut hash = Sha1::new();
    for id in ids {
        hash.update(id.to_be_bytes());
    }
    let hash: [u8; 20] = hash.finalize().into();
    hash.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64) -> Member {
        Member::parse(format!(r#"{{"id":{id},"peerURLs":["http://x:2380"]}}"#).as_bytes()).unwrap()
    }

    /// The ids that a live cluster of three gave itself.
    #[test]
    fn the_cluster_id_is_that_of_a_live_cluster() {
        let ids = [
            0xa6ca_96ee_b686_5d51,
            0x0b7c_d332_fa5e_dc75,
            0x31bc_87d2_07f6_08a4,
        ];
        assert_eq!(cluster_id(&ids.map(member)), 0x5d57_5426_5cb3_3831);
    }

    #[test]
    fn a_member_that_never_started_has_no_name() {
        let member = member(1);
        assert_eq!((&*member.name, member.is_learner), ("", false));
        assert_eq!(member.peer_urls, ["http://x:2380"]);
    }
}
