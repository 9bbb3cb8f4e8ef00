//! A run that ends anywhere leaves the old directory or the new one, and the next one is whole.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rollsnap_engine::restore::restore;

use crate::{make_old, names, order, run, snapshot, tree};

/// Ends at the given call of `heed`, as a kill would: nothing is tidied up on the way out.
/// Returns whether it got so far.
fn ends_at(call: usize, file: &[u8], order: &rollsnap_engine::restore::Order) -> bool {
    let mut calls = 0;
    let run = AssertUnwindSafe(|| {
        restore(&file, order, &mut |_, _, _| {
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
