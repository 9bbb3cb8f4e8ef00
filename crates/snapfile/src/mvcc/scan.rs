//! Every record in the order of time.

use std::ops::ControlFlow;

use crate::bolt::{Database, Ended, Visitor, walk};
use crate::{Finding, SnapshotError};

use super::{Change, KEY_BUCKET, Record, record_of};

/// One record of the bucket of all records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Its place among all records, from 0.
    pub(crate) ordinal: u64,
    pub(crate) change: Change,
    pub(crate) record: Record<'a>,
    /// Its bytes in the database.
    pub(crate) raw_key: &'a [u8],
    pub(crate) raw_value: &'a [u8],
}

/// Tells every record until `tell` has enough. The first fault ends it.
pub(crate) fn scan(
    database: &Database<'_>,
    tell: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(), SnapshotError> {
    let mut scan = Scan {
        tell,
        ordinal: 0,
        fault: None,
    };
    let walked = walk(database, Some(KEY_BUCKET), &mut scan);
    match (scan.fault, walked) {
        (Some(finding), _) => Err(SnapshotError::Corrupt(Box::new(finding))),
        (None, Err(Ended::Read(error))) => Err(error.into()),
        (None, Ok(_) | Err(Ended::Stopped)) => Ok(()),
    }
}

struct Scan<'t> {
    tell: &'t mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ordinal: u64,
    fault: Option<Finding>,
}

impl Visitor for Scan<'_> {
    fn bucket(&mut self, _: &[u8]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pair(&mut self, page: u64, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        let (change, record) = match record_of(key, value) {
            Ok(row) => row,
            Err(odd) => {
                let finding = Finding::of_page(page, odd.to_string());
                return self.fault(finding.in_bucket(KEY_BUCKET).at_key(key));
            }
        };
        let ordinal = self.ordinal;
        self.ordinal = ordinal.saturating_add(1);
        (self.tell)(Row {
            ordinal,
            change,
            record,
            raw_key: key,
            raw_value: value,
        })
    }

    fn fault(&mut self, finding: Finding) -> ControlFlow<()> {
        self.fault = Some(finding);
        ControlFlow::Break(())
    }

    fn seen(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
