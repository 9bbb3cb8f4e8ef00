//! Room for a snapshot whose stored size nobody knows before: a disk that is full is to be known
//! before etcd's stream is read, not at its end.
//!
//! What the newest one of the same encoding shrank to tells about it. Less a tenth: the data may pack
//! better by now, and a save that is refused for nothing is worse than one that ends on a full disk,
//! which leaves nothing either. Where none tells, the plain size is more than it will take: without
//! room for that much it is tried all the same, and said.

use rollsnap_store::{ErrorKind, Spool, StoreError, Terms};

use crate::event::Event;
use crate::pipeline::{Order, Pipeline};
use crate::{Catalog, Codec};

/// What a snapshot shrank to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunk {
    plain: u64,
    stored: u64,
}

impl Shrunk {
    /// The newest snapshot of an encoding tells it.
    pub fn of(catalog: &Catalog, codec: Codec) -> Option<Self> {
        let of_this = catalog
            .manifests()
            .filter(|manifest| manifest.stored.codec == codec);
        let newest = of_this.max_by_key(|manifest| (manifest.order, manifest.started_at))?;
        Some(Self {
            plain: newest.database.size,
            stored: newest.stored.content.size,
        })
    }

    /// What so many plain bytes will hardly shrink below.
    fn least(self, plain: u64) -> u64 {
        let scaled = u128::from(plain) * u128::from(self.stored) / u128::from(self.plain.max(1));
        u64::try_from(scaled / 10 * 9).unwrap_or(u64::MAX)
    }
}

impl Pipeline {
    /// A spool for so many plain bytes, refused where there is no room.
    pub(crate) async fn spool(
        &self,
        order: &Order,
        plain: u64,
    ) -> Result<Box<dyn Spool>, StoreError> {
        let object = order.name.stored(self.codec);
        let terms = |needed| Terms {
            at_most: needed,
            replaces: order.replaces,
        };
        let needed = match (self.codec, order.shrunk) {
            (Codec::None, _) | (_, None) => plain,
            (_, Some(shrunk)) => shrunk.least(plain),
        };
        match self.local.spool(&object, terms(Some(needed))).await {
            Err(error)
                if error.kind() == ErrorKind::Full
                    && self.codec != Codec::None
                    && order.shrunk.is_none() =>
            {
                let (name, error) = (&order.name, &error);
                self.hearer.tell(Event::Tight { name, error });
                self.local.spool(&object, terms(None)).await
            }
            spool => spool,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_thought_to_shrink_a_little_more_than_the_last() {
        let shrunk = |plain, stored| Shrunk { plain, stored };
        assert_eq!(shrunk(1000, 500).least(4000), 1800);
        assert_eq!(shrunk(1000, 1010).least(1000), 909);
        // Nothing that a manifest may tell is too much.
        assert_eq!(shrunk(0, u64::MAX).least(u64::MAX), u64::MAX);
        assert_eq!(shrunk(u64::MAX, 0).least(1 << 30), 0);
    }
}
