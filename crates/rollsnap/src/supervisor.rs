//! The service manager, where there is one: systemd's notification protocol (`sd_notify(3)`).
//! Without `NOTIFY_SOCKET` every call does nothing.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// Tells that the service is up and shows a line in `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that the configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// Tells that the end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Keeps the watchdog, where there is one, quiet for as long as the runtime turns.
pub async fn watchdog() -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return pending().await;
    };
    let mut ticks = interval((limit / 2).max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // A manager that does not listen is no reason to stop taking snapshots.
    let _ = sd_notify::notify(states);
}
