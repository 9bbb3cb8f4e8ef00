//! How the backups stand: what there is, put before [`engine::standing`](rollsnap_engine::standing),
//! for the verb and for whoever asks the daemon.

mod draw;

use std::path::Path;

use chrono::{DateTime, Utc};
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::standing::{Facts, Room, Standing, Trouble, standing};
use rollsnap_store::local::Space;

use crate::rules::Rules;
use crate::sight::Sight;

pub use draw::{Look, text};

/// What is known beside what lies in the stores.
#[derive(Debug)]
pub struct Around<'a> {
    /// When snapshots are taken; `None` where none is taken by a schedule.
    pub schedule: Option<&'a Schedule>,
    /// When the next is due, where that is known.
    pub next: Option<DateTime<Utc>>,
    /// Room in the directory.
    pub room: Option<Room>,
    /// What went wrong last.
    pub troubles: &'a [Trouble],
    /// The time.
    pub now: DateTime<Utc>,
}

/// How they stand.
pub fn judge(sight: &Sight, rules: &Rules, around: &Around<'_>) -> Standing {
    let plans = sight.plans(rules, around.now);
    standing(&Facts {
        here: &sight.here,
        there: sight.there(),
        quarantined: sight.aside.entries.len(),
        plan_here: &plans.here,
        plan_there: &plans.there,
        demand: rules.demand,
        schedule: around.schedule,
        next: around.next,
        room: around.room,
        troubles: around.troubles,
        now: around.now,
    })
}

/// Room for snapshots; `None` where the file system tells nothing.
pub fn room(dir: &Path) -> Option<Room> {
    let space = Space::of(dir).ok().flatten()?;
    Some(Room {
        free: space.free,
        total: space.all,
    })
}
