//! A run that ends anywhere leaves the old directory or the new one, and the next one is whole.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rollsnap_engine::restore::{self, Order, RestoreError, Step, restore};

use crate::log_dir::make_old_with_log;
use crate::{make_old, names, order, roll_back, run, snapshot, tree};

/// Ends at the given call of `heed`, as a kill would: nothing is tidied up on the way out.
/// Returns whether it got so far.
fn ends_at(call: usize, file: &[u8], order: &Order) -> bool {
    is_killed_at(call, |heed| restore(&file, order, heed).map(drop))
}

fn is_killed_at(
    call: usize,
    work: impl FnOnce(restore::Heed<'_>) -> Result<(), RestoreError>,
) -> bool {
    let mut calls = 0;
    let run = AssertUnwindSafe(|| {
        work(&mut |_: Step, _, _| {
            calls += 1;
            assert!(calls != call, "killed on purpose");
            ControlFlow::Continue(())
        })
    });
    catch_unwind(run).is_err()
}

#[test]
fn a_kill_anywhere_leaves_the_old_or_the_new_and_a_rerun_is_whole() {
    let file = snapshot();
    let reference = tempfile::tempdir().unwrap();
    let target = reference.path().join("etcd");
    run(&file, &order(&target)).unwrap();
    let new = tree(&target);

    for has_old in [true, false] {
        let mut call = 1;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("etcd");
            if has_old {
                make_old(&target);
            }
            let old = has_old.then(|| tree(&target));
            let order = order(&target);
            let was_killed = ends_at(call, &file, &order);

            let now = target.exists().then(|| tree(&target));
            assert!(
                now == old || now.as_ref() == Some(&new),
                "a mix after call {call}"
            );

            let again = run(&file, &order);
            // A finished one is an old one to the next.
            assert!(again.is_ok(), "{again:?} after call {call}");
            assert_eq!(tree(&target), new);
            let left = names(dir.path());
            assert!(
                left.iter().all(|name| !name.contains("restoring")),
                "{left:?}"
            );
            if let Some(old) = old {
                let kept = left.iter().filter(|name| name.contains(".before-"));
                let kept: Vec<_> = kept.map(|name| tree(&dir.path().join(name))).collect();
                assert!(kept.contains(&old), "the old one is lost after call {call}");
            }
            if !was_killed {
                break;
            }
            call += 1;
        }
        assert!(call > 6, "{call} calls");
    }
}

/// With a log of its own what counts is what an etcd finds in its two directories.
#[test]
fn a_kill_anywhere_never_leaves_the_log_of_one_with_the_data_of_the_other() {
    let file = snapshot();
    let found = |order: &Order| {
        let dirs = [
            order.data_dir.join("member/snap"),
            order.wal_dir.clone().unwrap(),
        ];
        dirs.map(|dir| dir.exists().then(|| tree(&dir)))
    };
    let place = |dir: &Path| Order {
        wal_dir: Some(dir.join("log/wal")),
        ..order(&dir.join("etcd"))
    };
    let reference = tempfile::tempdir().unwrap();
    let new = place(reference.path());
    run(&file, &new).unwrap();
    let new = found(&new);
    assert!(new.iter().all(Option::is_some));

    for has_old in [true, false] {
        for call in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let order = place(dir.path());
            if has_old {
                make_old_with_log(&order);
            }
            let old = found(&order);
            let was_killed = ends_at(call, &file, &order);
            let now = found(&order);
            assert!(now == old || now == new, "a mix after call {call}: {now:?}");
            run(&file, &order).unwrap();
            assert_eq!(found(&order), new, "after call {call}");
            let left = [names(dir.path()), names(&dir.path().join("log"))].concat();
            let is_left = |what| left.iter().filter(|name| name.contains(what)).count();
            assert_eq!(is_left("restoring"), 0, "{left:?}");
            // One of the first run too, where that came to its end.
            assert!(is_left("wal.log-") <= 2, "{left:?}");
            if has_old {
                let at = order.at + chrono::TimeDelta::seconds(9);
                // The newest that is kept may be what a killed run had made whole.
                let mut back = Vec::new();
                while let Ok((from, Some(to))) = roll_back(&order.data_dir, at) {
                    back.push(found(&order));
                    std::fs::remove_dir_all(to).unwrap();
                    assert!(from.to_string_lossy().contains("before"));
                }
                assert_eq!(back.last(), Some(&old), "after call {call}: {left:?}");
            }
            if !was_killed {
                break;
            }
        }
    }
}

#[test]
fn a_rollback_that_is_killed_anywhere_is_ended_by_the_next_and_not_turned_round() {
    let file = snapshot();
    for has_new in [true, false] {
        for call in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("etcd");
            make_old(&target);
            let old = tree(&target);
            let order = order(&target);
            run(&file, &order).unwrap();
            let new = has_new.then(|| tree(&target));
            if !has_new {
                std::fs::remove_dir_all(&target).unwrap();
            }
            let at = order.at + chrono::TimeDelta::seconds(9);
            let killed = is_killed_at(call, |heed| restore::roll_back(&target, at, heed).map(drop));
            let now = target.exists().then(|| tree(&target));
            assert!(now == new || now.as_ref() == Some(&old), "call {call}");
            if !killed {
                break;
            }
            let (from, kept) = roll_back(&target, at).unwrap();
            assert!(
                from.ends_with("etcd.before-2023-11-14T22-13-20Z"),
                "{from:?}"
            );
            assert_eq!(tree(&target), old, "call {call}");
            assert_eq!(kept.map(|kept| tree(&kept)), new, "call {call}");
            assert_eq!(names(dir.path()).len(), 1 + usize::from(has_new));
        }
    }
}
