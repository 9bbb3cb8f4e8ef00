//! What is mounted where, what a file is labelled with, and what a snapshot was at first.

use std::fs::{self, File};
use std::ops::ControlFlow;

use rollsnap_engine::Kind;
use rollsnap_engine::image::ReadAt;
use rollsnap_engine::restore::{RestoreError, Step, restore};
use rollsnap_testkit::mount::Mount;

use crate::{make_old, names, order, run, snapshot, tree};

#[test]
fn a_directory_that_is_bound_from_the_same_file_system_is_restored_within() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("a b");
    make_old(&real);
    let old = tree(&real.join("member"));
    let bound = Mount::bind(&real);
    run(&file, &order(bound.path())).unwrap();
    let kept = "member.before-2023-11-14T22-13-20Z";
    assert_eq!(names(&real), ["member", kept]);
    assert_eq!(tree(&real.join(kept)), old);

    // Nothing can take the place of what is mounted further in.
    let target = dir.path().join("etcd");
    fs::create_dir_all(target.join("member")).unwrap();
    let inner = Mount::bind_at(&real, &target.join("member"));
    let told = run(&file, &order(&target)).unwrap_err();
    assert!(matches!(told, RestoreError::Mounted(_)), "{told}");
    assert_eq!(names(dir.path()), ["a b", "etcd"]);
    drop(inner);
}

#[test]
fn a_file_is_no_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("db");
    fs::write(&target, "a database").unwrap();
    let told = run(&snapshot(), &order(&target)).unwrap_err();
    assert_eq!(told.kind(), Kind::Usage, "{told}");
    assert!(told.hint().unwrap().contains("data directory"));
    assert_eq!(fs::read(&target).unwrap(), b"a database");
}

#[test]
fn the_label_is_that_of_the_old_one() {
    let label = b"system_u:object_r:etcd_var_lib_t:s0\0";
    let name = "security.selinux";
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("etcd");
    make_old(&target);
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::lsetxattr(&target, name, label, flags).unwrap();
    run(&snapshot(), &order(&target)).unwrap();
    for path in ["", "member", "member/snap/db", "member/wal"] {
        let mut there = [0; 100];
        let len = rustix::fs::lgetxattr(target.join(path), name, &mut there[..]).unwrap();
        assert_eq!(&there[..len], label, "{path}");
    }
}

#[test]
fn a_digest_that_held_is_not_read_again_unless_the_snapshot_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("snapshot");
    fs::write(&path, snapshot()).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let mut order = order(&dir.path().join("etcd"));
    let read = |order: &_| {
        let mut read = 0;
        let done = restore(&file, order, &mut |step, done, _| {
            read += u64::from(step == Step::Digest && done > 0);
            ControlFlow::Continue(())
        });
        done.map(|_| read)
    };
    assert!(read(&order).unwrap() > 0);
    order.held = file.stamp().unwrap();
    assert!(order.held.is_some());
    assert_eq!(read(&order).unwrap(), 0);
    // It is another one now, whatever is in it.
    let later = std::time::UNIX_EPOCH;
    file.set_modified(later).unwrap();
    assert!(read(&order).unwrap() > 0);

    let told = restore(&file, &order, &mut |step, done, _| {
        if step == Step::Check && done == 0 {
            file.set_modified(later + std::time::Duration::from_secs(9))
                .unwrap();
        }
        ControlFlow::Continue(())
    });
    let told = told.unwrap_err();
    assert!(matches!(told, RestoreError::Changed), "{told}");
    assert_eq!(
        names(dir.path())
            .iter()
            .filter(|it| it.contains("restoring"))
            .count(),
        0
    );
}
