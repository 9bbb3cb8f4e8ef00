//! Everything that can be asked of a database, and what the answers owe each other.

use std::ops::ControlFlow;

use rollsnap_snapfile::bolt::Database;
use rollsnap_snapfile::index::get_by_index;
use rollsnap_snapfile::mvcc::{self, OwnedKey, Revision};
use rollsnap_snapfile::{ReadAt, status, verify_and_index};

/// Keys that are asked for one by one: each costs a pass.
const ASKED: usize = 4;

/// Asks everything. Panics where two answers contradict each other.
pub fn ask(file: &dyn ReadAt) {
    let mut index = Vec::new();
    let mut heed = |_| ControlFlow::Continue(());
    let report = verify_and_index(file, &mut heed, &mut |piece| {
        index.extend_from_slice(piece);
    });
    let report = report.expect("memory can be read");
    assert!(report.is_proved() || !report.indexed);
    for finding in &report.findings {
        assert!(!finding.to_string().is_empty());
    }
    let numbers = status(file, &mut |_| ControlFlow::Continue(()));
    let hash = mvcc::hash_kv(file, None, None);
    let mut live: Vec<OwnedKey> = Vec::new();
    let mut count: u64 = 0;
    let mut all_have_a_place = true;
    let lived = mvcc::live(file, None, b"", &mut |key| {
        count += 1;
        all_have_a_place &= has_a_place(key.revision);
        if live.len() < ASKED {
            live.push(key.to_owned());
        }
        ControlFlow::Continue(())
    });
    let last = mvcc::last_revision(file);
    if let Ok(database) = Database::open(file) {
        let _ = database.last_key(b"lease");
        let _ = database.get(b"meta", b"consistent_index");
    }
    let _ = mvcc::versions(file, b"a", &mut |_, _| {});
    let _ = mvcc::get(file, b"a", Some(2));
    let _ = mvcc::hash_kv(file, Some(3), Some(2));

    if !report.is_whole() {
        return;
    }
    let proved = report.is_proved();
    let told = report.status.expect("a whole one has a status");
    let (_, numbers) = numbers.expect("what is whole has numbers");
    assert_eq!(numbers, told);
    hash.expect("what is whole has a hash");
    lived.expect("what is whole can be listed");
    assert_eq!(count, told.live_keys);
    assert_eq!(report.indexed, proved && all_have_a_place);
    let last = last.expect("what is whole has a last revision");
    assert_eq!(last.map_or(0, |last| last.main), told.revision);
    for key in live {
        if report.indexed {
            let found = get_by_index(file, &index, &key.key).expect("its index serves");
            assert_eq!(found.as_ref(), Some(&key));
        }
        let found = mvcc::get(file, &key.key, None).expect("what is whole can be asked");
        assert_eq!(found, Some(key));
    }
}

/// Whether an index can name this revision: it has 40 bits for one number and 24 for the other.
fn has_a_place(revision: Revision) -> bool {
    revision.main < 1 << 40 && revision.sub < (1 << 24) - 1
}
