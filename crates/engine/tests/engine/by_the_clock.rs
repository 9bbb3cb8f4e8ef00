//! Snapshots at times of the day: the wall clock says when, wherever it is set to.

use std::time::Duration;

use chrono::{TimeDelta, Timelike};
use rollsnap_engine::retention::{Retention, Tiers};
use rollsnap_engine::schedule::{Timetable, Zone};
use tokio::time::sleep;

use crate::bench::{Answer, Told, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A world of which the clock shows noon on 2026-05-01, in UTC.
fn world(text: &str) -> World {
    let mut world = World::new();
    world.timetable = Some(Timetable::new(text, Zone::UTC).expect("a timetable"));
    world
}

/// The times of the day of all saves, as `05-01 12:00`.
fn saved(world: &World) -> Vec<String> {
    let saved = world.diary.saved().into_iter();
    saved
        .map(|manifest| manifest.started_at.format("%m-%d %H:%M").to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_is_taken_at_once_and_the_next_at_their_times() {
    let world = world("0 */6 * * *");
    sleep(10 * MINUTE).await;
    world.run(18 * HOUR).await;
    assert_eq!(
        saved(&world),
        ["05-01 12:10", "05-01 18:00", "05-02 00:00", "05-02 06:00"]
    );
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn restarts_neither_postpone_nor_double() {
    let world = world("30 * * * *");
    world.run(MINUTE).await;
    for _ in 0..6 * 12 {
        world.run(10 * MINUTE).await;
    }
    let saved = world.diary.saved();
    assert_eq!(saved.len(), 13);
    let minutes = saved[1..].iter().map(|it| it.started_at.minute());
    assert!(minutes.clone().all(|minute| minute == 30), "{minutes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_caught_up_once() {
    let world = world("0 0,6,12,18 * * *");
    world.run(MINUTE).await;
    world.member.usually(Answer::Down);
    let script = async {
        sleep(2 * DAY + HOUR).await;
        world.member.usually(Answer::Whole);
        sleep(6 * HOUR).await;
    };
    world.during(script).await;
    let saved = saved(&world);
    assert_eq!(saved.len(), 3, "{saved:?}");
    assert!(saved[1].starts_with("05-03 13:0"), "{saved:?}");
    assert_eq!(saved[2], "05-03 18:00");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_moves_the_times_with_it() {
    let mut world = world("0 */6 * * *");
    world.retention = Retention::Count(100);
    let script = async {
        sleep(HOUR).await;
        // A year ahead, where one was missed, and back again.
        world.clock.jump(TimeDelta::days(365));
        sleep(6 * HOUR).await;
        world.clock.jump(-TimeDelta::days(365));
        sleep(6 * HOUR).await;
    };
    world.during(script).await;
    let years: Vec<_> = world
        .diary
        .saved()
        .iter()
        .map(|manifest| manifest.started_at.format("%Y-%m-%d %H").to_string())
        .collect();
    assert_eq!(
        years,
        [
            "2026-05-01 12",
            "2027-05-01 13",
            "2027-05-01 18",
            "2026-05-02 00",
        ]
    );
    assert_eq!(
        world
            .diary
            .count(|told| matches!(told, Told::ClockJumped(_))),
        2
    );
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn tiers_thin_out_what_is_old_here_and_in_the_bucket() {
    let mut world = world("0 * * * *");
    world.retention = Retention::Tiered {
        count: 3,
        tiers: Tiers {
            counts: [6, 7, 0, 0],
            zone: Zone::UTC,
        },
    };
    world.run(20 * DAY).await;
    for store in [&world.local, &world.remote] {
        let kept = world.proved(store).await;
        // The last of six days, and of six hours, one of which is the last of its day.
        assert_eq!(kept.len(), 6 + 6, "{kept:?}");
    }
    world.healed().await;
}
