//! A year of everything, drawn at random, the same each time.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rollsnap_engine::retention::Retention;
use tokio::time::{Instant, sleep};

use crate::bench::{Answer, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// One stretch of a year.
#[derive(Debug, Clone)]
enum Stretch {
    Well(Duration),
    Down(Duration),
    BucketDown(Duration),
    Jump(TimeDelta),
    Restart,
    Off(Duration),
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let hours = |most: u32| (1..most).prop_map(|hours| HOUR * hours);
    prop_oneof![
        6 => hours(20 * 24).prop_map(Stretch::Well),
        2 => hours(4 * 24).prop_map(Stretch::Down),
        2 => hours(4 * 24).prop_map(Stretch::BucketDown),
        2 => (-30_i64 * 24..365 * 24).prop_map(|hours| Stretch::Jump(TimeDelta::hours(hours))),
        4 => Just(Stretch::Restart),
        1 => hours(3 * 24).prop_map(Stretch::Off),
    ]
}

/// Twelve hours an interval, by the stretches given. Returns how long that was.
async fn live(stretches: &[Stretch]) -> Duration {
    let began = Instant::now();
    let mut world = World::new();
    world.interval = 12 * HOUR;
    world.retention = Retention::Count(6);
    let mut stretches = stretches.iter().peekable();
    // Each turn is one process.
    while stretches.peek().is_some() {
        let process = async {
            for stretch in stretches.by_ref() {
                match stretch {
                    Stretch::Well(time) => {
                        let saved = world.diary.saved().len();
                        sleep(*time).await;
                        let at = world.diary.saved_at();
                        let new = at.len() - saved;
                        let due = usize::try_from(time.as_secs() / (12 * 3600)).expect("few");
                        // One for each interval, and one that was late or half-way.
                        assert!((due..=due + 2).contains(&new), "{new} saves in {time:?}");
                        for pair in at[saved..].windows(2) {
                            let gap = pair[1] - pair[0];
                            assert!(gap <= 12 * HOUR + MINUTE, "{gap:?}");
                        }
                        assert!(world.proved(&world.local).await.len() <= 6);
                        world.promises().await;
                    }
                    Stretch::Down(time) => {
                        world.member.usually(Answer::Down);
                        sleep(*time).await;
                        let saved = world.diary.saved().len();
                        world.member.usually(Answer::Whole);
                        sleep(MINUTE + Duration::from_secs(1)).await;
                        // If one was missed it is taken now, and only one.
                        let new = world.diary.saved().len() - saved;
                        assert!(new <= 1);
                        assert!(new == 1 || *time < 12 * HOUR, "{time:?}");
                    }
                    Stretch::BucketDown(time) => {
                        world.remote_gate.shut();
                        sleep(*time).await;
                        world.remote_gate.reopen();
                        sleep(MINUTE).await;
                    }
                    Stretch::Jump(by) => {
                        let held = world.proved(&world.local).await;
                        let saved = world.diary.saved().len();
                        world.clock.jump(*by);
                        sleep(MINUTE).await;
                        let gone = held.len() - {
                            let now = world.proved(&world.local).await;
                            held.iter().filter(|name| now.contains(name)).count()
                        };
                        // Only what new ones push out: a jump forward may be a long sleep.
                        let new = world.diary.saved().len() - saved;
                        let most = new + held.len().saturating_sub(6);
                        assert!(gone <= most, "{gone} gone after a jump by {by}");
                    }
                    Stretch::Restart => return None,
                    Stretch::Off(time) => return Some(*time),
                }
            }
            None
        };
        if let Some(rest) = world.during(process).await {
            sleep(rest).await;
        }
    }
    world.run(13 * HOUR).await;
    world.healed().await;
    began.elapsed()
}

#[test]
fn a_year_of_outages_restarts_and_jumps_misses_nothing_and_piles_nothing_up() {
    // The same year each time.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let stretches = prop::collection::vec(stretch(), 85)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let lived = runtime.block_on(live(&stretches));
    assert!(lived > 365 * DAY, "{lived:?}");
}
