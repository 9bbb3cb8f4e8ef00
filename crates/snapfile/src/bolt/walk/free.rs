//! The free list: exactly what the trees do not hold.

use std::ops::ControlFlow;

use super::super::db::BoltError;
use super::super::page::Kind;
use super::{Visitor, Walk};

/// Free pages that are looked at before the list is asked for more.
const FREE_STEP: usize = 4096;

impl<V: Visitor> Walk<'_, '_, V> {
    /// The free list, where it is kept: exactly the pages that nothing else holds.
    pub(super) fn free(&mut self, list: Option<u64>) -> ControlFlow<()> {
        let Some(id) = list else {
            return ControlFlow::Continue(());
        };
        let run = match self.pages.run(id, id) {
            Ok(run) => run,
            Err(BoltError::Read(error)) => return self.unread(error),
            Err(error) => return self.fault(self.at(id, error.to_string())),
        };
        if !self.seen.take(id, run) {
            self.fault(self.at(id, "is the free list and in use"))?;
        }
        self.count = self.count.saturating_add(run);
        let mut from: usize = 0;
        loop {
            let page = match self.pages.read(id, id) {
                Ok(page) if page.header().kind == Some(Kind::FreeList) => page,
                Ok(_) => return self.fault(self.at(id, "is no free list")),
                Err(BoltError::Read(error)) => return self.unread(error),
                Err(error) => return self.fault(self.at(id, error.to_string())),
            };
            let Some(list) = page.free() else {
                return self.fault(self.at(id, "is a free list that is cut"));
            };
            let some: Vec<u64> = list
                .iter()
                .skip(from)
                .take(FREE_STEP)
                .map(|page| u64::from_le_bytes(*page))
                .collect();
            if some.is_empty() {
                break;
            }
            from = from.saturating_add(some.len());
            for page in some {
                self.free_page(page)?;
            }
        }
        for page in 2..self.high_water {
            if self.seen.take(page, 1) {
                self.fault(self.at(page, "is neither in use nor free"))?;
            }
        }
        ControlFlow::Continue(())
    }

    fn free_page(&mut self, page: u64) -> ControlFlow<()> {
        if !(2..self.high_water).contains(&page) {
            self.fault(self.at(page, "is free and lies outside the file"))
        } else if self.seen.set(page) {
            ControlFlow::Continue(())
        } else {
            self.fault(self.at(page, "is free and in use, or free twice"))
        }
    }
}
