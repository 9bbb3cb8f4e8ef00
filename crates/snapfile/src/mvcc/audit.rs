//! What must hold between records, whoever wrote them.

use super::window::Window;
use super::{Change, Record, Revision};

/// Follows the records in the order of time.
///
/// Every transaction that changes something takes exactly the next main revision, and its changes
/// the sub revisions from 0 on (etcd `server/storage/mvcc/kvstore_txn.go`). A compaction removes
/// records up to its revision only. So a gap after it is a loss. (The last of several changes of
/// one transaction can be lost without a gap; the digest and the hash of the members tell.)
#[derive(Debug)]
pub(crate) struct Audit {
    compacted: u64,
    last: Option<Revision>,
}

impl Audit {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            compacted: window.compacted,
            last: None,
        }
    }

    /// What is wrong with the next record.
    pub(crate) fn faults(&mut self, change: Change, record: &Record<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        let Change {
            revision,
            is_tombstone,
        } = change;
        faults.extend(self.gap(revision));
        self.last = Some(revision);

        let main = revision.main.cast_signed();
        // `etcdutl snapshot restore --bump-revision` marks the new revision by a record of nothing.
        let is_mark = *record == Record::default() && revision.main <= self.compacted;
        if record.key.is_empty() && !is_mark {
            faults.push("has a record without a key".to_owned());
        } else if !is_tombstone && !is_mark {
            let Record {
                create_revision,
                mod_revision,
                version,
                ..
            } = *record;
            if mod_revision != main {
                faults.push(format!("has a record of revision {mod_revision}"));
            }
            if !(1..=mod_revision).contains(&create_revision) {
                faults.push(format!(
                    "has a record created at revision {create_revision}"
                ));
            }
            if version < 1 {
                faults.push(format!("has a record of version {version}"));
            }
        }
        faults
    }

    /// What is missing before the next record.
    fn gap(&self, revision: Revision) -> Option<String> {
        if revision.main <= self.compacted {
            return None;
        }
        let begun = Revision {
            main: self.compacted,
            sub: u64::MAX,
        };
        let last = self.last.map_or(begun, |last| last.max(begun));
        // A store begins at revision 1, and its first change is 2.
        let next_main = last.main.max(1).saturating_add(1);
        let follows = match revision.sub {
            0 => revision.main == next_main,
            sub => revision.main == last.main && Some(sub) == last.sub.checked_add(1),
        };
        let before = match self.last {
            Some(last) => last.to_string(),
            None => format!("the compaction at {}", self.compacted),
        };
        (!follows).then(|| format!("does not follow {before}: records are missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn audit(compacted: u64) -> Audit {
        Audit::new(Window {
            compacted,
            last: u64::MAX,
            last_record: u64::MAX,
        })
    }

    fn put(main: u64, sub: u64) -> (Change, Record<'static>) {
        let revision = Revision { main, sub };
        let record = Record {
            key: b"k",
            create_revision: main.cast_signed(),
            mod_revision: main.cast_signed(),
            version: 1,
            ..Record::default()
        };
        (
            Change {
                revision,
                is_tombstone: false,
            },
            record,
        )
    }

    fn faults(compacted: u64, rows: &[(Change, Record<'_>)]) -> Vec<String> {
        let mut audit = audit(compacted);
        let all = rows
            .iter()
            .flat_map(|(change, record)| audit.faults(*change, record));
        all.collect()
    }

    proptest! {
        #[test]
        fn one_record_missing_after_the_compaction_is_told(
            changes in prop::collection::vec(1_u64..4, 2..20), compacted in 0_u64..8, lost: usize,
        ) {
            let mut rows = Vec::new();
            for (main, count) in (2..).zip(changes) {
                rows.extend((0..count).map(|sub| put(main, sub)));
            }
            prop_assert_eq!(faults(compacted, &rows), Vec::<String>::new());
            let lost = lost % rows.len();
            let after = rows[lost].0.revision;
            // What a compaction removes nobody can miss, nor what ends the store or a transaction.
            let ends = match rows.get(lost + 1) {
                Some((next, _)) => after.sub > 0 && next.revision.main > after.main,
                None => true,
            };
            rows.remove(lost);
            let expected = after.main > compacted && !ends;
            prop_assert_eq!(!faults(compacted, &rows).is_empty(), expected);
        }
    }

    #[test]
    fn the_mark_of_a_bumped_revision_is_no_fault() {
        let revision = Revision {
            main: 1_000_000_040,
            sub: 0,
        };
        let mark = (
            Change {
                revision,
                is_tombstone: false,
            },
            Record::default(),
        );
        assert_eq!(
            faults(1_000_000_040, &[put(2, 0), mark, put(1_000_000_041, 0)]),
            [""; 0]
        );
        assert!(!faults(0, &[put(2, 0), mark]).is_empty());
    }

    #[test]
    fn a_record_that_tells_of_another_revision_is_a_fault() {
        let (change, record) = put(2, 0);
        let record = Record {
            mod_revision: 3,
            ..record
        };
        assert_eq!(
            faults(0, &[(change, record)]),
            ["has a record of revision 3"]
        );
    }
}
