//! `rolling-backup` and `etcd-backup save`: snapshots one after another, or a single one.

use std::sync::Arc;

use rollsnap_engine::backoff::wait_after;
use rollsnap_engine::catalog::Reader;
use rollsnap_engine::debt::Namesakes;
use rollsnap_engine::event::{Event, Observer};
use rollsnap_engine::gentle::Hearer;
use rollsnap_engine::manifest::{Class, Manifest};
use rollsnap_engine::name::TimeStyle;
use rollsnap_engine::pipeline::{Order, Pipeline, Saved};
use rollsnap_engine::prune::{self, Locks};
use rollsnap_engine::reconcile::complete_drafts;
use rollsnap_engine::recurring;
use rollsnap_engine::retention::{Guard, PruneForeign, Retention};
use rollsnap_engine::room::Shrunk;
use rollsnap_engine::schedule::Schedule;
use rollsnap_engine::{Codec, Kind, SnapshotName};
use rollsnap_rke::argv::{Form, Save};
use rollsnap_rke::duration::GoDuration;
use rollsnap_rke::wording;
use rollsnap_store::local::LocalDir;
use rollsnap_store::{Store, StoreError};
use tokio::time::sleep;
use tracing::info;

use super::voice::{self, Voice};
use super::{snapshot_named, state};
use crate::assembly;
use crate::commands::Context;
use crate::commands::progress::Bar;
use crate::commands::save::{Nobody, Taken, complete};
use crate::config::options::Id;
use crate::config::{Origin, Settings};
use crate::daemon::{Daemon, sweep};
use crate::herald::Herald;
use crate::http::Desk;
use crate::journal;
use crate::listeners::Listeners;
use crate::report::Failure;

/// Attempts at a single snapshot, as many as the old program made while it still tried again (until
/// v0.1.82). The waits between them are 15 s in all.
const ATTEMPTS: u32 = 5;

/// The loop, until a signal ends it.
pub(super) async fn rolling(save: &Save, context: &Context) -> Result<(), Failure> {
    let (_, voice) = settings(save, context)?;
    let (desk, requests) = Desk::new(Arc::clone(&context.clock));
    let shared = Arc::clone(desk.shared());
    let herald = Arc::new(Herald::new(Arc::clone(&shared)));
    let daemon = Daemon {
        load: &|| Ok(self::settings(save, context)?.0),
        clock: Arc::clone(&context.clock),
        observer: Arc::new(Listeners(vec![
            Arc::new(voice),
            shared,
            Arc::clone(&herald) as _,
        ])),
        desk,
        herald,
        requests,
        enclosure: state::enclosure(save, &context.environment),
        orders: context.orders.clone(),
    };
    Box::pin(daemon.run()).await
}

/// One snapshot. It takes the place of one of the same name, as it always has.
pub(super) async fn once(save: &Save, context: &Context) -> Result<(), Failure> {
    let (name, class) = name(save, context)?;
    match save.form {
        Form::Rolling => info!(
            creation = %GoDuration(save.creation),
            retention = %GoDuration(save.retention),
            "{}",
            wording::ROLLING
        ),
        Form::EtcdBackup => info!(name = %name, "{}", wording::ONE_TIME),
    }
    let (settings, voice) = settings(save, context)?;
    journal::tell_settings(&settings.report());
    let local = assembly::local(&settings)?;
    let mut pipeline = assembly::pipeline(&settings, &local, &context.clock)?;
    pipeline.remote = pipeline.remote.map(|remote| context.tend(remote));
    pipeline.enclosure = state::enclosure(save, &context.environment);
    pipeline.hearer = Hearer::new(Arc::new(voice.clone()));
    complete_drafts(&local, &*pipeline.drafts).await?;
    let known = Reader::default().read(&local).await?;
    let order = Order {
        name,
        class,
        after: known.newest().map_or(0, |manifest| manifest.order),
        shrunk: Shrunk::of(&known, pipeline.codec),
        replaces: true,
    };
    sweep(&local, &voice).await;
    let saved = attempt(&pipeline, &order).await?;
    let holds_more = saved.holds_more;
    voice.tell_saved(&saved.manifest, saved.took);
    let Taken {
        manifest,
        remote,
        unproved,
        uncopied,
        ..
    } = complete(&context.orders.stop, &pipeline, saved, &Bar::new(), &Nobody).await?;
    if let Some(failure) = unproved {
        return Err(failure);
    }
    if holds_more {
        state::forget(&order.name, &context.environment);
    }
    if let Err(error) = forget_recurring(save, context, &local, &manifest, &voice).await {
        let location = local.location();
        let error = &error;
        voice.tell(Event::PruneFailed { location, error });
    }
    if let Some(refused) = voice.refused {
        let message = wording::s3_refused(&refused.message);
        return Err(Failure { message, ..refused });
    }
    if let Some(cause) = uncopied {
        let message = wording::not_uploaded(&cause.message);
        return Err(Failure { message, ..cause });
    }
    if remote.is_some() {
        voice.tell_uploaded(&manifest);
    }
    Ok(())
}

/// Rotates the recurring one-offs of Rancher's, where this is one of a cluster of its.
async fn forget_recurring(
    save: &Save,
    context: &Context,
    local: &LocalDir,
    saved: &Manifest,
    voice: &Voice,
) -> Result<(), StoreError> {
    let catalog = Reader::default().read(local).await?;
    let (guard, now) = (Guard::of(saved), context.clock.now());
    let keep = (save.retention, floor(save));
    let plan = recurring::plan(&catalog.entries, &saved.name, guard, keep, now);
    let locks = &mut Locks::default();
    prune::carry_out(local, &catalog, &plan, locks, voice).await?;
    Ok(())
}

/// The least number that is kept: as many as the age holds intervals.
fn floor(save: &Save) -> usize {
    let intervals = save.retention.as_nanos() / save.creation.as_nanos().max(1);
    usize::try_from(intervals).unwrap_or(usize::MAX).max(1)
}

/// Tries as often as there is a use in it.
async fn attempt(pipeline: &Pipeline, order: &Order) -> Result<Saved, Failure> {
    for attempt in 1.. {
        let error = match pipeline.save(order, &|_, _| {}).await {
            Ok(saved) => return Ok(saved),
            Err(error) => error,
        };
        voice::tell_failure(&error, attempt);
        let kind = error.kind();
        if attempt == ATTEMPTS || !kind.is_transient() || error.is_of_the_database() {
            return Err(error.into());
        }
        sleep(wait_after(attempt, kind)).await;
    }
    unreachable!("the last attempt returns")
}

/// The name of a single snapshot. Without one the older form makes it as the loop does, which then
/// rotates it too; the newer one had nothing to write to.
fn name(save: &Save, context: &Context) -> Result<(SnapshotName, Class), Failure> {
    match (save.form, &*save.name) {
        (Form::Rolling, "") => {
            let name = SnapshotName::rolling(context.clock.now(), TimeStyle::default());
            Ok((name, Class::Rolling))
        }
        (Form::EtcdBackup, "") => {
            let failure = Failure::new(Kind::Usage, "no snapshot is named");
            Err(failure.with_hint("give --name with --once"))
        }
        (_, name) => Ok((snapshot_named(name)?, Class::OneOff)),
    }
}

/// What the call comes to. A bucket whose settings are wrong holds back no snapshot: then they are
/// without it, and the voice knows why.
fn settings(save: &Save, context: &Context) -> Result<(Settings, Voice), Failure> {
    let whole = context.settings_with_etcd().and_then(|settings| {
        let remote = assembly::remote(&settings)?;
        Ok((settings, remote.map(|remote| remote.location().clone())))
    });
    let (mut settings, remote, refused) = match whole {
        Ok((settings, remote)) => (settings, remote, None),
        Err(failure) => {
            let rest = context.settings_without_bucket();
            let rest = rest.and_then(|rest| assembly::source(&rest).map(|_| rest));
            match rest {
                Ok(rest) if save.bucket.is_some() => (rest, None, Some(failure)),
                _ => return Err(failure),
            }
        }
    };
    settings.namesakes = Namesakes::NewestWins;
    let schedule = &mut settings.schedule;
    schedule.when.value = Schedule::Every(save.creation);
    schedule.when_by = Id::Creation;
    schedule.retention.value = Retention::Age {
        limit: save.retention,
        floor: floor(save),
    };
    schedule.active.value = true;
    let foreign = &mut schedule.prune_foreign;
    if foreign.origin == Origin::Default {
        foreign.value = PruneForeign::Local;
    }
    let codec = &mut settings.making.codec;
    if codec.origin == Origin::Default {
        codec.value = match save.form {
            Form::Rolling => Codec::None,
            Form::EtcdBackup => Codec::Zip,
        };
    }
    let voice = Voice {
        form: save.form,
        bucket: save.bucket.clone(),
        retention: save.retention,
        refused,
        remote,
    };
    Ok((settings, voice))
}
