//! A log in a directory of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;

use rollsnap_engine::Kind;
use rollsnap_engine::restore::{Order, RestoreError};
use rollsnap_testkit::etcd_real::{EtcdReal, EtcdVersion, Seat};
use rollsnap_testkit::mount::Mount;

use crate::{make_old, names, order, roll_back, run, snapshot, tree};

/// A data directory of another day, with its log where the order says.
pub(crate) fn make_old_with_log(order: &Order) {
    make_old(&order.data_dir);
    let log = order.wal_dir.as_ref().unwrap();
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::rename(order.data_dir.join("member/wal"), log).unwrap();
}

fn with_log(mut order: Order, log: PathBuf) -> Order {
    order.wal_dir = Some(log);
    order
}

#[test]
fn restores_and_rollbacks_take_the_log_with_them() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log/wal");
    let mut order = with_log(order(&dir.path().join("etcd")), log.clone());
    make_old_with_log(&order);
    chown(&log, Some(1234), Some(2345)).unwrap();
    let old = tree(&log);
    let own = order.data_dir.join("member/snap");
    let old_own = tree(&own);

    run(&file, &order).unwrap();
    let new = tree(&log);
    assert_ne!(new, old);
    let meta = fs::metadata(&log).unwrap();
    assert_eq!(
        (meta.uid(), meta.gid(), meta.mode() & 0o777),
        (1234, 2345, 0o700)
    );

    // A second one finds the link of the first.
    order.at += chrono::TimeDelta::seconds(1);
    run(&file, &order).unwrap();
    assert_eq!(
        names(log.parent().unwrap()).len(),
        4,
        "the link, the old log, two new ones"
    );
    roll_back(&order.data_dir, order.at + chrono::TimeDelta::seconds(1)).unwrap();
    assert_eq!(tree(&log), new);
    fs::remove_dir_all(dir.path().join("etcd.before-2023-11-14T22-13-22Z")).unwrap();
    roll_back(&order.data_dir, order.at + chrono::TimeDelta::seconds(2)).unwrap();
    assert_eq!((tree(&log), tree(&own)), (old, old_own));

    // Without one the log is in the data directory again, and whoever looks at the link finds it.
    order.wal_dir = None;
    order.at += chrono::TimeDelta::seconds(3);
    run(&file, &order).unwrap();
    assert_eq!(tree(&log), new);
    assert!(
        fs::symlink_metadata(order.data_dir.join("member/wal"))
            .unwrap()
            .is_dir()
    );
}

#[test]
fn a_place_for_the_log_that_will_not_do_is_told_and_left_alone() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("etcd");
    let refused = |log: PathBuf| {
        let told = run(&file, &with_log(order(&target), log)).unwrap_err();
        assert_eq!(told.kind(), Kind::Usage, "{told}");
        assert!(told.hint().is_some());
        told
    };
    for inside in [target.clone(), target.join("wal"), dir.path().to_owned()] {
        assert!(matches!(refused(inside), RestoreError::Nested(_)));
    }
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter"), "dear").unwrap();
    assert!(refused(home).to_string().contains("\"letter\""));
    let disk = Mount::tmpfs("80m");
    assert!(matches!(
        refused(disk.path().to_owned()),
        RestoreError::Mounted(_)
    ));
    run(&file, &with_log(order(&target), disk.path().join("wal"))).unwrap();
    fs::remove_dir_all(&target).unwrap();

    make_old(&target);
    let old = tree(&target);
    let second = dir.path().join("second");
    fs::create_dir(&second).unwrap();
    fs::write(second.join("0.wal"), "a log").unwrap();
    assert!(matches!(refused(second), RestoreError::TwoLogs { .. }));
    assert_eq!(tree(&target), old);
    let small = Mount::tmpfs("10m");
    let told = run(&file, &with_log(order(&target), small.path().join("wal"))).unwrap_err();
    assert_eq!(told.kind(), Kind::Full, "{told}");
    assert_eq!(tree(&target), old);
    assert!(names(small.path()).is_empty());
}

/// It is told the same directory before and after, as its unit would tell it.
#[tokio::test]
async fn a_server_with_a_log_of_its_own_goes_on_with_what_was_restored() {
    let file = snapshot();
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_5] {
        let disk = tempfile::tempdir().unwrap();
        let log = disk.path().join("wal");
        let builder = EtcdReal::builder().version(version);
        let builder = builder.arguments(["--wal-dir".to_owned(), log.display().to_string()]);
        let make = |seats: &[Seat]| {
            let mut order = with_log(order(&seats[0].data_dir), log.clone());
            let url = vec![seats[0].peer_url.clone()];
            let members = [(seats[0].name.clone(), url)];
            order.changes.cluster =
                rollsnap_engine::restore::Cluster::new(&members.into(), "a token").unwrap();
            order.me = order.changes.cluster.members()[0].clone();
            run(&file, &order).unwrap();
        };
        let mut members = builder.start_on(1, make).await;
        let member = &mut members[0];
        member.put("after", b"the restore").await;
        member.stop().await;
        member.restart().await;
        let answer = member.client().await.get("after", None).await.unwrap();
        assert_eq!(answer.kvs()[0].value(), b"the restore");
    }
}

/// The etcd that is told of it would go on with what was written after the snapshot.
#[test]
fn a_log_that_nobody_names_stops_a_restore() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let mut order = with_log(order(&dir.path().join("etcd")), dir.path().join("log/wal"));
    make_old_with_log(&order);
    let before = tree(dir.path());
    let log = order.wal_dir.take();
    let error = run(&file, &order).unwrap_err();
    assert!(matches!(error, RestoreError::LogElsewhere(_)), "{error}");
    assert_eq!(error.kind(), Kind::Usage);
    assert_eq!(tree(dir.path()), before);

    // After one that named it, it is within.
    order.wal_dir = log;
    run(&file, &order).unwrap();
    order.wal_dir = None;
    order.at += chrono::TimeDelta::seconds(1);
    run(&file, &order).unwrap();
}
