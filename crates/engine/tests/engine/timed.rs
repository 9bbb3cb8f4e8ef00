//! The schedule over long times: outages, restarts, clocks that are set, slow saves.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rollsnap_engine::retention::Retention;
use rollsnap_store::ErrorKind;
use rollsnap_store::wrap::{Effect, Fault, Faults};
use tokio::time::{Instant, sleep};

use crate::bench::{Answer, Told, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn failed(told: &Told) -> bool {
    matches!(told, Told::SaveFailed { .. })
}

/// The times between saves.
fn gaps(world: &World) -> Vec<Duration> {
    let at = world.diary.saved_at();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn every_interval_has_one_save_and_the_phase_is_kept() {
    let world = World::new();
    world.run(30 * HOUR + MINUTE).await;
    let gaps = gaps(&world);
    assert_eq!(gaps.len(), 30);
    let drift = world.diary.saved_at()[30] - world.diary.saved_at()[0];
    assert!(
        drift.abs_diff(30 * HOUR) < Duration::from_secs(1),
        "{drift:?}"
    );
    assert!(
        gaps.iter()
            .all(|gap| gap.abs_diff(HOUR) < Duration::from_secs(1))
    );
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_a_second_has_a_name_for_every_save() {
    for millis in [0, 500, 990, 996, 998, 999] {
        let mut world = World::new();
        world.interval = Duration::from_secs(1);
        world.clock.jump(TimeDelta::milliseconds(millis));
        world.run(2 * MINUTE).await;
        let saved = world.diary.saved().len();
        assert!((119..=121).contains(&saved), "{millis}: {saved}");
        assert_eq!(world.diary.count(failed), 0, "{millis}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_retried_soon_and_the_phase_is_kept() {
    let world = World::new();
    world
        .member
        .then([Answer::Down, Answer::Cut(100), Answer::Flipped(9)]);
    world.run(2 * HOUR + MINUTE).await;
    let told = world.diary.told();
    let retries: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Told::SaveFailed {
                attempt, retry_in, ..
            } => Some((*attempt, retry_in.as_secs())),
            _ => None,
        })
        .collect();
    // The first answer went to the start, which asks who the member is.
    assert_eq!(retries, [(1, 1), (2, 2)]);
    let gaps = gaps(&world);
    assert_eq!(gaps[0].as_secs(), 3600 - 3);
    assert_eq!(gaps[1].as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_tried_every_few_minutes_until_somebody_mends_it() {
    let world = World::new();
    world.run(MINUTE).await;
    world.member.usually(Answer::Denied);
    world.run(3 * HOUR).await;
    let tries = world.diary.count(failed);
    assert!((24..32).contains(&tries), "{tries}");
    world.member.usually(Answer::Whole);
    world.run(5 * MINUTE).await;
    assert_eq!(world.diary.saved().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_days_is_followed_by_one_save_within_the_longest_backoff() {
    let world = World::new();
    world.member.then([Answer::Whole]);
    let end = async {
        sleep(2 * HOUR + MINUTE).await;
        world.member.usually(Answer::Down);
        sleep(5 * DAY).await;
        let mended = Instant::now();
        world.member.usually(Answer::Whole);
        sleep(4 * HOUR).await;
        mended
    };
    let mended = world.during(end).await;
    let after: Vec<_> = world
        .diary
        .saved_at()
        .into_iter()
        .filter(|at| *at >= mended)
        .collect();
    assert!(after[0] - mended <= MINUTE, "{:?}", after[0] - mended);
    // One catch-up and then whole intervals.
    assert_eq!(after.len(), 4);
    assert!(
        after
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= 59 * MINUTE)
    );
    let tries = world.diary.count(failed);
    assert!(
        (5 * 24 * 60 - 70..5 * 24 * 60 + 10).contains(&tries),
        "{tries}"
    );
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn restarts_never_postpone_and_never_double() {
    let world = World::new();
    world.run(MINUTE).await;
    // A container that restarts every ten minutes, for a day.
    for _ in 0..6 * 24 {
        world.run(10 * MINUTE).await;
    }
    let gaps = gaps(&world);
    assert_eq!(gaps.len(), 24);
    for gap in gaps {
        assert!(gap.abs_diff(HOUR) <= Duration::from_secs(2), "{gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_after_a_long_rest_saves_once_and_at_once() {
    let world = World::new();
    world.run(3 * HOUR).await;
    sleep(30 * DAY).await;
    world.diary.clear();
    world.run(MINUTE).await;
    assert_eq!(world.diary.saved().len(), 1);
    assert!(world.diary.told().contains(&Told::Waiting(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn a_save_longer_than_the_interval_neither_overlaps_nor_piles_up() {
    let world = World::new();
    // Five pauses a stream: more than two hours and a half.
    world
        .member
        .then([Answer::Whole, Answer::Paced(31 * MINUTE)]);
    world.run(8 * HOUR + MINUTE).await;
    let saved = world.diary.saved();
    let long = (saved[1].finished_at - saved[1].started_at)
        .to_std()
        .unwrap();
    assert!(long > 2 * HOUR, "{long:?}");
    for pair in saved.windows(2) {
        assert!(pair[1].started_at >= pair[0].finished_at, "overlap");
    }
    // At 0 and 1 h, one at once after the long one, and then by the interval again.
    let gaps = gaps(&world);
    assert!(gaps[1] < Duration::from_secs(1), "{gaps:?}");
    assert!(
        gaps[2..].iter().all(|gap| gap.as_secs() == 3600),
        "{gaps:?}"
    );
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_is_told_once_and_deletes_nothing_for_its_age() {
    let mut world = World::new();
    world.interval = 12 * HOUR;
    world.retention = Retention::Age {
        limit: 10 * DAY,
        floor: 3,
    };
    let script = async {
        sleep(6 * DAY + HOUR).await;
        assert_eq!(world.diary.saved().len(), 13);
        world.clock.jump(TimeDelta::days(365));
        sleep(9 * DAY).await;
        assert_eq!(world.diary.deleted("here"), [""; 0]);
        assert_eq!(world.diary.deleted("there"), [""; 0]);
        // Once the window has filled again by a steady clock, ages are believed again.
        sleep(DAY + 13 * HOUR).await;
        let deleted = world.diary.deleted("here").len();
        assert!((13..=14).contains(&deleted), "{deleted}");
    };
    world.during(script).await;
    let jumps = |told: &Told| matches!(told, Told::ClockJumped(by) if by.num_days() == 365);
    assert_eq!(world.diary.count(jumps), 1);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_while_a_save_runs_deletes_nothing_after_it() {
    let mut world = World::new();
    world.interval = 12 * HOUR;
    world.retention = Retention::Age {
        limit: 10 * DAY,
        floor: 1,
    };
    world.run(3 * DAY).await;
    world.member.then([Answer::Paced(MINUTE)]);
    let script = async {
        sleep(2 * MINUTE).await;
        world.clock.jump(TimeDelta::days(365));
        sleep(HOUR).await;
    };
    world.during(script).await;
    assert_eq!(
        world
            .diary
            .count(|told| matches!(told, Told::ClockJumped(_))),
        1
    );
    assert_eq!(world.diary.deleted("here"), [""; 0]);
    assert_eq!(world.diary.deleted("there"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_or_forward_leaves_the_count_right_and_the_newest_the_newest() {
    for jump in [
        TimeDelta::days(-30),
        TimeDelta::days(365),
        TimeDelta::hours(-1),
    ] {
        let world = World::new();
        world.run(5 * HOUR + MINUTE).await;
        let script = async {
            sleep(10 * MINUTE).await;
            world.clock.jump(jump);
            sleep(6 * HOUR).await;
            world.clock.jump(-jump);
            sleep(2 * HOUR).await;
        };
        let _context = world.diary.on_panic(format!("{jump}"));
        world.during(script).await;
        world.healed().await;
        let saved = world.diary.saved();
        assert!(saved.windows(2).all(|pair| pair[0].order < pair[1].order));
        // A name that the time before had already is not asked for again.
        assert_eq!(world.diary.count(failed), 0, "{jump}");
        let last: Vec<_> = saved[saved.len() - 3..]
            .iter()
            .map(|manifest| manifest.name.to_string())
            .collect();
        let mut held = world.proved(&world.local).await;
        held.sort_by_key(|name| last.iter().position(|last| last == name));
        assert_eq!(held, last, "{jump}");
        let jumps = |told: &Told| matches!(told, Told::ClockJumped(_));
        assert_eq!(world.diary.count(jumps), 2);
        assert!(
            gaps(&world).iter().all(|gap| *gap <= HOUR + MINUTE),
            "{:?}",
            gaps(&world)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_after_the_clock_was_set_back_is_the_newest_though_nothing_could_be_listed() {
    let mut world = World::new();
    world.retention = Retention::Count(1);
    world.run(MINUTE).await;
    let good = Faults::none();
    world.run_with(&good, &Faults::none(), HOUR).await;
    let lists = good.effects().into_iter().zip(1..);
    for (_, number) in lists.filter(|(effect, _)| *effect == Effect::List) {
        world.clock.jump(TimeDelta::days(-1));
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Unavailable);
        world
            .run_with(&faults, &Faults::none(), HOUR + MINUTE)
            .await;
        world.promises().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_retention_without_end_survives_a_jump() {
    let mut world = World::new();
    world.retention = Retention::Count(usize::MAX);
    let script = async {
        sleep(MINUTE).await;
        world.clock.jump(TimeDelta::days(1));
        sleep(3 * HOUR).await;
    };
    world.during(script).await;
    assert_eq!(world.diary.deleted("here"), [""; 0]);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_saves_when_it_wakes_if_it_missed_one() {
    let world = World::new();
    let script = async {
        sleep(10 * MINUTE).await;
        // The monotonic clock stood still; the wall clock did not.
        world.clock.jump(TimeDelta::hours(8));
        sleep(2 * MINUTE).await;
        assert_eq!(world.diary.saved().len(), 2);
        // A nap that misses nothing brings the next one nearer by what was slept.
        world.clock.jump(TimeDelta::minutes(30));
        sleep(31 * MINUTE).await;
        assert_eq!(world.diary.saved().len(), 3);
    };
    world.during(script).await;
}

#[tokio::test(start_paused = true)]
async fn the_old_age_rule_never_empties_the_history() {
    let mut world = World::new();
    world.interval = 5 * MINUTE;
    world.retention = Retention::Age {
        limit: HOUR,
        floor: 12,
    };
    world.run(3 * HOUR + MINUTE).await;
    assert_eq!(world.proved(&world.local).await.len(), 13);
    // The member is gone for a week, with restarts in between.
    world.member.usually(Answer::Down);
    for _ in 0..7 {
        world.run(DAY).await;
        assert_eq!(world.proved(&world.local).await.len(), 13);
    }
    world.member.usually(Answer::Whole);
    world.run(MINUTE).await;
    // The new one and eleven old ones, until newer ones have come.
    assert_eq!(world.proved(&world.local).await.len(), 12);
    world.healed().await;
    world.run(3 * HOUR).await;
    assert_eq!(world.proved(&world.remote).await.len(), 13);
    world.healed().await;
}

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
