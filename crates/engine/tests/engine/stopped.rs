//! The end of a daemon: a running save ends or is dropped clean, and what is owed stays owed.

use std::time::Duration;

use rollsnap_store::Store;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::bench::database::golden;
use crate::bench::{Answer, Told, World, quiet};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Runs a daemon, tells it to stop after `run`, and to drop everything after `grace` more.
/// Returns how long it took to end after the stop.
async fn stopped(world: &World, run: Duration, grace: Duration) -> Duration {
    let roller = world.roller(world.good_pipeline());
    let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
    let script = async {
        sleep(run).await;
        stop.cancel();
        let told = Instant::now();
        sleep(grace).await;
        abandon.cancel();
        told
    };
    let daemon = async {
        roller.run(&stop, &abandon).await;
        Instant::now()
    };
    let both = async { tokio::join!(daemon, script) };
    let limit = run + grace + MINUTE;
    let (ended, told) = timeout(limit, both).await.expect("it ends");
    quiet().await;
    ended - told
}

#[tokio::test(start_paused = true)]
async fn an_idle_daemon_stops_at_once() {
    let world = World::new();
    let took = stopped(&world, 30 * MINUTE, MINUTE).await;
    assert_eq!(took, Duration::ZERO);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_running_save_ends_within_the_grace_period_and_is_whole() {
    let world = World::new();
    world.member.then([Answer::Paced(Duration::from_secs(10))]);
    let took = stopped(&world, Duration::from_secs(15), 10 * MINUTE).await;
    assert!((MINUTE / 3..MINUTE).contains(&took), "{took:?}");
    assert_eq!(world.diary.saved().len(), 1);
    world.promises().await;
    assert_eq!(world.proved(&world.local).await.len(), 1);
    // The next start owes nothing for long, and does not save again.
    world.run(MINUTE).await;
    world.healed().await;
    assert_eq!(world.diary.saved().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_save_past_the_grace_period_is_dropped_clean() {
    for at in [0, 1000, 3072, 3104] {
        let world = World::new();
        world.member.then([Answer::Stalled(at)]);
        let took = stopped(&world, MINUTE, 30 * MINUTE).await;
        assert_eq!(took, 30 * MINUTE, "{at}");
        for store in [&world.local, &world.drafts, &world.remote] {
            assert_eq!(store.list("").await.unwrap(), [], "{at}");
        }
        assert_eq!(world.unfinished(), 0, "{at}");
        assert_eq!(
            world.diary.count(|t| matches!(t, Told::SaveFailed { .. })),
            0
        );
        world.run(MINUTE).await;
        world.healed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_waits_to_try_again_stops_at_once() {
    let world = World::new();
    world.member.usually(Answer::Denied);
    let took = stopped(&world, HOUR, MINUTE).await;
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_bucket_does_not_hold_up_the_stop_and_stays_owed() {
    let world = World::new();
    world.run(MINUTE).await;
    world.remote_gate.shut();
    let took = stopped(&world, 2 * HOUR, MINUTE).await;
    assert_eq!(took, Duration::ZERO);
    world.promises().await;
    assert_eq!(world.proved(&world.remote).await.len(), 1);
    world.remote_gate.reopen();
    world.run(MINUTE).await;
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_directory_holds_up_the_stop_for_the_grace_period_at_most() {
    // At the start nothing is lost by ending at once.
    let world = World::new();
    world.local_gate.shut();
    assert_eq!(stopped(&world, MINUTE, HOUR).await, Duration::ZERO);
    world.local_gate.reopen();

    world.run(MINUTE).await;
    let shut_later = async {
        sleep(HOUR / 2).await;
        world.local_gate.shut();
    };
    let (took, ()) = tokio::join!(stopped(&world, 2 * HOUR, MINUTE), shut_later);
    assert_eq!(took, MINUTE);
    world.promises().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_start_is_heard() {
    let world = World::new();
    let took = stopped(&world, Duration::ZERO, MINUTE).await;
    assert_eq!(took, Duration::ZERO);
    world.promises().await;
}

/// The bucket is so slow that the stop falls into each step of an upload.
async fn an_upload_is_cut(world: &World, pace: Duration) {
    world.remote_ways.pace(pace);
    for seconds in 1..12 {
        let took = stopped(world, Duration::from_secs(seconds), MINUTE).await;
        assert!(took <= Duration::from_secs(3), "{seconds}: {took:?}");
        assert_eq!(world.unfinished(), world.tickets().await, "{seconds}");
        world.promises().await;
    }
    world.remote_ways.pace(Duration::ZERO);
    world.run(MINUTE).await;
    world.healed().await;
    assert_eq!(world.unfinished(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_no_parts_of_a_following_upload_without_a_ticket() {
    let world = World::new();
    world.member.holds(golden());
    an_upload_is_cut(&world, Duration::from_millis(2500)).await;
    assert_eq!(world.diary.saved().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_no_parts_of_a_debt_that_is_paid_without_a_ticket() {
    let world = World::new();
    world.member.holds(golden());
    world.remote_gate.shut();
    world.run(MINUTE).await;
    world.remote_gate.reopen();
    assert_eq!(world.proved(&world.local).await.len(), 1);
    an_upload_is_cut(&world, Duration::from_millis(400)).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_never_answers_an_abort_holds_up_the_stop_for_three_seconds() {
    let world = World::new();
    world.member.holds(golden());
    world.remote_ways.pace(HOUR);
    let shut_later = async {
        // Its first piece is on the way, and there is no ticket yet.
        sleep(MINUTE / 2).await;
        world.remote_gate.shut();
    };
    let (took, ()) = tokio::join!(stopped(&world, MINUTE, MINUTE), shut_later);
    assert_eq!(took, Duration::from_secs(3));
    world.promises().await;
}
