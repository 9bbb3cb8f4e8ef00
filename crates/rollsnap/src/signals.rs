//! What the operating system tells the process.
//!
//! | signal | means |
//! |---|---|
//! | SIGTERM, SIGINT | stop: no new work, the running save may end within the grace period |
//! | a second one | stop at once |
//! | SIGHUP | read the configuration again |

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What was asked for by signals so far.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Stop.
    pub stop: CancellationToken,
    /// Stop at once.
    pub force: CancellationToken,
    /// Read the configuration again.
    pub reload: Arc<Notify>,
}

impl Orders {
    /// Listens from now on, for as long as the runtime lives.
    pub fn listen() -> io::Result<Self> {
        let orders = Self::default();
        let heard = orders.clone();
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        tokio::spawn(async move {
            while let Some(signal) = signals.next().await {
                heard.hear(signal);
            }
        });
        Ok(orders)
    }

    fn hear(&self, signal: i32) {
        if signal == SIGHUP {
            self.reload.notify_one();
        } else if self.stop.is_cancelled() {
            self.force.cancel();
        } else {
            self.stop.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_signal_forces() {
        let orders = Orders::default();
        orders.hear(SIGTERM);
        assert!(orders.stop.is_cancelled() && !orders.force.is_cancelled());
        orders.hear(SIGINT);
        assert!(orders.force.is_cancelled());
    }
}
