//! How fast uploads go: as the operator allows, and as the server asks.

use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What may be sent at once after a pause, in time. Without it the coarse steps of the runtime's
/// clock (1 ms) would cost more than they last.
const SLACK: Duration = Duration::from_millis(100);

/// For how long uploads are gentle after a server asked for it.
const CALM: Duration = Duration::from_secs(60);

/// One for all uploads of a store.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<NonZeroU64>,
    /// When the next byte may go.
    due: Mutex<Instant>,
    calm_until: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most `rate` bytes a second, no limit without.
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self {
            rate,
            due: Mutex::new(Instant::now()),
            calm_until: Mutex::default(),
        }
    }

    /// Whether there is a limit.
    pub(super) fn is_limited(&self) -> bool {
        self.rate.is_some()
    }

    /// Waits until so many bytes more may go. They count from the call on, also when nobody waits
    /// to its end.
    pub(super) async fn admit(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(rate.get());
        let lasts = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let begin = {
            let mut due = lock(&self.due);
            let now = Instant::now();
            let begin = (*due).max(now.checked_sub(SLACK).unwrap_or(now));
            // A rate of a few bytes ends beyond the calendar: then there is no next one.
            *due = begin.checked_add(lasts).unwrap_or(begin);
            begin
        };
        sleep_until(begin).await;
    }

    /// Takes the server's word that it is too much.
    pub(super) fn calm_down(&self) {
        *lock(&self.calm_until) = Some(Instant::now() + CALM);
    }

    /// Whether the server said so a short while ago.
    pub(super) fn is_calm(&self) -> bool {
        lock(&self.calm_until).is_some_and(|until| Instant::now() < until)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one assignment: a holder that panicked left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const GRAIN: usize = 64 * 1024;

    #[tokio::test(start_paused = true)]
    async fn all_who_send_share_one_rate() {
        let pace = Arc::new(Pace::new(NonZeroU64::new(1024 * 1024)));
        let begun = Instant::now();
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let pace = Arc::clone(&pace);
                tokio::spawn(async move {
                    for _ in 0..40 {
                        pace.admit(GRAIN).await;
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        // 160 grains are 10 MiB; the last is let go before it has lasted.
        let took = begun.elapsed();
        let expected = Duration::from_secs(10);
        assert!(took <= expected, "{took:?}");
        assert!(took >= Duration::from_millis(9800), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_made_up_for_by_a_tenth_of_a_second_at_most() {
        let pace = Pace::new(NonZeroU64::new(1024 * 1024));
        tokio::time::advance(Duration::from_secs(3600)).await;
        let begun = Instant::now();
        for _ in 0..17 {
            pace.admit(GRAIN).await;
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(900), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let pace = Pace::new(None);
        let begun = Instant::now();
        for _ in 0..1000 {
            pace.admit(usize::MAX).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_less_is_spared_for_a_minute() {
        let pace = Pace::new(None);
        assert!(!pace.is_calm());
        pace.calm_down();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(pace.is_calm());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!pace.is_calm());
    }
}
