//! Clusters as bad member lists have them: addresses nobody can call, one address for all, members
//! that never started, lag or hang.

use rollsnap_etcd::{ErrorKind, MemberConfig, Members, PeerHash, Peers, SourceError, TlsFiles};
use rollsnap_testkit::etcd_peer::{
    EtcdPeer, HashAnswer, HashKvResponse, ListedMember, ResponseHeader, StatusAnswer,
    StatusResponse, healthy,
};
use rollsnap_testkit::tls::Certificates;

use crate::kit::{STALL, assert_says, member_at, printed};

const CLUSTER: u64 = 0xc1;
const REVISION: i64 = 9;

fn header(id: u64) -> ResponseHeader {
    ResponseHeader {
        cluster_id: CLUSTER,
        member_id: id,
        revision: REVISION,
        raft_term: 2,
    }
}

fn hash(id: u64) -> HashKvResponse {
    HashKvResponse {
        header: Some(header(id)),
        hash: 0xab,
        compact_revision: -1,
        hash_revision: 0,
    }
}

/// The member `id` at revision 9, who knows its own hash and nobody else.
fn be_member(peer: &EtcdPeer, id: u64) {
    peer.set_status(StatusAnswer::Says(Box::new(StatusResponse {
        header: Some(header(id)),
        ..healthy()
    })));
    peer.set_hash(HashAnswer::Says(Box::new(hash(id))));
}

async fn member(id: u64) -> EtcdPeer {
    let peer = EtcdPeer::start([]).await;
    be_member(&peer, id);
    peer
}

fn listed(id: u64, client_urls: &[&str]) -> ListedMember {
    ListedMember {
        id,
        name: format!("m{id}"),
        client_urls: client_urls.iter().map(ToString::to_string).collect(),
        ..ListedMember::default()
    }
}

fn through(peers: &[&EtcdPeer]) -> Members {
    let config = |peer: &&EtcdPeer| MemberConfig {
        hash_timeout: STALL,
        ..MemberConfig::new(peer.endpoint())
    };
    Members::new(peers.iter().map(config)).unwrap()
}

async fn ask(members: &Members) -> Vec<PeerHash> {
    members.hash_kv(7).await.unwrap()
}

/// The reason in place of the hash of the member that `guide` lists at `url`.
async fn refused(guide: &EtcdPeer, url: &str) -> SourceError {
    guide.set_members([listed(2, &[url])]);
    let members = through(&[guide]);
    ask(&members).await.remove(0).hash.unwrap_err()
}

#[tokio::test]
async fn since_3_6_the_answer_tells_its_revision() {
    let peer = member(1).await;
    let of_3_6 = HashKvResponse {
        hash_revision: 5,
        compact_revision: 3,
        ..hash(1)
    };
    peer.set_hash(HashAnswer::Says(Box::new(of_3_6)));
    let said = member_at(peer.endpoint()).hash_kv(Some(7)).await.unwrap();
    assert_eq!((said.revision, said.compact_revision), (5, 3));
}

#[tokio::test]
async fn refusals_are_understood_in_any_versions_words() {
    let peer = member(1).await;
    for (code, message, kind, words) in [
        (
            11,
            "etcdserver: mvcc: required revision has been compacted",
            ErrorKind::Compacted,
            "compacted",
        ),
        (
            2,
            "mvcc: required revision has been compacted",
            ErrorKind::Compacted,
            "compacted",
        ),
        (
            11,
            "etcdserver: mvcc: required revision is a future revision",
            ErrorKind::Unavailable,
            "has not come to",
        ),
        (
            7,
            "etcdserver: permission denied",
            ErrorKind::Denied,
            "may not ask for hashes",
        ),
        (
            2,
            "auth: permission denied",
            ErrorKind::Denied,
            "may not ask for hashes",
        ),
        (
            2,
            "auth: user not found",
            ErrorKind::Denied,
            "etcd wants a user",
        ),
        (
            3,
            "etcdserver: user name is empty",
            ErrorKind::Denied,
            "etcd wants a user",
        ),
    ] {
        let message = message.to_owned();
        peer.set_hash(HashAnswer::Fails { code, message });
        let error = member_at(peer.endpoint()).hash_kv(Some(7)).await;
        assert_says(&error.unwrap_err(), kind, words);
    }
}

#[tokio::test]
async fn a_hash_without_a_member_is_no_etcds() {
    let peer = member(1).await;
    peer.set_hash(HashAnswer::Says(Box::default()));
    let error = member_at(peer.endpoint()).hash_kv(None).await.unwrap_err();
    assert_says(&error, ErrorKind::Unsuitable, "its hash names no member");
}

#[tokio::test]
async fn an_address_that_only_its_author_understands_is_not_called() {
    let guide = member(1).await;
    for (url, words) in [
        (
            "http://0.0.0.0:2379",
            "any address of that member's machine",
        ),
        ("https://[::]:2379", "any address of that member's machine"),
        ("unix:///run/etcd.sock", "a socket of that member's machine"),
        (
            "unixs://localhost:2379",
            "a socket of that member's machine",
        ),
        ("http://a/b", "has a path"),
    ] {
        let error = refused(&guide, url).await;
        assert_says(&error, ErrorKind::Config, words);
        assert_says(&error, ErrorKind::Config, url);
    }
}

#[tokio::test]
async fn a_member_without_an_address_is_told_as_such() {
    let guide = member(1).await;
    let never_started = ListedMember {
        name: String::new(),
        ..listed(2, &[])
    };
    guide.set_members([listed(1, &[]), never_started]);
    let [first, second] = &ask(&through(&[&guide])).await[..] else {
        panic!("both members are told");
    };
    // It is known at the endpoint that was given, whatever the list says.
    assert!(first.hash.is_ok());
    assert_eq!(second.name, None);
    let error = second.hash.as_ref().unwrap_err();
    assert_eq!(printed(error), "hash of member 2: it tells no client URL");
}

#[tokio::test]
async fn one_address_for_all_is_found_out_before_anybody_reckons() {
    let (guide, second) = (member(1).await, member(2).await);
    let (here, there) = (guide.endpoint(), second.endpoint());
    guide.set_members([
        listed(1, &[&here]),
        listed(2, &[&here, &there]),
        listed(3, &[&here]),
    ]);
    let [_, second, third] = &ask(&through(&[&guide])).await[..] else {
        panic!("all three members are told");
    };
    assert_eq!(second.hash.as_ref().unwrap().member_id, 2);
    let error = third.hash.as_ref().unwrap_err();
    assert_says(
        error,
        ErrorKind::Unsuitable,
        "member 1 answers there, and not 3",
    );
    assert_eq!(guide.hashed(), [7], "for itself, and for nobody else");
}

#[tokio::test]
async fn every_endpoint_given_is_a_way_to_its_member() {
    let (guide, second) = (member(1).await, member(2).await);
    for peer in [&guide, &second] {
        peer.set_members([listed(1, &["http://0.0.0.0:1"]), listed(2, &[])]);
    }
    let answers = ask(&through(&[&guide, &second])).await;
    assert!(answers.iter().all(|answer| answer.hash.is_ok()));
}

#[tokio::test]
async fn a_member_that_lags_tells_where_it_is() {
    let guide = member(1).await;
    guide.set_members([listed(1, &[])]);
    let members = through(&[&guide]);
    let answers = members.hash_kv(12).await.unwrap();
    let said = answers[0].hash.as_ref().unwrap();
    assert_eq!((said.revision, guide.hashed()), (9, vec![9]));
}

#[tokio::test]
async fn a_password_does_not_leave_tls_on_a_lists_word() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::issue(dir.path(), &[]);
    let guide = EtcdPeer::start_tls([], &certificates).await;
    be_member(&guide, 1);
    let plain = member(2).await;
    guide.set_members([listed(2, &[&plain.endpoint()])]);
    let members = Members::new([MemberConfig {
        tls: TlsFiles {
            ca: Some(certificates.ca()),
            ..TlsFiles::default()
        },
        ..MemberConfig::new(guide.endpoint())
    }]);
    let error = ask(&members.unwrap()).await.remove(0).hash.unwrap_err();
    assert_says(&error, ErrorKind::Config, "is without TLS");
    assert!(plain.hashed().is_empty());
}

#[tokio::test]
async fn who_hangs_is_given_up_and_two_at_once_are_asked() {
    let peers = [member(1).await, member(2).await, member(3).await];
    let urls: Vec<String> = peers.iter().map(EtcdPeer::endpoint).collect();
    let list = (1..).zip(&urls).map(|(id, url)| listed(id, &[url]));
    peers[2].set_members(list);
    for peer in &peers[..2] {
        peer.set_hash(HashAnswer::Hangs);
    }
    let members = through(&[&peers[2]]);
    let (answers, ()) = tokio::join!(ask(&members), async {
        for peer in &peers[..2] {
            peer.reckoning(1).await;
        }
        assert!(peers[2].hashed().is_empty());
    });
    for answer in &answers[..2] {
        let error = answer.hash.as_ref().unwrap_err();
        assert_says(error, ErrorKind::Unavailable, "no answer for 600ms");
    }
    assert!(answers[2].hash.is_ok());
}

#[tokio::test]
async fn a_question_that_is_dropped_is_taken_back() {
    let peer = member(1).await;
    peer.set_members([listed(1, &[])]);
    peer.set_hash(HashAnswer::Hangs);
    let members = Members::new([MemberConfig::new(peer.endpoint())]).unwrap();
    let mut asking = members.hash_kv(7);
    tokio::select! {
        _ = &mut asking => panic!("it hangs"),
        () = peer.reckoning(1) => {}
    }
    drop(asking);
    peer.reckoning(0).await;
}

#[tokio::test]
async fn nobody_who_tells_the_members_is_an_error() {
    let (first, second) = (member(1).await, member(2).await);
    let error = through(&[&first, &second]).hash_kv(7).await.unwrap_err();
    assert_says(&error, ErrorKind::Unsuitable, "member list of");
    assert_says(&error, ErrorKind::Unsuitable, &second.endpoint());
}
