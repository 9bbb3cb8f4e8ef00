//! Directories as they are found.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use rollsnap_engine::Kind;
use rollsnap_engine::restore::{Place, RestoreError, Step, recover, restore};
use rollsnap_testkit::mount::Mount;

use crate::{make_old, names, order, roll_back, run, snapshot, tree};

#[test]
fn a_directory_that_is_used_or_another_s_is_refused_and_left_alone() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("etcd");
    make_old(&target);
    let before = tree(&target);
    let held = File::open(target.join("member/snap/db")).unwrap();
    held.lock().unwrap();
    let told = run(&file, &order(&target)).unwrap_err();
    assert!(matches!(told, RestoreError::Running(_)), "{told}");
    assert_eq!(told.kind(), Kind::Denied);
    assert_eq!(tree(&target), before);

    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter"), "dear").unwrap();
    let told = run(&file, &order(&home)).unwrap_err();
    assert!(told.to_string().contains("\"letter\""), "{told}");
    assert_eq!(names(&home), ["letter"]);
    assert_eq!(names(dir.path()), ["etcd", "home"]);
}

#[test]
fn an_empty_directory_is_taken_and_nothing_is_kept() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let order = order(&dir.path().join("etcd"));
    fs::create_dir(&order.data_dir).unwrap();
    let done = run(&file, &order).unwrap();
    assert_eq!(done.kept, None);
    assert_eq!(names(dir.path()), ["etcd"]);
    assert_eq!(names(&order.data_dir.join("member")), ["snap", "wal"]);
}

#[test]
fn a_folder_that_is_called_as_ours_and_is_not_stays() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let order = order(&dir.path().join("etcd"));
    for strange in ["member", "data"] {
        let others = dir.path().join("etcd.restoring").join(strange);
        fs::create_dir_all(&others).unwrap();
        fs::write(others.join("db"), "dear").unwrap();
        let told = run(&file, &order).unwrap_err();
        assert!(told.to_string().contains(strange), "{told}");
        let told = roll_back(&order.data_dir, order.at).unwrap_err();
        assert!(told.to_string().contains(strange), "{told}");
        assert_eq!(fs::read(others.join("db")).unwrap(), b"dear");
        fs::remove_dir_all(dir.path().join("etcd.restoring")).unwrap();
    }
}

#[test]
fn a_rollback_takes_what_a_restore_kept_and_nothing_else_that_is_called_so() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let order = order(&dir.path().join("etcd"));
    make_old(&order.data_dir);
    let old = tree(&order.data_dir);
    run(&file, &order).unwrap();
    make_old(&dir.path().join("etcd.before-upgrade"));
    fs::write(
        dir.path().join("etcd.before-2199-01-01T00-00-00Z"),
        "a file",
    )
    .unwrap();
    let at = order.at + chrono::TimeDelta::seconds(9);
    let (from, _) = roll_back(&order.data_dir, at).unwrap();
    assert!(
        from.ends_with("etcd.before-2023-11-14T22-13-20Z"),
        "{from:?}"
    );
    assert_eq!(tree(&order.data_dir), old);
}

#[test]
fn a_fresh_disk_gives_its_owner_to_what_is_restored_into_it() {
    let file = snapshot();
    let disk = Mount::tmpfs("120m");
    chown(disk.path(), Some(1234), Some(2345)).unwrap();
    run(&file, &order(disk.path())).unwrap();
    let member = fs::metadata(disk.path().join("member/snap/db")).unwrap();
    assert_eq!((member.uid(), member.gid()), (1234, 2345));
}

#[test]
fn modes_are_etcds_and_the_owner_is_that_of_the_old_one() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("etcd");
    make_old(&target);
    chown(&target, Some(1234), Some(2345)).unwrap();
    run(&file, &order(&target)).unwrap();
    let mut seen = 0;
    let mut paths = vec![target];
    while let Some(path) = paths.pop() {
        let meta = fs::metadata(&path).unwrap();
        let mode = meta.permissions().mode() & 0o777;
        assert_eq!((meta.uid(), meta.gid()), (1234, 2345), "{}", path.display());
        assert_eq!(
            mode,
            if meta.is_dir() { 0o700 } else { 0o600 },
            "{}",
            path.display()
        );
        seen += 1;
        if meta.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn a_mount_point_with_lost_and_found_is_restored_within() {
    let file = snapshot();
    let disk = Mount::tmpfs("120m");
    fs::create_dir(disk.path().join("lost+found")).unwrap();
    make_old(disk.path());
    let old = tree(&disk.path().join("member"));
    let done = run(&file, &order(disk.path())).unwrap();
    let kept = "member.before-2023-11-14T22-13-20Z";
    assert_eq!(done.kept.unwrap(), disk.path().join(kept));
    assert_eq!(names(disk.path()), ["lost+found", "member", kept]);
    assert_eq!(tree(&disk.path().join(kept)), old);
    assert!(tree(&disk.path().join("member")).len() == 3);
}

#[test]
fn a_disk_that_is_too_small_or_fills_up_costs_nothing() {
    let file = snapshot();
    let disk = Mount::tmpfs("70m");
    let target = disk.path().join("etcd");
    make_old(&target);
    let old = tree(&target);
    fs::write(disk.path().join("ballast"), vec![1; 10 << 20]).unwrap();
    let told = run(&file, &order(&target)).unwrap_err();
    assert_eq!(told.kind(), Kind::Full, "{told}");
    assert_eq!(names(disk.path()), ["ballast", "etcd"]);

    fs::remove_file(disk.path().join("ballast")).unwrap();
    let told = restore(&&file[..], &order(&target), &mut |step, _, _| {
        if step == Step::Write {
            // Somebody else takes the room.
            fs::write(disk.path().join("ballast"), vec![1; 30 << 20]).unwrap();
        }
        ControlFlow::Continue(())
    });
    let told = told.unwrap_err();
    assert_eq!(told.kind(), Kind::Full, "{told}");
    assert_eq!(names(disk.path()), ["ballast", "etcd"]);
    assert_eq!(tree(&target), old);
}

#[test]
fn a_rollback_brings_the_old_one_back_and_another_the_new_one() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("etcd");
    make_old(&target);
    let old = tree(&target);
    let order = order(&target);
    run(&file, &order).unwrap();
    let new = tree(&target);
    let later = |seconds| order.at + chrono::TimeDelta::seconds(seconds);
    roll_back(&target, later(1)).unwrap();
    assert_eq!(tree(&target), old);
    roll_back(&target, later(2)).unwrap();
    assert_eq!(tree(&target), new);
    fs::remove_dir_all(&target).unwrap();
    roll_back(&target, later(3)).unwrap();
    assert_eq!(tree(&target), old);
    let told = roll_back(&target, later(4)).unwrap_err();
    assert!(matches!(told, RestoreError::NothingKept(_)), "{told}");
}

#[test]
fn a_snapshot_that_is_not_what_etcd_sent_is_refused_before_anything_is_touched() {
    let whole = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("etcd");
    let mut order = order(&target);
    let mut flipped = whole.clone();
    flipped[9000] ^= 1;
    let told = run(&flipped, &order).unwrap_err();
    assert!(matches!(told, RestoreError::Digest), "{told}");
    let copied = &whole[..whole.len() - 32];
    let told = run(copied, &order).unwrap_err();
    assert!(matches!(told, RestoreError::NoDigest), "{told}");
    assert!(
        told.hint()
            .is_some_and(|hint| hint.contains("--skip-hash-check"))
    );
    assert!(names(dir.path()).is_empty());
    order.skip_hash_check = true;
    run(copied, &order).unwrap();
    // Its pages are looked at all the same.
    let mut broken = whole[..whole.len() - 32].to_vec();
    let page = 4096 * 3;
    broken[page..page + 8].copy_from_slice(&77_u64.to_le_bytes());
    fs::remove_dir_all(&target).unwrap();
    let told = run(&broken, &order).unwrap_err();
    assert_eq!(told.kind(), Kind::Corrupt, "{told}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_link_to_a_directory_stays_one_and_what_it_leads_to_is_exchanged() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("disk/etcd"), dir.path().join("etcd"));
    make_old(&target);
    std::os::unix::fs::symlink(&target, &link).unwrap();
    run(&file, &order(&link)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(target.join("member/wal").exists());
    assert_eq!(names(&dir.path().join("disk")).len(), 2);
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_stays() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("etcd");
    std::os::unix::fs::symlink(dir.path().join("disk/etcd"), &link).unwrap();
    for told in [
        Place::of(&link).map(drop),
        recover(&link, order(&link).at),
        run(&file, &order(&link)).map(drop),
    ] {
        let told = told.unwrap_err();
        assert!(matches!(told, RestoreError::Dangling(_)), "{told}");
        assert_eq!(told.kind(), Kind::Usage);
    }
    assert_eq!(names(dir.path()), ["etcd"]);
}

#[test]
fn within_one_second_each_directory_has_a_name_of_its_own_and_the_last_kept_comes_back() {
    let file = snapshot();
    let dir = tempfile::tempdir().unwrap();
    let order = order(&dir.path().join("etcd"));
    make_old(&order.data_dir);
    let old = tree(&order.data_dir);
    run(&file, &order).unwrap();
    let new = tree(&order.data_dir);
    let mut kept = None;
    for expected in [&old, &new, &old] {
        let (from, now) = roll_back(&order.data_dir, order.at).unwrap();
        assert_eq!(tree(&order.data_dir), *expected);
        assert_ne!(now.as_ref(), Some(&from), "one name for two");
        assert!(
            kept.is_none_or(|kept| kept == from),
            "the last kept comes back"
        );
        kept = now;
    }
    // What was kept last has the highest number, whichever are free below it.
    run(&file, &order).unwrap();
    let (from, _) = roll_back(&order.data_dir, order.at).unwrap();
    assert_eq!(tree(&order.data_dir), old, "{from:?}");
}
