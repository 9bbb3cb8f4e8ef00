//! Keys that are held for a time: asked for anew before they end, by one at a time.
//!
//! From five minutes before their end (half their life, if that is later) the next who wants keys
//! asks for new ones; everybody else goes on with those there are. When the answer is no, the old
//! ones serve while they live, and the next question waits, longer each time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::lease::Lease;
use super::no_keys::NoKeys;
use super::pair::Credentials;

/// So long before their end new keys are asked for.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// The wait after a first no; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Asks for keys. Cancel-safe: who stops waiting asked for nothing that matters.
pub(super) trait Ask: Send + Sync {
    /// Whom.
    type Giver: Clone + PartialEq + Send + Sync;

    /// Asks once.
    fn ask(&self, giver: &Self::Giver) -> impl Future<Output = Result<Lease, NoKeys>> + Send;
}

/// The keys of one giver at a time.
#[derive(Debug)]
pub(super) struct Tenancy<A: Ask> {
    asker: A,
    state: Mutex<State<A::Giver>>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<G> {
    held: Option<Held<G>>,
    refused: Option<Refused<G>>,
}

#[derive(Debug)]
struct Held<G> {
    giver: G,
    keys: Arc<Credentials>,
    owner: Option<String>,
    renew_at: Instant,
    /// None: nobody told.
    ends_at: Option<Instant>,
}

#[derive(Debug)]
struct Refused<G> {
    giver: G,
    why: NoKeys,
    wait: Duration,
    until: Instant,
}

/// What is known without asking.
enum Known {
    /// Good for some time.
    Fresh(Arc<Credentials>),
    /// To be renewed, but alive.
    Ageing(Arc<Credentials>),
    /// It was asked a moment ago, in vain.
    Refused(NoKeys),
    Nothing,
}

impl<A: Ask> Tenancy<A> {
    pub(super) fn new(asker: A) -> Self {
        Self {
            asker,
            state: Mutex::new(State {
                held: None,
                refused: None,
            }),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The giver's keys, asked for where there are none that live.
    pub(super) async fn keys(&self, giver: &A::Giver) -> Result<Arc<Credentials>, NoKeys> {
        match self.known(giver) {
            Known::Fresh(keys) => return Ok(keys),
            Known::Ageing(keys) => {
                let Ok(_alone) = self.asking.try_lock() else {
                    return Ok(keys);
                };
                return Ok(self.ask(giver).await.unwrap_or(keys));
            }
            Known::Refused(why) => return Err(why),
            Known::Nothing => {}
        }
        let _alone = self.asking.lock().await;
        match self.known(giver) {
            Known::Fresh(keys) | Known::Ageing(keys) => Ok(keys),
            Known::Refused(why) => Err(why),
            Known::Nothing => self.ask(giver).await,
        }
    }

    /// After a server refused keys of this giver: whether there are others now.
    pub(super) async fn renewed(&self, giver: &A::Giver, refused: &Credentials) -> bool {
        let _alone = self.asking.lock().await;
        {
            let mut state = self.state();
            if let Some(held) = state.held.as_mut().filter(|held| held.giver == *giver) {
                if *held.keys != *refused {
                    return true;
                }
                held.ends_at = Some(Instant::now());
            }
        }
        match self.known(giver) {
            Known::Refused(_) => false,
            _ => self.ask(giver).await.is_ok_and(|keys| *keys != *refused),
        }
    }

    /// Whose the keys are that are held of this giver, where it told.
    pub(super) fn owner(&self, giver: &A::Giver) -> Option<String> {
        let state = self.state();
        let held = state.held.as_ref().filter(|held| held.giver == *giver)?;
        held.owner.clone()
    }

    fn known(&self, giver: &A::Giver) -> Known {
        let now = Instant::now();
        let state = self.state();
        let held = state.held.as_ref().filter(|held| held.giver == *giver);
        let refused = state.refused.as_ref();
        let refused = refused.filter(|refused| refused.giver == *giver && now < refused.until);
        match held.filter(|held| held.ends_at.is_none_or(|end| now < end)) {
            Some(held) if now < held.renew_at || refused.is_some() => {
                Known::Fresh(Arc::clone(&held.keys))
            }
            Some(held) => Known::Ageing(Arc::clone(&held.keys)),
            None => refused.map_or(Known::Nothing, |refused| {
                Known::Refused(refused.why.clone())
            }),
        }
    }

    /// Asks, and keeps what comes of it. The caller asks alone.
    async fn ask(&self, giver: &A::Giver) -> Result<Arc<Credentials>, NoKeys> {
        let asked_at = Instant::now();
        let answer = self.asker.ask(giver).await;
        let mut state = self.state();
        match answer {
            Ok(lease) => {
                let life = lease.lifetime;
                let renew_in = life.map_or(AHEAD, |life| life.saturating_sub(AHEAD).max(life / 2));
                state.held = Some(Held {
                    giver: giver.clone(),
                    keys: Arc::clone(&lease.keys),
                    owner: lease.owner,
                    renew_at: asked_at + renew_in,
                    ends_at: life.map(|life| asked_at + life),
                });
                state.refused = None;
                Ok(lease.keys)
            }
            Err(why) => {
                let before = state.refused.take().filter(|before| before.giver == *giver);
                let wait = before.map_or(FIRST_WAIT, |before| (before.wait * 2).min(LONGEST_WAIT));
                state.refused = Some(Refused {
                    giver: giver.clone(),
                    why: why.clone(),
                    wait,
                    until: Instant::now() + wait,
                });
                Err(why)
            }
        }
    }

    /// What it guards is whole after each line, so a panic elsewhere breaks nothing.
    fn state(&self) -> MutexGuard<'_, State<A::Giver>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
