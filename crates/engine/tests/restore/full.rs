//! A disk that is full, wherever that is found out.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use rollsnap_engine::Kind;
use rollsnap_engine::restore::{Order, RestoreError, Restored, restore};
use rollsnap_testkit::mount::Mount;

use crate::{make_old, names, order, run, snapshot, tree};

/// Runs, and takes the whole of the disk at the given call of `heed`. Tells whether it got so far.
fn fills_at(
    call: usize,
    file: &[u8],
    order: &Order,
    disk: &Mount,
) -> (Result<Restored, RestoreError>, bool) {
    let mut calls = 0;
    let done = restore(&file, order, &mut |_, _, _| {
        calls += 1;
        if calls == call {
            disk.fill();
        }
        ControlFlow::Continue(())
    });
    (done, calls >= call)
}

/// What is beside the target, without what fills the disk.
fn beside(disk: &Path) -> Vec<String> {
    let mut names = names(disk);
    names.retain(|name| name != "ballast");
    names
}

/// The old one and nothing else, or the new one with the old one kept.
#[test]
fn a_disk_that_is_full_at_any_step_leaves_the_old_or_the_new() {
    let file = snapshot();
    let reference = tempfile::tempdir().unwrap();
    let target = reference.path().join("etcd");
    run(&file, &order(&target)).unwrap();
    let new = tree(&target);

    let mut stopped = 0;
    for call in 1.. {
        let disk = Mount::tmpfs("80m");
        let target = disk.path().join("etcd");
        make_old(&target);
        let old = tree(&target);
        let order = order(&target);
        let (done, got_so_far) = fills_at(call, &file, &order, &disk);
        match done {
            Err(told) => {
                assert_eq!(told.kind(), Kind::Full, "call {call}: {told}");
                assert_eq!(tree(&target), old, "call {call}");
                assert_eq!(beside(disk.path()), ["etcd"], "call {call}");
                stopped += 1;
            }
            Ok(done) => {
                assert_eq!(tree(&target), new, "call {call}");
                assert_eq!(tree(&done.kept.unwrap()), old, "call {call}");
            }
        }
        if !got_so_far {
            break;
        }
        fs::remove_file(disk.path().join("ballast")).unwrap();
        if tree(&target) == old {
            run(&file, &order).unwrap();
            assert_eq!(tree(&target), new, "after call {call}");
        }
    }
    assert!(stopped >= 3, "{stopped}");
}

/// No room for one more file, at each file that a restore makes.
#[test]
fn a_disk_without_inodes_at_any_file_leaves_the_old() {
    let file = snapshot();
    let mut stopped = 0;
    for inodes in 1.. {
        let disk = Mount::tmpfs("80m");
        let target = disk.path().join("etcd");
        make_old(&target);
        let old = tree(&target);
        disk.limit_inodes(inodes);
        match run(&file, &order(&target)) {
            Ok(_) => break,
            Err(told) => {
                assert_eq!(told.kind(), Kind::Full, "{inodes} more: {told}");
                assert_eq!(tree(&target), old, "{inodes} more");
                assert_eq!(names(disk.path()), ["etcd"], "{inodes} more");
                stopped += 1;
            }
        }
    }
    // The folder, its lock and state, two files of data, the log, and their four directories.
    assert!(stopped >= 8, "{stopped}");
}
