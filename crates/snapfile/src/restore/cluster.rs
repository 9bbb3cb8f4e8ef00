//! The cluster that a restore founds: its members, and the ids that follow from them.
//!
//! Ids are not chosen but reckoned, so that members that are restored apart agree (etcd
//! `server/etcdserver/api/membership/{member,cluster}.go`, `client/pkg/types/urlsmap.go`).

use std::collections::BTreeMap;

use serde::Serialize;
use sha1::{Digest as _, Sha1};

use crate::mvcc::id_of_members;

/// A cluster that is about to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    id: u64,
    token: String,
    members: Vec<NewMember>,
}

/// One of its members. All of them vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewMember {
    /// Its id.
    pub id: u64,
    /// Where the others find it, in ascending order.
    #[serde(rename = "peerURLs")]
    pub peer_urls: Vec<String>,
    /// Its name, as in `--name`.
    pub name: String,
}

/// What is wrong with a list of members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is none.
    #[error("there is no member: write NAME=URL, and a comma between two")]
    Empty,
    /// A piece is no pair.
    #[error("{0:?} is no member: write NAME=URL")]
    Pair(String),
    /// A peer URL that etcd would not take.
    #[error("{url:?} is no peer URL: {why}")]
    Url {
        /// As it was written.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// One URL twice: two members would have one id, or one member would dial itself.
    #[error("{0} is the peer URL of two members")]
    Twice(String),
    /// Two members have one id by chance, or the id is 0, which etcd takes for none.
    #[error("the members' ids are not distinct: use another token")]
    Ids,
}

impl Cluster {
    /// Reckons the ids of a cluster of these members, which are named with their peer URLs. Every
    /// fault is told.
    ///
    /// `token` must be the same for all members of one restore, and that of no other cluster:
    /// with the token and the URLs of the old cluster come its ids, and a member of it that is
    /// still alive would take the new ones for its own.
    pub fn new(
        members: &BTreeMap<String, Vec<String>>,
        token: &str,
    ) -> Result<Self, Vec<ClusterError>> {
        let mut faults = Vec::new();
        let mut urls: Vec<&String> = members.values().flatten().collect();
        urls.sort_unstable();
        for url in &urls {
            if let Err(why) = check_url(url) {
                let url = (*url).clone();
                faults.push(ClusterError::Url { url, why });
            }
        }
        for pair in urls.windows(2) {
            if let [one, other] = pair
                && one == other
            {
                faults.push(ClusterError::Twice((*one).clone()));
            }
        }
        if urls.is_empty() || members.values().any(Vec::is_empty) {
            faults.push(ClusterError::Empty);
        }
        let mut members: Vec<_> = members
            .iter()
            .map(|(name, urls)| NewMember::new(name, urls, token))
            .collect();
        members.sort_unstable_by_key(|member| member.id);
        let ids: Vec<u64> = members.iter().map(|member| member.id).collect();
        let is_odd =
            ids.windows(2).any(|pair| pair.first() == pair.last()) || ids.first() == Some(&0);
        // Where URLs are at fault, that is why.
        if is_odd && faults.is_empty() {
            faults.push(ClusterError::Ids);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let id = id_of_members(ids);
        let token = token.to_owned();
        Ok(Self { id, token, members })
    }

    /// Reads `m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380`, as etcd's `--initial-cluster`. A
    /// name that comes again has several URLs.
    pub fn parse(text: &str) -> Result<BTreeMap<String, Vec<String>>, Vec<ClusterError>> {
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut faults = Vec::new();
        for piece in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            match piece.split_once('=') {
                Some((name, url)) if !name.is_empty() && !url.is_empty() => {
                    members.entry(name.into()).or_default().push(url.into());
                }
                _ => faults.push(ClusterError::Pair(piece.to_owned())),
            }
        }
        if members.is_empty() && faults.is_empty() {
            faults.push(ClusterError::Empty);
        }
        if faults.is_empty() {
            Ok(members)
        } else {
            Err(faults)
        }
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What makes its ids its own.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its members, by ascending id.
    pub fn members(&self) -> &[NewMember] {
        &self.members
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&NewMember> {
        self.members.iter().find(|member| member.name == name)
    }

    /// How many members it has, which is also the index of the last entry of its log: one for each.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.members.len()).unwrap_or(u64::MAX)
    }
}

impl NewMember {
    fn new(name: &str, urls: &[String], token: &str) -> Self {
        let mut peer_urls = urls.to_vec();
        peer_urls.sort_unstable();
        let mut hash = Sha1::new();
        for url in &peer_urls {
            hash.update(url);
        }
        hash.update(token);
        let hash: [u8; 20] = hash.finalize().into();
        Self {
            id: hash.first_chunk().copied().map_or(0, u64::from_be_bytes),
            peer_urls,
            name: name.to_owned(),
        }
    }

    /// As etcd keeps it in its database and in its log (`membership.Member`, in Go's JSON).
    pub(super) fn json(&self) -> String {
        escaped_as_go(&serde_json::to_string(self).unwrap_or_default())
    }

    /// Where the others find it, as etcd keeps it in its v2 store (`RaftAttributes`).
    pub(super) fn raft_attributes(&self) -> String {
        let urls = serde_json::json!({ "peerURLs": self.peer_urls });
        escaped_as_go(&urls.to_string())
    }
}

/// Go escapes three letters more than anybody else, for the sake of HTML.
fn escaped_as_go(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// What etcd demands of a peer URL (`client/pkg/types/urls.go`, `NewURLs`). Ids are reckoned from
/// the text, so nothing is put right: what Go would write otherwise is refused.
fn check_url(url: &str) -> Result<(), &'static str> {
    if url.starts_with("unix://") || url.starts_with("unixs://") {
        return Ok(());
    }
    let host = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .ok_or("begin it with http:// or https://")?;
    if host.contains(['/', '?', '#', '@']) || host.contains(char::is_whitespace) {
        return Err("leave out what follows the port");
    }
    let (host, port) = host
        .rsplit_once(':')
        .ok_or("give the port, such as :2380")?;
    if host.is_empty() || host.contains(':') != host.starts_with('[') {
        return Err("give the host, an IPv6 address in brackets");
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(()),
        Err(_) => Err("give the port as a number, such as :2380"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids that live clusters gave themselves.
    #[test]
    fn ids_are_those_of_live_clusters() {
        let members = Cluster::parse("default=http://localhost:2380").unwrap();
        let cluster = Cluster::new(&members, "etcd-cluster").unwrap();
        assert_eq!(cluster.id(), 0xcdf8_1819_4e3a_8c32);
        assert_eq!(cluster.members()[0].id, 0x8e9e_05c5_2164_694d);

        let three = "m3=http://127.0.0.1:20121,m1=http://127.0.0.1:20101,m2=http://127.0.0.1:20111";
        let cluster = Cluster::new(&Cluster::parse(three).unwrap(), "tok-1").unwrap();
        assert_eq!(cluster.id(), 0x5d57_5426_5cb3_3831);
        let ids = ["m1", "m2", "m3"].map(|name| cluster.member(name).unwrap().id);
        let known = [
            0xa6ca_96ee_b686_5d51,
            0x0b7c_d332_fa5e_dc75,
            0x31bc_87d2_07f6_08a4,
        ];
        assert_eq!(ids, known);
    }

    #[test]
    fn every_fault_of_a_list_is_told_at_once() {
        let members = Cluster::parse(
            "a=ftp://h:1,b=http://h,c=http://h:1/x,d=http://h:1,e=http://h:1,f=http://::1:2",
        );
        let told = Cluster::new(&members.unwrap(), "").unwrap_err();
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        for (fault, cure) in [
            ("ftp://h:1", "http://"),
            ("\"http://h\"", "port"),
            ("http://h:1/x", "leave out"),
            ("http://h:1 is", "two members"),
            ("http://::1:2", "brackets"),
        ] {
            assert!(
                told.iter()
                    .any(|it| it.contains(fault) && it.contains(cure)),
                "{fault}: {told:?}"
            );
        }
        assert_eq!(told.len(), 5, "{told:?}");
        let pairs = Cluster::parse("a,=b,c=").unwrap_err();
        assert_eq!(pairs.len(), 3);
        assert_eq!(Cluster::parse(" , ").unwrap_err(), [ClusterError::Empty]);
    }

    #[test]
    fn a_name_may_have_several_urls_in_any_order() {
        let one = Cluster::parse("a=http://h:1,a=http://g:1").unwrap();
        let other = Cluster::parse("a=http://g:1,a=http://h:1").unwrap();
        assert_eq!(Cluster::new(&one, "t"), Cluster::new(&other, "t"));
    }

    #[test]
    fn json_is_escaped_as_go_does() {
        let member = NewMember::new("a<b>&c", &["http://h:1".into()], "");
        assert!(
            member
                .json()
                .ends_with(r#""name":"a\u003cb\u003e\u0026c"}"#)
        );
    }
}
