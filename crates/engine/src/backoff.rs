//! How long to wait before trying again. Pure.

use std::time::Duration;

use crate::Kind;

/// The wait after the `attempt`-th failure in a row, counted from 1.
///
/// What may come right by itself is tried again soon: 1 s, doubling up to a minute. What needs a
/// hand (rights, room, configuration) is tried every 30 s, doubling up to 5 minutes: often enough
/// that nobody has to restart anything after mending it, seldom enough not to hammer a server
/// that refuses.
pub fn wait_after(attempt: u32, kind: Kind) -> Duration {
    let (first, most) = if kind.is_transient() {
        (1, 60)
    } else {
        (30, 300)
    };
    let seconds = 2_u64
        .saturating_pow(attempt.saturating_sub(1))
        .saturating_mul(first)
        .min(most);
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let seconds = |kind| {
            (1..=8)
                .map(|n| wait_after(n, kind).as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(seconds(Kind::Source), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(
            seconds(Kind::Denied),
            [30, 60, 120, 240, 300, 300, 300, 300]
        );
        assert_eq!(wait_after(u32::MAX, Kind::Full).as_secs(), 300);
    }
}
