//! Which keys differ between two sides: their values, whatever their revisions say.

use std::ops::ControlFlow;

use rollsnap_engine::look::{self, LookError, Mark, ReadAt};

use super::listed::Listed;
use super::wanted::Wanted;

/// A key and what its value is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) listed: Listed,
    mark: Mark,
}

/// A key whose value is not the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) a: Option<&'a Marked>,
    pub(super) b: Option<&'a Marked>,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Created,
    Deleted,
    Changed,
}

/// Everything that differs, sorted by key.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    pub(super) all: Vec<Change<'a>>,
    /// How many keys do not.
    pub(super) same: u64,
}

/// Every wanted key that is alive at a revision, sorted by key.
pub(super) fn marks(
    file: &dyn ReadAt,
    at: Option<u64>,
    wanted: &Wanted,
) -> Result<Vec<Marked>, LookError> {
    let mut marked = Vec::new();
    look::live(file, at, wanted.prefix(), &mut |live| {
        if wanted.has(live.record.key) {
            marked.push(Marked {
                listed: Listed::of(&live.record),
                mark: Mark::of(live.record.value),
            });
        }
        ControlFlow::Continue(())
    })?;
    marked.sort_unstable_by(|a, b| a.listed.key.cmp(&b.listed.key));
    Ok(marked)
}

impl<'a> Changes<'a> {
    /// Compares two lists that are sorted by key.
    pub(super) fn between(a: &'a [Marked], b: &'a [Marked]) -> Self {
        let mut changes = Self {
            all: Vec::new(),
            same: 0,
        };
        let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return changes,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => a.listed.key.cmp(&b.listed.key),
            };
            let change = Change {
                a: left.next_if(|_| order.is_le()),
                b: right.next_if(|_| order.is_ge()),
            };
            match change {
                Change {
                    a: Some(a),
                    b: Some(b),
                } if a.mark == b.mark => changes.same += 1,
                change => changes.all.push(change),
            }
        }
    }

    /// How many of a nature there are.
    pub(super) fn count(&self, nature: Nature) -> u64 {
        let of = self.all.iter().filter(|change| change.nature() == nature);
        of.count() as u64
    }

    /// Neighbours whose values take at most so many bytes, or one that takes more.
    pub(super) fn shares(&self, most: u64) -> impl Iterator<Item = &[Change<'a>]> {
        let mut rest = &self.all[..];
        std::iter::from_fn(move || {
            let mut size: u64 = 0;
            let fits = rest.iter().take_while(|change| {
                let is_first = size == 0;
                size = size.saturating_add(change.size().max(1));
                is_first || size <= most
            });
            let (share, after) = rest.split_at(fits.count());
            rest = after;
            (!share.is_empty()).then_some(share)
        })
    }
}

impl<'a> Change<'a> {
    pub(super) fn nature(&self) -> Nature {
        match (self.a, self.b) {
            (None, _) => Nature::Created,
            (_, None) => Nature::Deleted,
            _ => Nature::Changed,
        }
    }

    pub(super) fn key(&self) -> &'a [u8] {
        self.a.or(self.b).map_or(&[], |it| &it.listed.key)
    }

    /// Bytes of both values.
    fn size(&self) -> u64 {
        let size = |side: Option<&Marked>| side.map_or(0, |it| it.listed.size);
        size(self.a).saturating_add(size(self.b))
    }
}

impl Nature {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Changed => "changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(pairs: &[(&str, &str)]) -> Vec<Marked> {
        let marked = pairs.iter().map(|(key, value)| Marked {
            listed: Listed {
                key: key.as_bytes().into(),
                create_revision: 1,
                mod_revision: 1,
                version: 1,
                lease: 0,
                size: value.len() as u64,
            },
            mark: Mark::of(value.as_bytes()),
        });
        marked.collect()
    }

    #[test]
    fn keys_are_compared_by_their_values() {
        let a = marked(&[("a", "1"), ("b", "1"), ("c", "1"), ("e", "1")]);
        let b = marked(&[("b", "2"), ("c", "1"), ("d", "1"), ("f", "")]);
        let changes = Changes::between(&a, &b);
        let told: Vec<_> = changes
            .all
            .iter()
            .map(|it| (std::str::from_utf8(it.key()).unwrap(), it.nature()))
            .collect();
        assert_eq!(
            told,
            [
                ("a", Nature::Deleted),
                ("b", Nature::Changed),
                ("d", Nature::Created),
                ("e", Nature::Deleted),
                ("f", Nature::Created),
            ]
        );
        assert_eq!(changes.same, 1);
        assert_eq!(changes.count(Nature::Created), 2);
        let sizes = |most| changes.shares(most).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(u64::MAX), [5]);
        assert_eq!(sizes(3), [2, 3]);
        assert_eq!(sizes(1), [1, 1, 1, 1, 1]);
        assert_eq!(sizes(0), [1, 1, 1, 1, 1]);
    }
}
