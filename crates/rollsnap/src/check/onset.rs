//! When the daemon's start is past what matters more than a check.

use std::sync::Arc;

use rollsnap_engine::event::{Event, Observer};
use tokio::sync::Notify;

/// Passes every event on, and knows when the first save is over or found not to be due: a check
/// then takes nothing from it, and the first lines of the log stay what they have always been.
pub struct Onset {
    observer: Arc<dyn Observer>,
    is_over: Notify,
}

impl Onset {
    /// Before the first event.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            is_over: Notify::new(),
        }
    }

    /// Waits for it, for one caller at a time. Cancel-safe.
    pub async fn over(&self) {
        self.is_over.notified().await;
    }
}

impl Observer for Onset {
    fn tell(&self, event: Event<'_>) {
        let is_over = match &event {
            Event::Waiting { first } => !first.is_zero(),
            Event::Saved { .. } | Event::SaveFailed { .. } => true,
            _ => false,
        };
        self.observer.tell(event);
        if is_over {
            self.is_over.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    struct Nobody;

    impl Observer for Nobody {
        fn tell(&self, _: Event<'_>) {}
    }

    #[test]
    fn it_is_over_when_nothing_is_due_and_not_before_a_save_that_is() {
        let onset = Onset::new(Arc::new(Nobody));
        let waiting = |seconds| Event::Waiting {
            first: Duration::from_secs(seconds),
        };
        onset.tell(waiting(0));
        assert_eq!(onset.over().now_or_never(), None);
        onset.tell(waiting(5));
        assert_eq!(onset.over().now_or_never(), Some(()));
    }
}
