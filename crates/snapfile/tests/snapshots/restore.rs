//! Real servers start from what is made of real snapshots, whatever wrote them.

use std::fs::{self, File};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use etcd_client::{Client, CompactionOptions};
use rollsnap_snapfile::mvcc::{Status, hash_kv};
use rollsnap_snapfile::restore::{
    Alarms, Changes, Cluster, FIRST_SEGMENT, NewMember, RewriteError, Rewritten, log_segment,
    raft_snapshot, raft_snapshot_name, read_segment, rewrite,
};
use rollsnap_snapfile::{status, verify};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion, Seat};
use rollsnap_testkit::tools;

use crate::anatomy::Anatomy;
use crate::goldens::{self, Golden};
use crate::pairs::{Buckets, build};

const VERSIONS: [EtcdVersion; 2] = [EtcdVersion::V3_4, EtcdVersion::V3_5];

fn changes(seats: &[Seat]) -> Changes {
    let members = seats
        .iter()
        .map(|seat| (seat.name.clone(), vec![seat.peer_url.clone()]));
    Changes {
        cluster: Cluster::new(&members.collect(), "a token").unwrap(),
        alarms: Alarms::Keep,
        expire_leases: false,
        disable_auth: true,
        bump: None,
    }
}

/// Makes a data directory, without any of the care that a restore takes.
fn found(file: &[u8], changes: &Changes, me: &NewMember, dir: &Path) -> Rewritten {
    for below in ["member/snap", "member/wal"] {
        fs::create_dir_all(dir.join(below)).unwrap();
    }
    let db = File::create(dir.join("member/snap/db")).unwrap();
    let go_on = &mut |_| ControlFlow::Continue(());
    let (_, done) = rewrite(&file, changes, db, go_on).unwrap();
    let cluster = &changes.cluster;
    let snap = dir.join("member/snap").join(raft_snapshot_name(cluster));
    fs::write(snap, raft_snapshot(cluster)).unwrap();
    let segment = log_segment(cluster, me);
    assert!(read_segment(&segment).is_ok());
    fs::write(dir.join("member/wal").join(FIRST_SEGMENT), segment).unwrap();
    done
}

/// Makes all of a cluster.
async fn restored(
    version: EtcdVersion,
    size: usize,
    file: &[u8],
    change: impl Fn(&mut Changes),
) -> Vec<EtcdReal> {
    let make = |seats: &[Seat]| {
        let mut changes = changes(seats);
        change(&mut changes);
        for seat in seats {
            let me = changes.cluster.member(&seat.name).unwrap();
            found(file, &changes, me, &seat.data_dir);
        }
    };
    EtcdReal::builder()
        .version(version)
        .start_on(size, make)
        .await
}

fn status_of(file: &[u8]) -> Status {
    let (_, status) = status(&file, &mut |_| ControlFlow::Continue(())).unwrap();
    status
}

async fn hash_of(client: &mut Client, revision: u64) -> u32 {
    let revision = i64::try_from(revision).unwrap();
    client.hash_kv(revision).await.unwrap().hash()
}

/// It has what the snapshot had, takes more, and comes back after a restart.
async fn lives(mut etcd: EtcdReal, golden: &Golden) {
    let name = &golden.name;
    let ours = hash_kv(&&golden.bytes[..], None, None).unwrap();
    let mut client = etcd.client().await;
    assert_eq!(
        hash_of(&mut client, ours.revision).await,
        ours.hash,
        "{name}"
    );
    etcd.put("after", b"the restore").await;
    let now = i64::try_from(ours.revision).unwrap() + 1;
    let physical = Some(CompactionOptions::new().with_physical());
    client.compact(now, physical).await.unwrap();
    client.defragment().await.unwrap();
    etcd.restart().await;
    let mut client = etcd.client().await;
    let kept = client.get("after", None).await.unwrap();
    assert_eq!(kept.kvs()[0].value(), b"the restore", "{name}");
    assert_eq!(kept.kvs()[0].mod_revision(), now, "{name}");
}

#[tokio::test]
async fn every_server_starts_from_a_snapshot_of_every_version() {
    for name in [
        "3.4.23",
        "3.5.1",
        "3.6.14",
        "3.7.1",
        "3.6.14.auth",
        "3.7.1.auth",
    ] {
        let golden = goldens::named(name);
        for version in VERSIONS {
            let [etcd] = restored(version, 1, &golden.bytes, |_| {})
                .await
                .try_into()
                .unwrap();
            Box::pin(lives(etcd, &golden)).await;
        }
    }
}

#[tokio::test]
async fn three_members_form_a_cluster_that_holds_one_thing() {
    let golden = goldens::named("3.5.1");
    let ours = hash_kv(&&golden.bytes[..], None, None).unwrap();
    for version in VERSIONS {
        let mut members = restored(version, 3, &golden.bytes, |_| {}).await;
        members[0].put("after", b"the restore").await;
        members[2].restart().await;
        for member in &members {
            let mut client = member.client().await;
            assert_eq!(hash_of(&mut client, ours.revision).await, ours.hash);
            let known = client.member_list().await.unwrap();
            assert_eq!(known.members().len(), 3);
        }
    }
}

/// The same cluster by `etcdutl snapshot restore`.
#[test]
fn ids_and_contents_are_those_of_etcdutls_restore() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["3.4.23", "3.5.1"] {
        let golden = goldens::named(name);
        let (file, theirs) = (dir.path().join("file"), dir.path().join(name));
        fs::write(&file, &golden.bytes).unwrap();
        let members = "a=http://127.0.0.1:20101,b=http://127.0.0.1:20111";
        let made = Command::new(tools::path("etcdutl-3.5"))
            .args([
                "snapshot",
                "restore",
                "--name",
                "a",
                "--initial-cluster",
                members,
            ])
            .args(["--initial-cluster-token", "a token"])
            .args(["--initial-advertise-peer-urls", "http://127.0.0.1:20101"])
            .arg("--data-dir")
            .arg(&theirs)
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );

        let cluster = Cluster::new(&Cluster::parse(members).unwrap(), "a token").unwrap();
        let me = cluster.member("a").unwrap().clone();
        let changes = Changes {
            alarms: Alarms::Keep,
            expire_leases: false,
            disable_auth: false,
            bump: None,
            cluster,
        };
        let ours = dir.path().join("ours");
        found(&golden.bytes, &changes, &me, &ours);
        let read = |dir: &Path, path: &str| fs::read(dir.join("member").join(path)).unwrap();
        let segment = format!("wal/{FIRST_SEGMENT}");
        let (segment, whole) = (read(&ours, &segment), read(&theirs, &segment));
        assert_eq!(
            read_segment(&segment).unwrap(),
            read_segment(&whole).unwrap()
        );
        assert_eq!(whole[..segment.len()], segment);
        let databases = [&ours, &theirs].map(|dir| read(dir, "snap/db"));
        let [ours, theirs] = databases.map(|db| status_of(&db));
        assert_eq!(
            (ours.records, ours.revision),
            (theirs.records, theirs.revision)
        );
        assert_eq!(ours.members, theirs.members);
    }
}

#[test]
fn what_is_made_is_whole_and_holds_every_record() {
    let dir = tempfile::tempdir().unwrap();
    for golden in goldens::all() {
        let name = &golden.name;
        let seats = [Seat {
            name: "m".into(),
            peer_url: "http://h:1".into(),
            data_dir: dir.path().join(name),
        }];
        let changes = changes(&seats);
        let me = &changes.cluster.members()[0];
        let done = found(&golden.bytes, &changes, me, &seats[0].data_dir);
        let made = fs::read(seats[0].data_dir.join("member/snap/db")).unwrap();
        let report = verify(&&made[..], &mut |_| ControlFlow::Continue(())).unwrap();
        let wrong: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(report.is_whole(), "{name}: {wrong:?}");
        let new = report.status.unwrap();
        let old = status_of(&golden.bytes);
        assert_eq!(
            (new.records, new.live_keys),
            (old.records, old.live_keys),
            "{name}"
        );
        assert_eq!(done.records, old.records, "{name}");
        let hash = |bytes: &[u8]| hash_kv(&bytes, None, None).unwrap();
        assert_eq!(hash(&made), hash(&golden.bytes), "{name}");
    }
}

/// Whoever watched at a revision that the snapshot does not have yet is told to read anew.
#[tokio::test]
async fn after_a_bump_old_revisions_are_compacted_and_everything_is_there() {
    let golden = goldens::named("3.5.1");
    let before = hash_kv(&&golden.bytes[..], None, None).unwrap().revision;
    for version in VERSIONS {
        let bump = |changes: &mut Changes| changes.bump = Some(1_000_000_000);
        let [etcd] = restored(version, 1, &golden.bytes, bump)
            .await
            .try_into()
            .unwrap();
        let mut client = etcd.client().await;
        let all = client
            .get("", Some(etcd_client::GetOptions::new().with_all_keys()))
            .await;
        let all = all.unwrap();
        let live = status_of(&golden.bytes).live_keys;
        assert_eq!(u64::try_from(all.kvs().len()).unwrap(), live);
        let now = all.header().unwrap().revision();
        assert_eq!(u64::try_from(now).unwrap(), before + 1_000_000_000);
        let from = i64::try_from(before).unwrap() + 5;
        let options = etcd_client::WatchOptions::new().with_start_revision(from);
        let mut watch = client.watch("k", Some(options)).await.unwrap();
        let told = loop {
            let told = watch.message().await.unwrap().unwrap();
            if told.canceled() {
                break told;
            }
        };
        assert_eq!(told.compact_revision(), now);
    }
}

/// The buckets of what a restore made.
fn buckets_of(file: &[u8], change: impl Fn(&mut Changes)) -> (Buckets, Rewritten) {
    let members = Cluster::parse("m=http://127.0.0.1:2380").unwrap();
    let mut changes = Changes {
        cluster: Cluster::new(&members, "a token").unwrap(),
        alarms: Alarms::Keep,
        expire_leases: false,
        disable_auth: false,
        bump: None,
    };
    change(&mut changes);
    let out = Cursor::new(Vec::new());
    let (made, done) = rewrite(&file, &changes, out, &mut |_| ControlFlow::Continue(())).unwrap();
    (Anatomy::of(&made.into_inner()).buckets(), done)
}

#[test]
fn leases_that_end_take_their_keys_with_them_in_one_revision() {
    let golden = goldens::named("made/3.5.1.leases");
    let old = Anatomy::of(&golden.bytes).buckets();
    assert!(!old[&b"lease"[..]].is_empty());
    let (new, done) = buckets_of(&golden.bytes, |changes| changes.expire_leases = true);
    assert!(done.expired > 0);
    assert!(new[&b"lease"[..]].is_empty());
    let added: Vec<_> = new[&b"key"[..]]
        .iter()
        .filter(|(key, _)| !old[&b"key"[..]].contains_key(*key))
        .collect();
    assert_eq!(u64::try_from(added.len()).unwrap(), done.expired);
    assert!(
        added
            .iter()
            .all(|(key, _)| key.len() == 18 && key.ends_with(b"t"))
    );
    let before = hash_kv(&&golden.bytes[..], None, None).unwrap().revision;
    assert_eq!(done.revision, before + 1);
}

#[tokio::test]
async fn a_server_finds_none_of_the_keys_whose_leases_ended() {
    let golden = goldens::named("made/3.5.1.leases");
    let before = status_of(&golden.bytes).live_keys;
    for version in VERSIONS {
        let (expire, bump) = (true, Some(1000));
        let [etcd] = restored(version, 1, &golden.bytes, |changes| {
            (changes.expire_leases, changes.bump) = (expire, bump);
        })
        .await
        .try_into()
        .unwrap();
        let mut client = etcd.client().await;
        let leases = client.leases().await.unwrap();
        assert!(leases.leases().is_empty());
        let options = etcd_client::GetOptions::new().with_all_keys();
        let live = client.get("", Some(options)).await.unwrap();
        assert!(u64::try_from(live.kvs().len()).unwrap() < before);
        assert!(live.kvs().iter().all(|pair| pair.lease() == 0));
    }
}

/// A write that keeps the lease of such a key ends etcd, and every start after it.
#[tokio::test]
async fn a_key_whose_lease_is_missing_gets_it_back() {
    let golden = goldens::named("made/3.5.1.leases");
    let mut broken = Anatomy::of(&golden.bytes).buckets();
    let lost = std::mem::take(broken.get_mut(&b"lease"[..]).unwrap());
    let file = build(&broken, 4096);
    let (new, done) = buckets_of(&file, |_| {});
    assert!(done.mended > 0);
    assert!(
        new[&b"lease"[..]]
            .keys()
            .all(|lease| lost.contains_key(lease))
    );

    for version in VERSIONS {
        let [etcd] = restored(version, 1, &file, |_| {})
            .await
            .try_into()
            .unwrap();
        let mut client = etcd.client().await;
        let options = etcd_client::GetOptions::new().with_all_keys();
        let live = client.get("", Some(options)).await.unwrap();
        let held = live.kvs().iter().find(|pair| pair.lease() != 0).unwrap();
        let keep = etcd_client::PutOptions::new().with_ignore_lease();
        client.put(held.key(), "kept", Some(keep)).await.unwrap();
        assert_eq!(
            client.get(held.key(), None).await.unwrap().kvs()[0].value(),
            b"kept"
        );
    }
}

#[test]
fn alarms_stay_or_go_as_was_said() {
    let golden = goldens::named("made/3.4.23.alarm");
    let old = Anatomy::of(&golden.bytes).buckets()[&b"alarm"[..]].len();
    assert_eq!(old, 1);
    for (alarms, stay) in [
        (Alarms::Keep, 1),
        (Alarms::DropNoSpace, 0),
        (Alarms::Drop, 0),
    ] {
        let (new, done) = buckets_of(&golden.bytes, |changes| changes.alarms = alarms);
        assert_eq!(new[&b"alarm"[..]].len(), stay, "{alarms:?}");
        assert_eq!(done.alarms, u64::try_from(old - stay).unwrap());
    }
    let mut corrupt = Anatomy::of(&golden.bytes).buckets();
    let alarms = corrupt.get_mut(&b"alarm"[..]).unwrap();
    let (mut alarm, _) = alarms.pop_first().unwrap();
    // The kind is the last field: 2 for CORRUPT.
    *alarm.last_mut().unwrap() = 2;
    alarms.insert(alarm, Vec::new());
    let (new, _) = buckets_of(&build(&corrupt, 4096), |changes| {
        changes.alarms = Alarms::DropNoSpace;
    });
    assert_eq!(new[&b"alarm"[..]].len(), 1);
}

#[test]
fn users_and_roles_stay_and_who_forgot_the_password_may_switch_them_off() {
    let golden = goldens::named("3.5.1.auth");
    let old = Anatomy::of(&golden.bytes).buckets();
    for disable_auth in [false, true] {
        let (new, _) = buckets_of(&golden.bytes, |changes| changes.disable_auth = disable_auth);
        assert_eq!(
            new[&b"auth"[..]][&b"authEnabled"[..]],
            [u8::from(!disable_auth)]
        );
        for bucket in [&b"authUsers"[..], b"authRoles"] {
            assert!(!new[bucket].is_empty());
            assert_eq!(new[bucket], old[bucket]);
        }
    }
}

#[test]
fn a_revision_beyond_what_etcd_counts_is_refused() {
    let golden = goldens::named("3.5.1");
    let members = Cluster::parse("m=http://127.0.0.1:2380").unwrap();
    for bump in [0, u64::MAX, i64::MAX.cast_unsigned()] {
        let changes = Changes {
            cluster: Cluster::new(&members, "a token").unwrap(),
            alarms: Alarms::Keep,
            expire_leases: false,
            disable_auth: false,
            bump: Some(bump),
        };
        let out = Cursor::new(Vec::new());
        let made = rewrite(&&golden.bytes[..], &changes, out, &mut |_| {
            ControlFlow::Continue(())
        });
        assert!(matches!(made, Err(RewriteError::Revision { .. })), "{bump}");
    }
}
