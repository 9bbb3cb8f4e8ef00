//! How fast etcd's stream is read.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What may be read at once after a wait, in time: several of the steps of the runtime's clock
/// (1 ms), so that a rate is met although a wait ends a little late, and no more, for etcd's other
/// clients feel each burst.
const SLACK: Duration = Duration::from_millis(10);

/// The pace of one stream.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: NonZeroU64,
    /// When the next byte may come.
    due: Instant,
}

impl Pace {
    /// So many bytes a second.
    pub(crate) fn new(rate: NonZeroU64) -> Self {
        Self {
            rate,
            due: Instant::now(),
        }
    }

    /// Counts bytes that were read.
    pub(crate) fn count(&mut self, bytes: usize) {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.rate.get());
        let lasts = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let now = Instant::now();
        let from = self.due.max(now.checked_sub(SLACK).unwrap_or(now));
        // A rate of a few bytes ends beyond the calendar: then there is no next one.
        self.due = from.checked_add(lasts).unwrap_or(from);
    }

    /// Waits until more may be read. Cancel-safe.
    pub(crate) async fn ready(&self) {
        if self.due > Instant::now() {
            sleep_until(self.due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const CHUNK: usize = 32 << 10;

    fn pace(rate: u64) -> Pace {
        Pace::new(NonZeroU64::new(rate).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_met_over_many_chunks() {
        let mut pace = pace(50_000_000);
        let began = Instant::now();
        for _ in 0..3052 {
            pace.ready().await;
            pace.count(CHUNK);
        }
        // 100 MB.
        let took = began.elapsed();
        assert!(took <= Duration::from_millis(2010), "{took:?}");
        assert!(took >= Duration::from_millis(1980), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_made_up_for_by_ten_milliseconds_at_most() {
        let mut pace = pace(CHUNK as u64);
        advance(Duration::from_secs(3600)).await;
        pace.count(CHUNK);
        let began = Instant::now();
        pace.ready().await;
        assert!(began.elapsed() >= Duration::from_millis(990));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_cut_counts_nothing() {
        let mut pace = pace(CHUNK as u64);
        pace.count(CHUNK);
        let began = Instant::now();
        for _ in 0..7 {
            let cut = tokio::time::timeout(Duration::from_millis(100), pace.ready());
            cut.await.unwrap_err();
        }
        pace.ready().await;
        assert!(began.elapsed() <= Duration::from_millis(1001));
    }
}
