//! When snapshots are taken and how many are kept.
//!
//! `interval_hours` supersedes `creation`, and a count supersedes an age, where one layer says
//! both; a higher layer supersedes a lower one whatever its words. Where nothing is said it is 12
//! hours and 6 snapshots, but `5m0s` and `24h` where only the older keys are used: both as RKE's
//! documentation promises them.

use std::time::Duration;

use rollsnap_engine::retention::Retention;
use rollsnap_rke::cluster_yml::ClusterYml;
use rollsnap_rke::duration::{self, GoDuration};
use rollsnap_rke::{Wrong, bounds};

use super::layers::{self, Layers, shortened};
use super::options::Id;
use super::{Origin, Sourced};

const HOUR: u64 = 3600;

/// When snapshots are taken and how many are kept.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Whether the daemon takes any.
    pub active: Sourced<bool>,
    /// The time between two, 1 s to ten years.
    pub interval: Sourced<Duration>,
    /// The option that says the interval: [`Id::IntervalHours`] or [`Id::Creation`].
    pub interval_by: Id,
    /// Which are kept.
    pub retention: Sourced<Retention>,
}

impl Schedule {
    pub(super) fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let interval = interval_said(layers, file);
        let retention = retention_said(layers, file);
        let older = file.backup_config.is_none()
            && !matches!(&interval, Some(said) if matches!(said.value, Interval::Hours(_)))
            && !matches!(&retention, Some(said) if matches!(said.value, Kept::Count(_)))
            && (interval.is_some() || retention.is_some() || file.snapshot.is_some());
        let (usual_interval, usual_kept) = if older {
            (
                Interval::Creation(Duration::from_secs(300)),
                Kept::Age(Duration::from_secs(24 * HOUR)),
            )
        } else {
            (Interval::Hours(12), Kept::Count(6))
        };
        let interval = interval.unwrap_or_else(|| Sourced::default(usual_interval));
        let interval_by = match interval.value {
            Interval::Hours(_) => Id::IntervalHours,
            Interval::Creation(_) => Id::Creation,
        };
        let interval = interval.map(Interval::duration);
        let kept = retention.unwrap_or_else(|| Sourced::default(usual_kept));
        if layers.knows(&[Id::IntervalHours, Id::Creation, Id::Retention]) {
            check_age(layers, &interval, &kept);
        }
        let every = interval.value;
        Self {
            active: active(layers, file),
            interval,
            interval_by,
            retention: kept.map(|kept| kept.over(every)),
        }
    }
}

#[derive(Clone, Copy)]
enum Interval {
    Hours(u32),
    Creation(Duration),
}

impl Interval {
    fn duration(self) -> Duration {
        match self {
            Self::Hours(hours) => Duration::from_secs(u64::from(hours) * HOUR),
            Self::Creation(duration) => duration,
        }
    }
}

#[derive(Clone, Copy)]
enum Kept {
    Count(u32),
    Age(Duration),
}

impl Kept {
    /// An age also keeps as many as it holds intervals, so that an outage empties no history.
    fn over(self, interval: Duration) -> Retention {
        match self {
            Self::Count(count) => Retention::Count(count as usize),
            Self::Age(limit) => {
                let floor = limit.as_nanos() / interval.as_nanos().max(1);
                Retention::Age {
                    limit,
                    floor: usize::try_from(floor).unwrap_or(usize::MAX).max(1),
                }
            }
        }
    }
}

fn active(layers: &mut Layers<'_>, file: &ClusterYml) -> Sourced<bool> {
    let backup = file.backup_config.as_ref();
    let enabled = backup.and_then(|backup| backup.value.enabled.clone());
    let (first, second) = (file.snapshot.clone(), enabled);
    // Either of the two says no for both.
    let said = match (first, second) {
        (Some(first), Some(second)) if first.value => Some(second),
        (first, second) => first.or(second),
    };
    layers
        .pick(Id::Snapshot, layers::switch, said)
        .unwrap_or_else(|| Sourced::default(true))
}

fn interval_said(layers: &mut Layers<'_>, file: &ClusterYml) -> Option<Sourced<Interval>> {
    let hours = |text: &str| interval_hours(text).map(Interval::Hours);
    let creation = |text: &str| duration::parse(text).map(Interval::Creation);
    let backup = file.backup_config.as_ref();
    let in_file = backup.and_then(|backup| backup.value.interval_hours.clone());
    // All are read, so that a fault in one that is superseded is told too.
    let said = [
        layers.flag(Id::IntervalHours, hours),
        layers.flag(Id::Creation, creation),
        layers.environment(Id::IntervalHours, hours),
        layers.environment(Id::Creation, creation),
        in_file.map(|said| layers.located(said).map(Interval::Hours)),
        file.creation
            .clone()
            .map(|said| layers.located(said).map(Interval::Creation)),
    ];
    said.into_iter().flatten().next()
}

fn retention_said(layers: &mut Layers<'_>, file: &ClusterYml) -> Option<Sourced<Kept>> {
    let backup = file.backup_config.as_ref();
    let in_file = backup.and_then(|backup| backup.value.retention.clone());
    let said = [
        layers.pick(Id::Retention, kept, None),
        in_file.map(|said| layers.located(said).map(Kept::Count)),
        file.retention
            .clone()
            .map(|said| layers.located(said).map(Kept::Age)),
    ];
    said.into_iter().flatten().next()
}

fn interval_hours(text: &str) -> Result<u32, Wrong> {
    match text.parse() {
        Ok(number) => bounds::interval_hours(number),
        Err(_) => Err(Wrong::new(
            format!("is {:?}", shortened(text)),
            "write a whole number of hours, such as 12; a duration belongs to --creation",
        )),
    }
}

/// A whole number counts snapshots; anything else is an age.
fn kept(text: &str) -> Result<Kept, Wrong> {
    match text.parse() {
        Ok(number) => bounds::retention_count(number).map(Kept::Count),
        Err(_) => duration::parse(text).map(Kept::Age),
    }
}

/// An age that is shorter than the interval would keep one snapshot at best.
fn check_age(layers: &mut Layers<'_>, interval: &Sourced<Duration>, kept: &Sourced<Kept>) {
    let Kept::Age(age) = kept.value else { return };
    if age >= interval.value {
        return;
    }
    let (age, every) = (GoDuration(age), GoDuration(interval.value));
    if kept.origin == Origin::Default {
        let what = format!("is {every}, longer than the {age} that snapshots are kept by default");
        let cure = format!("give a retention of at least {every} too");
        layers.fault(&interval.origin, Wrong::new(what, cure));
    } else {
        let what = format!(
            "is {age}, shorter than the {every} between two snapshots ({})",
            interval.origin
        );
        let cure = format!("write at least {every}, or a number of snapshots");
        layers.fault(&kept.origin, Wrong::new(what, cure));
    }
}
