//! In what pieces an object goes, and how many of them at once.

use crate::s3::config::Tuning;

/// "Multipart upload limits", Amazon S3 User Guide.
pub(super) const MAX_PARTS: u32 = 10_000;

/// Most bytes of parts in memory: those under way and the one that waits. Only a part that is
/// larger than half of it makes more.
const MEMORY: usize = 64_000_000;

const MIB: u64 = 1024 * 1024;

/// The pieces of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Bytes of every part but the last.
    pub(super) part: usize,
    /// Parts under way at once.
    pub(super) in_flight: usize,
}

impl Plan {
    /// For an object of at most so many bytes: parts as tuned (8 MiB, up to 78 GiB), else the
    /// least whole number of MiB of which [`MAX_PARTS`] are enough. 100 GB are parts of 10 MiB,
    /// 100 GiB of 11 MiB.
    pub(super) fn new(tuning: &Tuning, at_most: Option<u64>) -> Self {
        let least = at_most.unwrap_or(0).div_ceil(u64::from(MAX_PARTS));
        let least = least.div_ceil(MIB).saturating_mul(MIB);
        let tuned = tuning.part_size.max(1);
        Self::of_parts(
            tuning,
            match usize::try_from(least) {
                Ok(least) if least > tuned => least,
                _ => tuned,
            },
        )
    }

    /// Goes on with parts of this size.
    pub(super) fn of_parts(tuning: &Tuning, part: usize) -> Self {
        let room = (MEMORY / part.max(1)).saturating_sub(1);
        Self {
            part,
            in_flight: tuning.parts_in_flight.min(room).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;
    const GB: u64 = 1_000_000_000;

    fn plan(at_most: Option<u64>) -> Plan {
        Plan::new(&Tuning::default(), at_most)
    }

    #[test]
    fn parts_grow_only_where_ten_thousand_would_not_be_enough() {
        for (at_most, mib) in [
            (None, 8),
            (Some(0), 8),
            (Some(78 * GIB), 8),
            (Some(80_000 * MIB), 8),
            (Some(80_000 * MIB + 1), 9),
            (Some(100 * GB), 10),
            (Some(100 * GIB), 11),
            (Some(300 * GIB), 31),
        ] {
            let part = plan(at_most).part as u64;
            assert_eq!(part, mib * MIB, "{at_most:?}");
            assert!(part * u64::from(MAX_PARTS) >= at_most.unwrap_or(0));
        }
    }

    #[test]
    fn the_parts_in_memory_stay_below_64_mb_for_every_size_up_to_290_gib() {
        let mut tuning = Tuning::default();
        for in_flight in [1, 2, 8, 100] {
            tuning.parts_in_flight = in_flight;
            for size in (1..=290).map(|gib| gib * GIB) {
                let plan = Plan::new(&tuning, Some(size));
                assert!((plan.in_flight + 1) * plan.part <= MEMORY, "{plan:?}");
                assert!(plan.in_flight <= in_flight);
            }
        }
        assert_eq!(plan(Some(100 * GIB)).in_flight, 2, "no need for less");
    }
}
