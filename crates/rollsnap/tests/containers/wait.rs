//! Waiting for what can be seen, with an end.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything here takes on a machine that does other things too. Only a failure waits
/// that long.
const LIMIT: Duration = Duration::from_secs(120);
const PACE: Duration = Duration::from_millis(10);

/// Looks until `look` sees something.
///
/// # Panics
/// When it never does, with what `state` has to say.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl FnMut() -> Option<T>,
    state: impl FnOnce() -> String,
) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            Instant::now() < deadline,
            "{what} did not happen in {LIMIT:?}:\n{}",
            state()
        );
        sleep(PACE).await;
    }
}
