//! Letters to one receiver, carried one after another by a task of their own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rollsnap_engine::backoff::wait_after;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::Whom;
use crate::http::Shared;
use crate::journal;
use crate::report::Failure;

/// The most letters that wait. Behind them the oldest is given up: the newest says what is so.
const MOST: usize = 16;

/// Who carries letters of one kind.
#[async_trait]
pub(super) trait Courier: Send + Sync + 'static {
    /// What is carried.
    type Letter: Send + Sync + 'static;

    /// To whom.
    const WHOM: Whom;

    /// How often one is tried while it fails for what may come right by itself.
    fn tries(letter: &Self::Letter) -> u32;

    /// Carries one there, in bounded time.
    async fn deliver(&self, letter: &Self::Letter) -> Result<(), Failure>;
}

/// The letters of one receiver. Dropped, it forgets what waits.
pub(super) struct Post<C: Courier> {
    queue: Arc<Queue<C>>,
    shared: Arc<Shared>,
    _carrying: AbortOnDropHandle<()>,
}

struct Queue<C: Courier> {
    waiting: Mutex<VecDeque<(Arc<C>, C::Letter)>>,
    came: Notify,
    /// How many wait or are on their way.
    open: watch::Sender<usize>,
}

impl<C: Courier> Post<C> {
    /// Nothing waits.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            came: Notify::new(),
            open: watch::Sender::new(0),
        });
        let carrying = tokio::spawn(carry(Arc::clone(&queue), Arc::clone(&shared)));
        Self {
            queue,
            shared,
            _carrying: AbortOnDropHandle::new(carrying),
        }
    }

    /// Lays a letter behind those that wait. Returns at once.
    pub(super) fn send(&self, courier: &Arc<C>, letter: C::Letter) {
        let mut waiting = self.queue.waiting();
        if waiting.len() == MOST {
            waiting.pop_front();
            self.shared.metrics.noticed(C::WHOM, false);
        } else {
            self.queue.open.send_modify(|open| *open += 1);
        }
        waiting.push_back((Arc::clone(courier), letter));
        drop(waiting);
        self.queue.came.notify_one();
    }

    /// Waits until nothing waits and nothing is on its way.
    pub(super) async fn rest(&self) {
        let mut open = self.queue.open.subscribe();
        // The sender lives as long as this does.
        let _ = open.wait_for(|open| *open == 0).await;
    }
}

impl<C: Courier> Queue<C> {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Arc<C>, C::Letter)>> {
        // Nothing panics while it holds this, and if it did, the letters would still be letters.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next(&self) -> (Arc<C>, C::Letter) {
        loop {
            let next = self.waiting().pop_front();
            match next {
                Some(next) => return next,
                None => self.came.notified().await,
            }
        }
    }
}

/// Tells each change between failing and working once.
async fn carry<C: Courier>(queue: Arc<Queue<C>>, shared: Arc<Shared>) {
    let mut is_failing = false;
    loop {
        let (courier, letter) = queue.next().await;
        let result = deliver(&*courier, &letter).await;
        shared.metrics.noticed(C::WHOM, result.is_ok());
        match &result {
            Err(failure) if !is_failing => journal::tell_unheard(C::WHOM, failure),
            Ok(()) if is_failing => journal::tell_heard(C::WHOM),
            _ => {}
        }
        is_failing = result.is_err();
        queue.open.send_modify(|open| *open -= 1);
    }
}

async fn deliver<C: Courier>(courier: &C, letter: &C::Letter) -> Result<(), Failure> {
    for attempt in 1.. {
        let result = courier.deliver(letter).await;
        match &result {
            Err(failure) if failure.kind.is_transient() && attempt < C::tries(letter) => {
                sleep(wait_after(attempt, failure.kind)).await;
            }
            _ => return result,
        }
    }
    unreachable!("the last attempt returns")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rollsnap_engine::{Kind, SystemClock};
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;

    /// Lets so many letters through, and fails so often before.
    struct Gate {
        open: Semaphore,
        failures: Mutex<u32>,
        carried: Mutex<Vec<usize>>,
    }

    impl Gate {
        fn new(open: usize, failures: u32) -> Arc<Self> {
            Arc::new(Self {
                open: Semaphore::new(open),
                failures: Mutex::new(failures),
                carried: Mutex::default(),
            })
        }
    }

    #[async_trait]
    impl Courier for Gate {
        type Letter = usize;

        const WHOM: Whom = Whom::Ping;

        fn tries(_: &usize) -> u32 {
            3
        }

        async fn deliver(&self, letter: &usize) -> Result<(), Failure> {
            self.open.acquire().await.unwrap().forget();
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                self.open.add_permits(1);
                return Err(Failure::new(Kind::Source, "not yet"));
            }
            self.carried.lock().unwrap().push(*letter);
            Ok(())
        }
    }

    fn post() -> Post<Gate> {
        let (shared, _) = Shared::new(Arc::new(SystemClock));
        Post::new(shared)
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_letters_the_oldest_is_given_up() {
        let (post, gate) = (post(), Gate::new(0, 0));
        post.send(&gate, 0);
        // The first is on its way and stays there.
        tokio::time::sleep(Duration::from_millis(1)).await;
        for letter in 1..=MOST + 3 {
            post.send(&gate, letter);
        }
        gate.open.add_permits(100);
        post.rest().await;
        let carried = gate.carried.lock().unwrap().clone();
        let wanted: Vec<_> = [0].into_iter().chain(4..=MOST + 3).collect();
        assert_eq!(carried, wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_come_right_is_tried_again_and_then_given_up() {
        let (post, gate, begin) = (post(), Gate::new(1, 2), Instant::now());
        post.send(&gate, 1);
        post.rest().await;
        assert_eq!(begin.elapsed().as_secs(), 1 + 2);
        assert_eq!(*gate.carried.lock().unwrap(), [1]);
        let hopeless = Gate::new(1, 3);
        post.send(&hopeless, 1);
        post.rest().await;
        assert!(hopeless.carried.lock().unwrap().is_empty());
    }
}
