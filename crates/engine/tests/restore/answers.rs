//! Everything that a server says of what it holds, to be compared.

use std::collections::BTreeMap;

use etcd_client::{
    AlarmAction, AlarmType, Client, ConnectOptions, GetOptions, KeyValue, LeaseTimeToLiveOptions,
};
use rollsnap_testkit::etcd_real::EtcdReal;

/// The password of root, of every server here that has users.
pub(crate) const PASSWORD: &str = "of a test";

/// Of one server at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    /// From where to where its revisions go.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// The live keys at each of them.
    keys: BTreeMap<i64, Vec<Pair>>,
    /// `HashKV` at each of them but the first, which counts as compacted.
    hashes: BTreeMap<i64, u32>,
    /// With the time that they were granted, and their keys.
    leases: BTreeMap<i64, (i64, Vec<Vec<u8>>)>,
    /// With their roles.
    users: BTreeMap<String, Vec<String>>,
    /// With what they permit.
    roles: BTreeMap<String, String>,
}

impl Answers {
    /// There is something to compare in each part, from this revision on.
    #[track_caller]
    pub(crate) fn assert_rich(&self, first: i64) {
        assert_eq!(self.first, first);
        let kept = usize::try_from(self.last - first).unwrap();
        assert!(kept > 50, "{kept} revisions");
        assert_eq!((self.keys.len(), self.hashes.len()), (kept + 1, kept));
        assert!(self.keys.values().all(|keys| keys.len() > 20));
        let held: usize = self.leases.values().map(|(_, keys)| keys.len()).sum();
        assert_eq!(held, 15);
        let sizes = (self.leases.len(), self.users.len(), self.roles.len());
        assert_eq!(sizes, (6, 2, 1));
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Pair {
    key: Vec<u8>,
    value: Vec<u8>,
    /// Created, modified, version, lease.
    numbers: [i64; 4],
}

impl From<&KeyValue> for Pair {
    fn from(pair: &KeyValue) -> Self {
        Self {
            key: pair.key().to_vec(),
            value: pair.value().to_vec(),
            numbers: [
                pair.create_revision(),
                pair.mod_revision(),
                pair.version(),
                pair.lease(),
            ],
        }
    }
}

/// Root's client of a server that was restored from one with users.
pub(crate) async fn root(etcd: &EtcdReal) -> Client {
    let options = ConnectOptions::new().with_user("root", PASSWORD);
    let client = Client::connect([etcd.endpoint()], Some(options)).await;
    client.unwrap()
}

/// Asks for everything at every revision that is kept.
pub(crate) async fn answers(client: &mut Client) -> Answers {
    let now = client.hash_kv(0).await.unwrap();
    let first = now.compact_version();
    let last = now.header().unwrap().revision();
    let (mut keys, mut hashes) = (BTreeMap::new(), BTreeMap::new());
    for revision in first.max(1)..=last {
        let options = GetOptions::new().with_all_keys().with_revision(revision);
        let said = client.get("", Some(options)).await.unwrap();
        keys.insert(revision, said.kvs().iter().map(Pair::from).collect());
        if revision > first {
            hashes.insert(revision, client.hash_kv(revision).await.unwrap().hash());
        }
    }
    Answers {
        first,
        last,
        keys,
        hashes,
        leases: leases(client).await,
        users: users(client).await,
        roles: roles(client).await,
    }
}

async fn leases(client: &mut Client) -> BTreeMap<i64, (i64, Vec<Vec<u8>>)> {
    let mut leases = BTreeMap::new();
    for lease in client.leases().await.unwrap().leases() {
        let options = LeaseTimeToLiveOptions::new().with_keys();
        let said = client.lease_time_to_live(lease.id(), Some(options)).await;
        let said = said.unwrap();
        let mut keys = said.keys().to_vec();
        keys.sort();
        leases.insert(lease.id(), (said.granted_ttl(), keys));
    }
    leases
}

async fn users(client: &mut Client) -> BTreeMap<String, Vec<String>> {
    let mut users = BTreeMap::new();
    for user in client.user_list().await.unwrap().users() {
        let said = client.user_get(user).await.unwrap();
        users.insert(user.clone(), said.roles().to_vec());
    }
    users
}

async fn roles(client: &mut Client) -> BTreeMap<String, String> {
    let mut roles = BTreeMap::new();
    for role in client.role_list().await.unwrap().roles() {
        let said = client.role_get(role).await.unwrap();
        roles.insert(role.clone(), format!("{:?}", said.permissions()));
    }
    roles
}

/// How many alarms are raised.
pub(crate) async fn alarms(client: &mut Client) -> usize {
    let said = client.alarm(AlarmAction::Get, AlarmType::None, None).await;
    said.unwrap().alarms().len()
}

/// The cluster's id and its members: each one's id, name, peer URLs, and whether it only learns.
pub(crate) async fn members(client: &mut Client) -> (u64, Vec<(u64, String, Vec<String>, bool)>) {
    let said = client.member_list().await.unwrap();
    let members = said.members().iter().map(|member| {
        let (name, urls) = (member.name().to_owned(), member.peer_urls().to_vec());
        (member.id(), name, urls, member.is_learner())
    });
    let mut members: Vec<_> = members.collect();
    members.sort();
    (said.header().unwrap().cluster_id(), members)
}
