//! What a founding member has in its log: that every member joined, and that it is all applied.
//!
//! etcd's own restore writes the same (etcd `etcdutl/snapshot/v3_snapshot.go`, `saveWALAndSnap`):
//! the first record of a snapshot, one entry for each member in ascending order of ids, a state that
//! has them committed, and a snapshot after the last. An etcd that finds a log takes everything from
//! it and looks at no `--initial-cluster`.

use serde_json::{Value, json};

use crate::proto::Writing;

use super::cluster::{Cluster, NewMember};
use super::wal::{Kind, Segment};

/// The term in which everything of a restore happened. The first election makes it 2.
pub(super) const TERM: u64 = 1;
/// `raftpb.EntryConfChange`.
const CONF_CHANGE: u64 = 1;
/// `raftpb.ConfChangeAddNode`.
const ADD_NODE: u64 = 0;

/// The first segment of a member's log; its name is [`FIRST_SEGMENT`](super::FIRST_SEGMENT).
pub(super) fn segment(cluster: &Cluster, me: &NewMember) -> Vec<u8> {
    let mut segment = Segment::new();
    let metadata = Writing::default().number(1, me.id).number(2, cluster.id());
    segment.push(Kind::Metadata, metadata);
    segment.push(Kind::Snapshot, Writing::default().number(1, 0).number(2, 0));
    for (index, member) in (1..).zip(cluster.members()) {
        let change = Writing::default()
            .number(1, 0)
            .number(2, ADD_NODE)
            .number(3, member.id)
            .bytes(4, member.json().as_bytes());
        let entry = Writing::default()
            .number(1, CONF_CHANGE)
            .number(2, TERM)
            .number(3, index)
            .message(4, &change);
        segment.push(Kind::Entry, entry);
    }
    let first = cluster.members().first().map_or(0, |member| member.id);
    let state = Writing::default()
        .number(1, TERM)
        .number(2, first)
        .number(3, cluster.count());
    segment.push(Kind::State, state);
    let snapshot = Writing::default()
        .number(1, cluster.count())
        .number(2, TERM)
        .message(3, &conf_state(cluster));
    segment.push(Kind::Snapshot, snapshot);
    segment.done()
}

/// The name of the raft snapshot: term and index, as 16 hexadecimal digits each.
pub(super) fn snapshot_name(cluster: &Cluster) -> String {
    format!("{TERM:016x}-{:016x}.snap", cluster.count())
}

/// The raft snapshot after the last entry. What it holds is the membership as etcd's v2 store had it,
/// which servers up to 3.6 read at their start; 3.7 looks at none of it.
///
/// `crc 1 | data 2` around `data 1 | metadata 2 {conf state 1 | index 2 | term 3}` (etcd
/// `server/etcdserver/api/snap/snapshotter.go`, `raftpb/raft.proto`).
pub(super) fn snapshot(cluster: &Cluster) -> Vec<u8> {
    let metadata = Writing::default()
        .message(1, &conf_state(cluster))
        .number(2, cluster.count())
        .number(3, TERM);
    let data = Writing::default()
        .bytes(1, v2_store(cluster).to_string().as_bytes())
        .message(2, &metadata)
        .done();
    let crc = crc32c::crc32c(&data);
    Writing::default()
        .number(1, crc.into())
        .bytes(2, &data)
        .done()
}

/// `raftpb.ConfState`: all members vote.
fn conf_state(cluster: &Cluster) -> Writing {
    let voters = cluster.members().iter();
    let voters = voters.fold(Writing::default(), |message, member| {
        message.number(1, member.id)
    });
    voters.number(5, 0)
}

/// The v2 store as it is after each member was entered once. `WatcherHub` and `Stats` may be left
/// out: a server then begins with its own. There is no `/0/version` on purpose: the first leader
/// then sets the version that fits its members.
fn v2_store(cluster: &Cluster) -> Value {
    let members: serde_json::Map<String, Value> = (1..)
        .zip(cluster.members())
        .map(|(index, member)| {
            let id = format!("{:x}", member.id);
            let path = format!("/0/members/{id}");
            let attributes = format!("{path}/raftAttributes");
            let leaf = node(&attributes, index, &member.raft_attributes(), &Value::Null);
            let entry = node(&path, index, "", &json!({ "raftAttributes": leaf }));
            (id, entry)
        })
        .collect();
    let first = u64::from(!members.is_empty());
    let members = node("/0/members", first, "", &Value::Object(members));
    let of_etcd = node("/0", 0, "", &json!({ "members": members }));
    let of_users = node("/1", 0, "", &json!({}));
    json!({
        "Root": node("/", 0, "", &json!({ "0": of_etcd, "1": of_users })),
        "CurrentIndex": cluster.count(),
        "CurrentVersion": 2,
    })
}

/// A file where `children` is null, else a directory (etcd `server/etcdserver/api/v2store/node.go`).
fn node(path: &str, index: u64, value: &str, children: &Value) -> Value {
    json!({
        "Path": path,
        "CreatedIndex": index,
        "ModifiedIndex": index,
        // The zero of Go's times: it never expires.
        "ExpireTime": "0001-01-01T00:00:00Z",
        "Value": value,
        "Children": children,
    })
}

#[cfg(test)]
mod tests {
    use super::super::wal::read_segment;
    use super::*;

    use Kind::{Entry, Metadata, Snapshot, State};

    fn default() -> Cluster {
        let members = Cluster::parse("default=http://localhost:2380").unwrap();
        Cluster::new(&members, "etcd-cluster").unwrap()
    }

    /// What etcdutl 3.5 writes for `--name default` and nothing else: its first records, and the
    /// crc of its last, which is of everything before it.
    #[test]
    fn the_segment_of_a_lone_member_is_etcdutls() {
        let cluster = default();
        let bytes = segment(&cluster, &cluster.members()[0]);
        let begin = [
            &[0x04, 0, 0, 0, 0, 0, 0, 0x84][..],
            &[0x08, 0x04, 0x10, 0x00, 0, 0, 0, 0],
            &[0x20, 0, 0, 0, 0, 0, 0, 0],
            &[0x08, 0x01, 0x10, 0xbb, 0x81, 0xc7, 0xfc, 0x05, 0x1a, 0x16],
            &[
                0x08, 0xcd, 0xd2, 0x91, 0x8b, 0xd2, 0xb8, 0x81, 0xcf, 0x8e, 0x01,
            ],
            &[
                0x10, 0xb2, 0x98, 0xea, 0xf1, 0x94, 0x83, 0x86, 0xfc, 0xcd, 0x01,
            ],
        ];
        let begin = begin.concat();
        assert_eq!(bytes[..begin.len()], begin);
        assert_eq!(bytes.len(), 288);
        let last = Writing::default().number(2, 0xddeb_8f0d).done();
        assert!(bytes.windows(last.len()).any(|window| window == last));
        let kinds: Vec<_> = read_segment(&bytes)
            .unwrap()
            .iter()
            .map(|record| record.kind)
            .collect();
        assert_eq!(kinds, [Metadata, Snapshot, Entry, State, Snapshot]);
    }

    #[test]
    fn the_raft_snapshot_names_every_member() {
        let members = Cluster::parse("a=http://h:1,b=http://h:2").unwrap();
        let cluster = Cluster::new(&members, "t").unwrap();
        let store = v2_store(&cluster);
        let below = &store["Root"]["Children"]["0"]["Children"]["members"]["Children"];
        for member in cluster.members() {
            let id = format!("{:x}", member.id);
            let value = &below[&id]["Children"]["raftAttributes"]["Value"];
            assert_eq!(value, &member.raft_attributes());
        }
        let name = snapshot_name(&cluster);
        assert_eq!(name, "0000000000000001-0000000000000002.snap");
    }
}
