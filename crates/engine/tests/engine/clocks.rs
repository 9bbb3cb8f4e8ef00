//! Wall clocks that are set, either way, and machines that sleep.

use std::time::Duration;

use chrono::TimeDelta;
use rollsnap_engine::retention::Retention;
use rollsnap_store::ErrorKind;
use rollsnap_store::wrap::{Fault, Faults};
use tokio::time::sleep;

use crate::bench::{Answer, Told, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

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
        assert_eq!(world.diary.count(Told::is_failure), 0, "{jump}");
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
            world.diary.gaps().iter().all(|gap| *gap <= HOUR + MINUTE),
            "{:?}",
            world.diary.gaps()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_after_the_clock_was_set_back_is_the_newest_though_nothing_could_be_listed() {
    for number in 1.. {
        let mut world = World::new();
        world.retention = Retention::Count(1);
        world.run(MINUTE).await;
        world.clock.jump(TimeDelta::days(-1));
        let faults = Faults::at(number, Fault::Fail, ErrorKind::Unavailable);
        world.run_with(&faults, &Faults::none(), MINUTE).await;
        assert_eq!(world.diary.saved().len(), 2);
        world.promises().await;
        if faults.count() < number {
            break;
        }
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
