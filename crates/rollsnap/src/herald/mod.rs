//! Tells others how the daemon's backups go: a dead-man's switch that is pinged, and Kubernetes.
//!
//! ```text
//!                                ┌─ Post: a bounded queue ── a task ── Ping
//! events ── Attempts ── News ────┤
//!                                └─ Flow ── Post ── a task ── Kubernetes
//! ```
//!
//! Nothing here can hold up a snapshot: what cannot be delivered is told once in the log, counted,
//! and forgotten.

mod attempts;
mod flow;
mod kubernetes;
mod ping;
mod post;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollsnap_engine::event::{Event, Observer};
use tokio::time::Instant;

use self::attempts::{Attempts, News};
use self::flow::{Flow, Notice};
use self::kubernetes::Kubernetes;
use self::ping::{Ping, Signal};
use self::post::Post;
use crate::config::Settings;
use crate::http::Shared;

/// Whom others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Whoever listens at the ping's address.
    Ping,
    /// Whoever looks at Kubernetes' Events.
    Kubernetes,
}

impl Whom {
    /// All.
    pub const ALL: [Self; 2] = [Self::Ping, Self::Kubernetes];

    /// The metrics' label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// Tells others. One for the life of the daemon: a reload changes whom.
pub struct Herald {
    state: Mutex<State>,
    shared: Arc<Shared>,
    pings: Post<Ping>,
    events: Post<Kubernetes>,
}

#[derive(Default)]
struct State {
    attempts: Attempts,
    ping: Option<Arc<Ping>>,
    flow: Flow,
    kubernetes: Option<Arc<Kubernetes>>,
}

impl Herald {
    /// Tells nobody yet. What comes of its letters is counted there.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            state: Mutex::default(),
            pings: Post::new(Arc::clone(&shared)),
            events: Post::new(Arc::clone(&shared)),
            shared,
        }
    }

    /// Tells those whom these settings name, from now on.
    pub fn put_in_force(&self, settings: &Settings) {
        let mut state = self.state();
        state.attempts.put_in_force(settings);
        let ping = settings.notices.ping.as_ref();
        state.ping = ping.map(|ping| Arc::new(Ping::new(&ping.value)));
        let kubernetes = &settings.notices.kubernetes;
        let access = kubernetes.events.value.clone();
        let node = kubernetes.node.as_ref().map(|node| node.value.clone());
        state.kubernetes = access.map(|access| Arc::new(Kubernetes::new(access, node)));
    }

    /// Waits until everything was delivered or given up, at most so long.
    pub async fn rest(&self, limit: Duration) {
        // What is left then is lost, and the log has it all.
        let all = async { tokio::join!(self.pings.rest(), self.events.rest()) };
        let _ = tokio::time::timeout(limit, all).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this, and if it did, the values would still be values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Herald {
    fn tell(&self, event: Event<'_>) {
        let mut state = self.state();
        let news = state.attempts.hear(&event);
        let notice = match (&event, &news) {
            (Event::Quarantined(quarantined), _) => Some(Notice::broken(quarantined)),
            (_, Some(news)) => state.flow.notice(news, Instant::now()),
            (_, None) => None,
        };
        if let (Some(kubernetes), Some(notice)) = (&state.kubernetes, notice) {
            let letter = (notice, self.shared.now());
            self.events.send(kubernetes, letter);
        }
        if let (Some(ping), Some(news)) = (&state.ping, news) {
            let signal = match news {
                News::Begun => Signal::Start,
                News::Stands => Signal::Success,
                News::Failed(words) => Signal::Fail(words),
            };
            self.pings.send(ping, signal);
        }
    }
}

/// The first so many bytes, in whole characters.
fn shortened(words: &str, most: usize) -> &str {
    let mut end = words.len().min(most);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    &words[..end]
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_cut_between_characters() {
        assert_eq!(super::shortened("short", 10), "short");
        assert_eq!(super::shortened("aéé", 4), "aé");
    }
}
