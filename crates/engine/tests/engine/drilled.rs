//! Restores are rehearsed in the daemon: as often as was wanted, while nothing else is due.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rollsnap_engine::drill::{DrillError, Drilled, Driller};
use rollsnap_engine::drills::Rehearsals;
use rollsnap_engine::manifest::{Boot, Outcome};
use rollsnap_engine::{Codec, Manifest};
use rollsnap_store::wrap::{Fault, Faults};
use rollsnap_store::{ErrorKind, ReadBack};
use tokio::time::{Instant, sleep};

use crate::bench::{Told, World, catalog, name_of};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A driller that takes so long, and finds what it is told to find.
#[derive(Debug)]
struct Script {
    takes: Duration,
    finds: Mutex<Outcome>,
    is_full: Mutex<bool>,
    begun: AtomicUsize,
    rested: AtomicUsize,
}

impl Script {
    fn taking(takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            takes,
            finds: Mutex::new(Outcome::Held),
            is_full: Mutex::new(false),
            begun: AtomicUsize::new(0),
            rested: AtomicUsize::new(0),
        })
    }

    fn finds(&self, outcome: Outcome) {
        *self.finds.lock().expect("nobody panics") = outcome;
    }

    fn is_full(&self, is_full: bool) {
        *self.is_full.lock().expect("nobody panics") = is_full;
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Driller for Script {
    async fn drill(&self, stored: Box<dyn ReadBack>, _codec: Codec) -> Result<Drilled, DrillError> {
        assert!(stored.size().expect("memory") > 0);
        self.begun.fetch_add(1, Ordering::Relaxed);
        sleep(self.takes).await;
        if *self.is_full.lock().expect("nobody panics") {
            let (dir, needed, room) = ("/d".into(), 2, 1);
            return Err(DrillError::Full { dir, needed, room });
        }
        let result = *self.finds.lock().expect("nobody panics");
        Ok(Drilled {
            result,
            finding: (result != Outcome::Held).then(|| "it does not".to_owned()),
            took: self.takes,
            boot: Some(Boot {
                etcd_version: "3.5.1".to_owned(),
                took: Duration::from_secs(1),
            }),
            revision: Some(7),
            keys: Some(3),
        })
    }

    async fn rest(&self) {
        self.rested.fetch_add(1, Ordering::Relaxed);
    }
}

/// A daemon that saves every hour and drills every so often.
fn with(script: &Arc<Script>, every: Duration) -> World {
    let mut world = World::new();
    world.drills = Some(Rehearsals {
        every,
        driller: Arc::clone(script) as _,
    });
    world
}

fn drilled(world: &World) -> Vec<(Instant, Manifest)> {
    let drilled = |(at, told)| match told {
        Told::Drilled(manifest) => Some((at, *manifest)),
        _ => None,
    };
    world
        .diary
        .pages()
        .into_iter()
        .filter_map(drilled)
        .collect()
}

fn failures(world: &World) -> Vec<String> {
    let failed = |(_, told)| match told {
        Told::DrillFailed(error) => Some(error),
        _ => None,
    };
    world.diary.pages().into_iter().filter_map(failed).collect()
}

#[tokio::test(start_paused = true)]
async fn the_newest_that_was_proved_is_drilled_as_often_as_was_wanted() {
    let script = Script::taking(MINUTE);
    let world = with(&script, 24 * HOUR);
    world.run(100 * HOUR).await;
    let drills = drilled(&world);
    assert_eq!(drills.len(), 5, "{drills:?}");
    for pair in drills.windows(2) {
        let apart = pair[1].0 - pair[0].0;
        assert!(apart.abs_diff(24 * HOUR) < 10 * MINUTE, "{apart:?}");
    }
    // The first as soon as there is one, and then always the newest.
    assert_eq!(drills[0].1.name, name_of("2026-05-01T12:00:00Z_etcd"));
    assert_eq!(drills[1].1.name, name_of("2026-05-02T12:00:00Z_etcd"));
    let drill = drills[0].1.drill.as_ref().unwrap();
    assert_eq!((drill.result, drill.took), (Outcome::Held, MINUTE));
    world.healed().await;
    let told: Vec<_> = world.diary.pages();
    let introduced = told.iter().filter(|(_, told)| *told == Told::Drills(None));
    assert_eq!(introduced.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_came_of_it_is_in_the_manifest_here_and_in_the_bucket() {
    let script = Script::taking(MINUTE);
    let world = with(&script, 24 * HOUR);
    script.finds(Outcome::Failed);
    world.run(2 * HOUR + MINUTE).await;
    let (_, last) = drilled(&world).pop().unwrap();
    for store in [&world.local, &world.remote] {
        let catalog = catalog(store).await;
        let entry = catalog.find(&last.name).unwrap();
        assert_eq!(entry.manifest().unwrap().drill, last.drill);
        assert!(entry.proved().is_some());
    }
    let finding = last.drill.unwrap().finding;
    assert_eq!(finding.as_deref(), Some("it does not"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_begins_nothing_anew_and_tells_of_the_last() {
    let script = Script::taking(MINUTE);
    let world = with(&script, 24 * HOUR);
    world.run(2 * HOUR).await;
    world.diary.clear();
    world.run(20 * MINUTE).await;
    assert_eq!(script.begun(), 1);
    let introduced = world
        .diary
        .pages()
        .into_iter()
        .find_map(|(_, told)| match told {
            Told::Drills(age) => Some(age),
            _ => None,
        });
    let age = introduced.unwrap().expect("there was one");
    assert!(age.abs_diff(2 * HOUR) < 10 * MINUTE, "{age:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drill_makes_way_for_two_saves_and_then_ends_beside_others() {
    let script = Script::taking(90 * MINUTE);
    let world = with(&script, 24 * HOUR);
    world.run(10 * HOUR + MINUTE).await;
    assert_eq!(script.begun(), 3);
    assert_eq!(drilled(&world).len(), 1);
    // No save was late for it.
    let saved = world.diary.saved();
    assert_eq!(saved.len(), 11);
    assert!(failures(&world).is_empty());
    world.healed().await;
}

/// It may have what that save was short of.
#[tokio::test(start_paused = true)]
async fn a_drill_beside_saves_ends_where_one_finds_no_room_and_that_is_told() {
    let (time, good) = (2 * HOUR + 30 * MINUTE, Faults::none());
    let script = Script::taking(90 * MINUTE);
    with(&script, 24 * HOUR)
        .run_with(&good, &Faults::none(), time)
        .await;
    assert_eq!(script.begun(), 3);

    let full = Faults::at(good.count() + 1, Fault::Crash, ErrorKind::Full);
    let world = with(&script, 24 * HOUR);
    let time = 3 * HOUR + 45 * MINUTE;
    world.run_with(&full, &Faults::none(), time).await;
    assert_eq!(drilled(&world).len(), 0);
    let told = failures(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("made way for saves 3 times"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_room_that_is_told_once_until_there_is() {
    let script = Script::taking(MINUTE);
    let world = with(&script, 24 * HOUR);
    script.is_full(true);
    world
        .during(async {
            sleep(10 * HOUR).await;
            script.is_full(false);
            sleep(3 * HOUR).await;
        })
        .await;
    assert_eq!(failures(&world).len(), 1);
    assert!(script.begun() > 5);
    assert_eq!(drilled(&world).len(), 1);
    world.healed().await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_one_is_told_and_the_next_is_drilled_in_its_turn() {
    let script = Script::taking(MINUTE);
    let world = with(&script, 5 * HOUR);
    script.finds(Outcome::Corrupt);
    world.run(11 * HOUR).await;
    let drills = drilled(&world);
    assert_eq!(drills.len(), 3);
    // A fault of this copy: the bucket is told nothing.
    let there = catalog(&world.remote).await;
    assert!(there.manifests().all(|manifest| manifest.drill.is_none()));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_asked_for_it_nothing_is_drilled() {
    let world = World::new();
    world.run(100 * HOUR).await;
    let is_of_drills = |told: &Told| {
        matches!(
            told,
            Told::Drills(_) | Told::Drilled(_) | Told::DrillFailed(_)
        )
    };
    assert!(
        !world
            .diary
            .pages()
            .iter()
            .any(|(_, told)| is_of_drills(told))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_until_nothing_of_a_drill_is_left() {
    let script = Script::taking(30 * MINUTE);
    let world = with(&script, 24 * HOUR);
    let stop = tokio_util::sync::CancellationToken::new();
    let roller = world.roller(world.good_pipeline());
    let until = async {
        sleep(10 * MINUTE).await;
        assert_eq!(script.begun(), 1);
        stop.cancel();
    };
    let never = tokio_util::sync::CancellationToken::new();
    tokio::join!(roller.run(&stop, &never), until);
    assert_eq!(script.rested.load(Ordering::Relaxed), 1);
}
