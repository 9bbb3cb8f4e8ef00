use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::time::advance;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Gives out keys called 1, 2, 3, … of the lifetimes in its script, and says no where that has
/// none. Each answer waits for a permit.
struct Scripted {
    script: Mutex<VecDeque<Result<Option<Duration>, &'static str>>>,
    asked: AtomicUsize,
    permits: Semaphore,
}

impl Ask for Scripted {
    type Giver = &'static str;

    async fn ask(&self, _: &&'static str) -> Result<Lease, NoKeys> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.permits.acquire().await.unwrap().forget();
        let answer = self.script.lock().unwrap().pop_front();
        let lifetime = answer.unwrap().map_err(NoKeys::unavailable)?;
        Ok(Lease {
            keys: Arc::new(Credentials::new(number.to_string(), "secret")),
            lifetime,
            owner: None,
        })
    }
}

/// A tenancy with this script, whose answers come at once.
fn tenancy<const N: usize>(
    script: [Result<Option<Duration>, &'static str>; N],
) -> Tenancy<Scripted> {
    Tenancy::new(Scripted {
        script: Mutex::new(script.into()),
        asked: AtomicUsize::new(0),
        permits: Semaphore::new(Semaphore::MAX_PERMITS),
    })
}

impl Tenancy<Scripted> {
    /// The access key, or why there is none.
    async fn now(&self) -> String {
        match self.keys(&"giver").await {
            Ok(keys) => keys.access_key().to_owned(),
            Err(why) => why.message().to_owned(),
        }
    }

    fn asked(&self) -> usize {
        self.asker.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn new_keys_are_asked_for_five_minutes_before_the_old_ones_end() {
    let hour = tenancy([Ok(Some(60 * MINUTE)), Ok(Some(60 * MINUTE))]);
    assert_eq!(hour.now().await, "1");
    advance(54 * MINUTE).await;
    assert_eq!(hour.now().await, "1");
    advance(MINUTE).await;
    assert_eq!(hour.now().await, "2");
    assert_eq!(hour.asked(), 2);

    // Of a short life half is used before.
    let short = tenancy([Ok(Some(4 * MINUTE)), Ok(Some(4 * MINUTE))]);
    assert_eq!(short.now().await, "1");
    advance(MINUTE).await;
    assert_eq!(short.now().await, "1");
    advance(MINUTE).await;
    assert_eq!(short.now().await, "2");
}

#[tokio::test(start_paused = true)]
async fn the_old_keys_serve_while_they_live_and_each_question_waits_longer() {
    let tenancy = tenancy([
        Ok(Some(60 * MINUTE)),
        Err("down"),
        Err("down"),
        Err("still down"),
        Ok(Some(60 * MINUTE)),
    ]);
    assert_eq!(tenancy.now().await, "1");
    advance(55 * MINUTE).await;
    assert_eq!((tenancy.now().await.as_str(), tenancy.asked()), ("1", 2));
    assert_eq!((tenancy.now().await.as_str(), tenancy.asked()), ("1", 2));
    advance(FIRST_WAIT).await;
    assert_eq!((tenancy.now().await.as_str(), tenancy.asked()), ("1", 3));
    advance(FIRST_WAIT).await;
    assert_eq!((tenancy.now().await.as_str(), tenancy.asked()), ("1", 3));

    advance(5 * MINUTE).await;
    assert_eq!(tenancy.now().await, "still down");
    assert_eq!(tenancy.now().await, "still down");
    assert_eq!(tenancy.asked(), 4, "a dead end is asked again in a moment");
    advance(LONGEST_WAIT).await;
    assert_eq!(tenancy.now().await, "5");
}

#[tokio::test(start_paused = true)]
async fn one_asks_while_the_others_use_the_old_keys_or_wait_for_the_first() {
    let tenancy = tenancy([Ok(Some(60 * MINUTE)), Ok(Some(60 * MINUTE))]);
    let permits = |count| tenancy.asker.permits.add_permits(count);
    tenancy.asker.permits.forget_permits(Semaphore::MAX_PERMITS);
    let give = async {
        while tenancy.asked() == 0 {
            tokio::task::yield_now().await;
        }
        permits(1);
    };
    let (one, two, ()) = tokio::join!(tenancy.now(), tenancy.now(), give);
    assert_eq!((one.as_str(), two.as_str(), tenancy.asked()), ("1", "1", 1));

    advance(56 * MINUTE).await;
    let give = async {
        while tenancy.asked() == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            tenancy.now().await,
            "1",
            "nobody waits for the one who asks"
        );
        permits(1);
    };
    let (asking, ()) = tokio::join!(tenancy.now(), give);
    assert_eq!((asking.as_str(), tenancy.asked()), ("2", 2));
}

#[tokio::test(start_paused = true)]
async fn refused_keys_are_renewed_once_for_all_who_were_refused() {
    let tenancy = tenancy([Ok(Some(60 * MINUTE)), Ok(Some(60 * MINUTE)), Err("no more")]);
    let first = tenancy.keys(&"giver").await.unwrap();
    let (one, two) = tokio::join!(
        tenancy.renewed(&"giver", &first),
        tenancy.renewed(&"giver", &first)
    );
    assert!(one && two);
    assert_eq!(tenancy.asked(), 2);

    let second = tenancy.keys(&"giver").await.unwrap();
    assert_eq!(second.access_key(), "2");
    assert!(!tenancy.renewed(&"giver", &second).await);
    assert_eq!(
        tenancy.now().await,
        "no more",
        "refused keys are not used on"
    );
}

#[tokio::test(start_paused = true)]
async fn keys_of_an_untold_life_are_used_until_they_are_refused() {
    let tenancy = tenancy([Ok(None), Err("down"), Ok(Some(MINUTE))]);
    assert_eq!(tenancy.now().await, "1");
    advance(AHEAD).await;
    assert_eq!(tenancy.now().await, "1");
    advance(60 * MINUTE).await;
    assert_eq!(tenancy.now().await, "3");
}

#[tokio::test(start_paused = true)]
async fn another_giver_has_other_keys() {
    let tenancy = tenancy([Ok(Some(60 * MINUTE)), Err("not here"), Ok(Some(MINUTE))]);
    assert_eq!(tenancy.now().await, "1");
    assert!(tenancy.keys(&"another").await.is_err());
    assert_eq!(tenancy.now().await, "1", "its no is none of the first's");
}
