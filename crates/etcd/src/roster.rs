//! Who belongs to a cluster, as one of its members tells, and where each of them can be asked.

use etcd_client::MemberListResponse;
use tokio::time::timeout;

use crate::endpoint::{Endpoint, Scheme};
use crate::{ErrorKind, Member, SourceError};

pub(crate) const LIST: &str = "member list of";
const CLIENT_URL: &str = "client URL";

/// The members of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roster {
    pub(crate) cluster_id: u64,
    /// The member that told it.
    pub(crate) told_by: u64,
    /// In the order of their ids.
    pub(crate) members: Vec<Listed>,
}

/// One member as the list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: u64,
    /// None before its first start.
    pub(crate) name: Option<String>,
    pub(crate) is_learner: bool,
    pub(crate) client_urls: Vec<String>,
}

impl Member {
    /// Asks who belongs to the cluster. Any voting member knows, with or without a quorum. Takes
    /// at most the request timeout.
    pub(crate) async fn roster(&self) -> Result<Roster, SourceError> {
        let asked = async {
            let client = self.connect(LIST).await?;
            match client.cluster_client().member_list().await {
                Ok(answer) => roster(&answer)
                    .ok_or_else(|| self.no_etcd(LIST, "its member list names no member")),
                Err(error) => Err(self.subject.explain(LIST, error).await),
            }
        };
        timeout(self.request_timeout, Box::pin(asked))
            .await
            .unwrap_or_else(|_| Err(self.no_answer(LIST)))
    }

    /// Another member of this one's cluster at the client URL that the list has, with the same
    /// certificates, user and limits.
    ///
    /// A list may hold what only its author understands: a Unix socket is somewhere in another
    /// machine, and `0.0.0.0` is whoever asks. These are refused, and so is `http` where this
    /// member is asked over TLS: a password does not leave it on anybody's word.
    pub(crate) fn beside(&self, client_url: &str) -> Result<Member, SourceError> {
        let refuse = |message: &str| {
            SourceError::new(ErrorKind::Config, CLIENT_URL, client_url, message).with_hint(
                "set --advertise-client-urls of that member to what others can reach it by",
            )
        };
        if client_url.starts_with("unix://") || client_url.starts_with("unixs://") {
            return Err(refuse("is a socket of that member's machine"));
        }
        let here = self.subject.endpoint.scheme();
        let there = Endpoint::parse(client_url, here)?;
        if there.is_unspecified() {
            return Err(refuse("is any address of that member's machine"));
        }
        if (here, there.scheme()) == (Scheme::Https, Scheme::Http) {
            return Err(refuse("is without TLS, and this cluster is asked with it"));
        }
        Ok(self.at(there))
    }
}

/// None if the answer could be anybody's.
fn roster(answer: &MemberListResponse) -> Option<Roster> {
    let header = answer.header().filter(|header| header.member_id() != 0)?;
    let listed = |member: &etcd_client::Member| Listed {
        id: member.id(),
        name: Some(member.name().to_owned()).filter(|name| !name.is_empty()),
        is_learner: member.is_learner(),
        client_urls: member.client_urls().to_vec(),
    };
    let mut members: Vec<Listed> = answer.members().iter().map(listed).collect();
    members.sort_by_key(|member| member.id);
    Some(Roster {
        cluster_id: header.cluster_id(),
        told_by: header.member_id(),
        members,
    })
}
