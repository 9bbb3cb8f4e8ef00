//! `rollsnap board`: how the backups stand, for people on the node.

use rollsnap_engine::manifest::{Class, Verdict};

use super::Context;
use crate::board::{self, Around, Look};
use crate::output;
use crate::report::Failure;
use crate::rules::Rules;
use crate::sight::Sight;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?;
    let sight = Sight::of(&settings).await?;
    let now = context.clock.now();
    let schedule = &settings.schedule;
    let when = &schedule.when.value;
    let rolling = sight.here.manifests().filter(|manifest| {
        manifest.class == Class::Rolling && manifest.verdict() != Some(Verdict::Corrupt)
    });
    // What a daemon would do that starts now.
    let wait = when.first_wait(rolling.map(|it| it.started_at), now);
    let is_active = schedule.active.value;
    let around = Around {
        schedule: is_active.then_some(when),
        next: is_active.then(|| now + wait),
        room: board::room(&settings.dir.value),
        troubles: &[],
        now,
    };
    let standing = board::judge(&sight, &Rules::of(&settings), &around);
    let look = if output::is_seen() && context.environment.get("NO_COLOR").is_none() {
        Look::Coloured
    } else {
        Look::Plain
    };
    output::tell(context.format, &standing, || board::text(&standing, look))?;
    standing.failed().map_or(Ok(()), |kind| {
        let message = "board: the backups are not as they should be";
        Err(Failure::new(kind, message).with_hint("the cure of each finding is above"))
    })
}
