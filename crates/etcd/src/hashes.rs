//! What members say their keys hash to: one that is asked by its endpoint, or all of a cluster.

use std::collections::HashMap;

use async_trait::async_trait;
use etcd_client::{Client, HashKvResponse};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::diagnosis::HASH;
use crate::members::nobody;
use crate::roster::{LIST, Listed, Roster};
use crate::{ErrorKind, Member, MemberHash, MemberStatus, Members, PeerHash, Peers, SourceError};

/// How many members are asked at once: one that hangs shall not hold up all others, and no more
/// of a cluster than needed shall stand still.
const AT_ONCE: usize = 2;

impl Member {
    /// Asks what the member's keys up to `revision` hash to, or up to its newest if none is given.
    /// [`Compacted`](ErrorKind::Compacted) if the member no longer has the revision.
    ///
    /// Takes at most the request timeout and the hash timeout. Dropping the future leaves nothing
    /// behind here; the member reckons on to its end.
    pub async fn hash_kv(&self, revision: Option<u64>) -> Result<MemberHash, SourceError> {
        let client = timeout(self.request_timeout, Box::pin(self.connect(HASH)))
            .await
            .map_err(|_| self.no_answer(HASH))??;
        self.reckon(&client, revision).await
    }

    /// Makes sure that it is the member `id` that answers here, before anybody reckons.
    async fn meet(&self, id: u64) -> Result<(Client, MemberStatus), SourceError> {
        let meeting = async {
            let client = self.connect(HASH).await?;
            let status = self.status_over(HASH, &client).await?;
            Ok((client, status))
        };
        let (client, status) = timeout(self.request_timeout, Box::pin(meeting))
            .await
            .unwrap_or_else(|_| Err(self.no_answer(HASH)))?;
        if status.member_id == id {
            return Ok((client, status));
        }
        let message = format!(
            "member {:x} answers there, and not {id:x}",
            status.member_id
        );
        Err(self.subject.error(ErrorKind::Unsuitable, HASH, message))
    }

    /// Asks up to `wanted`, or up to where the member is.
    ///
    /// etcd 3.4 and the first of 3.5 call the very revision of their last compaction compacted, and
    /// yet hash up to it where it is the newest and none is named.
    async fn reckon_to(
        &self,
        client: &Client,
        wanted: u64,
        newest: u64,
    ) -> Result<MemberHash, SourceError> {
        match self.reckon(client, Some(wanted.min(newest))).await {
            Err(refusal) if refusal.kind() == ErrorKind::Compacted && newest <= wanted => {
                let said = self.reckon(client, None).await?;
                // It may have gone on meanwhile.
                (said.revision <= wanted).then_some(said).ok_or(refusal)
            }
            said => said,
        }
    }

    async fn reckon(
        &self,
        client: &Client,
        revision: Option<u64>,
    ) -> Result<MemberHash, SourceError> {
        // 0 is etcd's word for the newest. What exceeds its numbers is in its future.
        let asked = i64::try_from(revision.unwrap_or(0)).unwrap_or(i64::MAX);
        let mut maintenance = client.maintenance_client();
        match timeout(self.hash_timeout, maintenance.hash_kv(asked)).await {
            Ok(Ok(answer)) => member_hash(&answer, asked)
                .ok_or_else(|| self.no_etcd(HASH, "its hash names no member")),
            Ok(Err(error)) => Err(self.subject.explain(HASH, error).await),
            Err(_) => {
                let message = format!("no answer for {:?}", self.hash_timeout);
                Err(self.subject.error(ErrorKind::Unavailable, HASH, message))
            }
        }
    }
}

/// None if the answer could be anybody's.
pub(crate) fn member_hash(answer: &HashKvResponse, asked: i64) -> Option<MemberHash> {
    let header = answer.header().filter(|header| header.member_id() != 0)?;
    // Since 3.6 the answer tells its revision. Before, it is the one that was asked for, or the
    // newest, which the header has.
    let revision = [answer.hash_revision(), asked, header.revision()]
        .into_iter()
        .find(|revision| *revision > 0)?;
    Some(MemberHash {
        cluster_id: header.cluster_id(),
        member_id: header.member_id(),
        revision: u64::try_from(revision).ok()?,
        // -1 if nothing was ever compacted.
        compact_revision: u64::try_from(answer.compact_version()).unwrap_or(0),
        hash: answer.hash(),
    })
}

/// A cluster as seen through the endpoints that were given.
struct Cluster<'a> {
    roster: Roster,
    /// Whoever told the roster.
    guide: &'a Member,
    /// Which member is behind which of the endpoints.
    given: HashMap<u64, &'a Member>,
}

impl Members {
    /// Asks all endpoints at once; the first in order that answers is believed.
    async fn cluster(&self) -> Result<Cluster<'_>, SourceError> {
        let answers = join_all(self.all.iter().map(Member::roster)).await;
        let mut cluster: Option<Cluster<'_>> = None;
        let mut refusals = Vec::new();
        for (member, answer) in self.all.iter().zip(answers) {
            match answer {
                Ok(roster) => {
                    let (id, cluster_id) = (roster.told_by, roster.cluster_id);
                    let cluster = cluster.get_or_insert_with(|| Cluster {
                        roster,
                        guide: member,
                        given: HashMap::new(),
                    });
                    if cluster.roster.cluster_id == cluster_id {
                        cluster.given.entry(id).or_insert(member);
                    }
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        cluster.ok_or_else(|| nobody(LIST, &self.text, refusals))
    }
}

impl Cluster<'_> {
    async fn ask(&self, listed: &Listed, revision: u64) -> PeerHash {
        PeerHash {
            id: listed.id,
            name: listed.name.clone(),
            is_learner: listed.is_learner,
            hash: self.hash_of(listed, revision).await,
        }
    }

    /// Goes from route to route until the member is met. Then its word is the last.
    async fn hash_of(&self, listed: &Listed, revision: u64) -> Result<MemberHash, SourceError> {
        let mut refusals = Vec::new();
        for route in self.routes(listed) {
            let member = match route {
                Ok(member) => member,
                Err(refusal) => {
                    refusals.push(refusal);
                    continue;
                }
            };
            match member.meet(listed.id).await {
                Ok((client, status)) => {
                    return member.reckon_to(&client, revision, status.revision).await;
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        let member = format!("member {:x}", listed.id);
        if refusals.is_empty() {
            let message = "it tells no client URL";
            return Err(
                SourceError::new(ErrorKind::Unavailable, HASH, member, message)
                    .with_hint("has it ever started? see etcdctl member list"),
            );
        }
        Err(nobody(HASH, &member, refusals))
    }

    /// Where the member may be met, the endpoint that was given for it first.
    fn routes(&self, listed: &Listed) -> Vec<Result<Member, SourceError>> {
        let given = self.given.get(&listed.id);
        let given = given.map(|member| Ok(member.at(member.subject.endpoint.clone())));
        let own = listed.client_urls.iter().map(|url| self.guide.beside(url));
        given.into_iter().chain(own).collect()
    }
}

#[async_trait]
impl Peers for Members {
    /// A member is asked at the endpoint that was given for it, then at each of its client URLs
    /// until it is met there, with the certificates, the user and the limits that were given.
    ///
    /// Takes at most a request timeout for each URL and a hash timeout for each member.
    async fn hash_kv(&self, revision: u64) -> Result<Vec<PeerHash>, SourceError> {
        let cluster = Box::pin(self.cluster()).await?;
        let members = &cluster.roster.members;
        let questions = members.iter().map(|listed| cluster.ask(listed, revision));
        let questions: Vec<_> = questions.collect();
        Ok(stream::iter(questions).buffered(AT_ONCE).collect().await)
    }
}
