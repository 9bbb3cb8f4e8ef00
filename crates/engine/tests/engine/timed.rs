//! The schedule over long times: phase, retries, outages, restarts, slow saves.

use std::time::Duration;

use chrono::TimeDelta;
use rollsnap_engine::retention::Retention;
use tokio::time::{Instant, sleep};

use crate::bench::{Answer, Told, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(start_paused = true)]
async fn every_interval_has_one_save_and_the_phase_is_kept() {
    let world = World::new();
    world.run(30 * HOUR + MINUTE).await;
    let gaps = world.diary.gaps();
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
        assert_eq!(world.diary.count(Told::is_failure), 0, "{millis}");
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
    let begun = world.diary.count(|told| matches!(told, Told::Begins(_)));
    assert_eq!(begun, retries.len() + world.diary.saved().len());
    let gaps = world.diary.gaps();
    assert_eq!(gaps[0].as_secs(), 3600 - 3);
    assert_eq!(gaps[1].as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_tried_every_few_minutes_until_somebody_mends_it() {
    let world = World::new();
    world.run(MINUTE).await;
    world.member.usually(Answer::Denied);
    world.run(3 * HOUR).await;
    let tries = world.diary.count(Told::is_failure);
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
    let tries = world.diary.count(Told::is_failure);
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
    let gaps = world.diary.gaps();
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
    let gaps = world.diary.gaps();
    assert!(gaps[1] < Duration::from_secs(1), "{gaps:?}");
    assert!(
        gaps[2..].iter().all(|gap| gap.as_secs() == 3600),
        "{gaps:?}"
    );
    world.healed().await;
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
