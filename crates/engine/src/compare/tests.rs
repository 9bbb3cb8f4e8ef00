use proptest::prelude::*;

use super::*;

const CLUSTER: Id = Id(0xc1);
const REVISION: u64 = 100;
const COMPACTED: u64 = 40;

const SNAPSHOT: Known = Known {
    cluster_id: Some(CLUSTER),
    compact_revision: COMPACTED,
};

/// What a member is, and so what is to be made of it.
#[derive(Debug, Clone, Copy)]
enum Is {
    /// It holds what the snapshot holds.
    Right { revision: u64, compacted: u64 },
    /// It holds something else; the last number tells things apart.
    Wrong { compacted: u64, what: u32 },
    /// It has history that the snapshot has not.
    LessCompacted(u64),
    /// It is of another cluster.
    Stranger,
    /// It was compacted past the snapshot.
    Compacted,
    /// It does not answer.
    Down,
}

/// What the truth hashes to.
fn truth(cut: Cut) -> u32 {
    let number = cut.revision * 1000 + cut.compact_revision;
    u32::try_from(number).expect("small")
}

fn cut(revision: u64, compact_revision: u64) -> Cut {
    Cut {
        revision,
        compact_revision,
    }
}

fn peer(id: u64, is: Is) -> PeerHash {
    let refuse = |kind, words| Err(SourceError::new(kind, "hash of", "m", words));
    let say = |cluster: Id, cut: Cut, hash| {
        Ok(rollsnap_etcd::MemberHash {
            cluster_id: cluster.0,
            member_id: id,
            revision: cut.revision,
            compact_revision: cut.compact_revision,
            hash,
        })
    };
    PeerHash {
        id,
        name: Some(format!("m{id}")),
        is_learner: false,
        hash: match is {
            Is::Right {
                revision,
                compacted,
            } => {
                let cut = cut(revision, compacted);
                say(CLUSTER, cut, truth(cut))
            }
            Is::Wrong { compacted, what } => {
                let cut = cut(REVISION, compacted);
                say(CLUSTER, cut, truth(cut).wrapping_add(what))
            }
            Is::LessCompacted(compacted) => say(CLUSTER, cut(REVISION, compacted), 7),
            Is::Stranger => say(Id(0xc2), cut(REVISION, COMPACTED), 7),
            Is::Compacted => refuse(ErrorKind::Compacted, "compacted there"),
            Is::Down => refuse(ErrorKind::Unavailable, "connection refused"),
        },
    }
}

fn peers(all: &[Is]) -> Vec<PeerHash> {
    let numbered = (1..).zip(all);
    numbered.map(|(id, is)| peer(id, *is)).collect()
}

fn judged(all: &[Is]) -> Comparison {
    let peers = peers(all);
    let cuts = SNAPSHOT.cuts(&peers);
    let hashes = cuts.into_iter().map(|cut| (cut, truth(cut)));
    SNAPSHOT.judge(&peers, &hashes.collect())
}

const RIGHT: Is = Is::Right {
    revision: REVISION,
    compacted: COMPACTED,
};

fn wrong(what: u32) -> Is {
    let compacted = COMPACTED;
    Is::Wrong { compacted, what }
}

#[test]
fn one_hash_serves_all_members_that_were_compacted_alike() {
    let behind = Is::Right {
        revision: 90,
        compacted: 50,
    };
    let cuts = SNAPSHOT.cuts(&peers(&[RIGHT, wrong(1), behind, Is::Down, RIGHT]));
    assert_eq!(cuts, [cut(90, 50), cut(REVISION, COMPACTED)]);
}

#[test]
fn one_member_that_went_astray_is_named() {
    assert_eq!(
        judged(&[RIGHT, wrong(1), RIGHT]).findings(),
        [
            "member m2 (2) holds other data up to revision 100: its hash is 100041, the snapshot's \
          100040"
        ]
    );
}

#[test]
fn a_snapshot_that_most_are_against_names_who_is_for_it() {
    let findings = judged(&[wrong(1), RIGHT, wrong(1)]).findings();
    assert_eq!(findings.len(), 3);
    assert_eq!(
        findings[0],
        "2 members hold the same other data, and only member m2 (2) the snapshot's"
    );
    let findings = judged(&[wrong(1), Is::Down, wrong(1)]).findings();
    assert_eq!(
        findings[0],
        "2 members hold the same other data, and none the snapshot's"
    );
    assert_eq!(judged(&[wrong(1)]).findings().len(), 1);
    // Two that are wrong each in its own way are no camp.
    assert_eq!(judged(&[wrong(1), RIGHT, wrong(2)]).findings().len(), 2);
}

#[test]
fn what_cannot_be_compared_says_why() {
    let all = [
        Is::Compacted,
        Is::Down,
        Is::Stranger,
        Is::LessCompacted(COMPACTED - 1),
    ];
    let comparison = judged(&all);
    let reasons: Vec<_> = comparison.members.iter().map(Judged::reason).collect();
    assert_eq!(
        reasons,
        [
            Some("hash of m: compacted there"),
            Some("hash of m: connection refused"),
            Some("it is of another cluster"),
            Some("the snapshot has less of its history"),
        ]
    );
    let first = &comparison.members[0].verdict;
    assert!(matches!(first, Verdict::Compacted(_)));
}

#[test]
fn a_snapshot_of_nobody_knows_which_cluster_is_compared_all_the_same() {
    let nameless = Known {
        cluster_id: None,
        ..SNAPSHOT
    };
    let peers = peers(&[Is::Stranger]);
    assert_eq!(nameless.cuts(&peers), [cut(REVISION, COMPACTED)]);
    assert_eq!(SNAPSHOT.cuts(&peers), []);
}

fn anyone() -> impl Strategy<Value = Is> {
    prop_oneof![
        (COMPACTED..=REVISION, 0..=30_u64).prop_map(|(revision, more)| Is::Right {
            revision,
            compacted: (COMPACTED + more).min(revision),
        }),
        (COMPACTED..=REVISION, 1..3_u32)
            .prop_map(|(compacted, what)| Is::Wrong { compacted, what }),
        (0..COMPACTED).prop_map(Is::LessCompacted),
        Just(Is::Stranger),
        Just(Is::Compacted),
        Just(Is::Down),
    ]
}

proptest! {
    #[test]
    fn everybody_is_judged_for_what_he_is_whoever_else_is_there(
        all in prop::collection::vec(anyone(), 0..8)
    ) {
        let comparison = judged(&all);
        prop_assert_eq!(comparison.members.len(), all.len());
        for (judged, is) in comparison.members.iter().zip(&all) {
            let wanted = match is {
                Is::Right { .. } => Some(true),
                Is::Wrong { .. } => Some(false),
                _ => None,
            };
            prop_assert_eq!(judged.agrees(), wanted);
            prop_assert_eq!(judged.reason().is_none(), wanted.is_some());
            prop_assert_eq!(judged.cut().is_some(), wanted.is_some());
        }
        let differing = comparison.differing().count();
        prop_assert_eq!(comparison.findings().is_empty(), differing == 0);
        prop_assert!(comparison.findings().len() <= differing + 1);
    }

    #[test]
    fn a_snapshot_without_that_history_disputes_nobody(
        all in prop::collection::vec(anyone(), 0..8)
    ) {
        let comparison = SNAPSHOT.judge(&peers(&all), &BTreeMap::new());
        prop_assert!(comparison.members.iter().all(|it| it.agrees().is_none()));
    }
}
