//! When snapshots are taken and how many are kept.
//!
//! `interval_hours` supersedes `creation`, and a count supersedes an age, where one layer says
//! both; a higher layer supersedes a lower one whatever its words. `cron` takes the place of an
//! interval, and in one layer there is one of the two. Where nothing is said it is 12
//! hours and 6 snapshots, but `5m0s` and `24h` where only the older keys are used: both as RKE's
//! documentation promises them.

use std::time::Duration;

use rollsnap_engine::retention::{PruneForeign, Retention, Tiers};
use rollsnap_engine::schedule::{self as engine, Timetable, TimetableError, Zone};
use rollsnap_rke::cluster_yml::{self, ClusterYml};
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
    /// When: the time between two is 1 s to ten years.
    pub when: Sourced<engine::Schedule>,
    /// The option that says it: [`Id::IntervalHours`], [`Id::Creation`] or [`Id::Cron`].
    pub when_by: Id,
    /// Whose days they are.
    pub zone: Sourced<Zone>,
    /// Which are kept.
    pub retention: Sourced<Retention>,
    /// Who said the tiers, where somebody did.
    pub tiers: Option<Sourced<Tiers>>,
    /// Where the old program's rolling snapshots go by their age.
    pub prune_foreign: Sourced<PruneForeign>,
}

impl Schedule {
    pub(super) fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let zone = zone(layers, file);
        let interval = when_said(layers, file);
        let tiers = tiers(layers, file, zone.value);
        let retention = retention_said(layers, file);
        let older = file.backup_config.is_none()
            && !matches!(&interval, Some(said) if !matches!(said.value, When::Creation(_)))
            && !matches!(&retention, Some(said) if matches!(said.value, Kept::Count(_)))
            && (interval.is_some() || retention.is_some() || file.snapshot.is_some());
        let (usual_interval, usual_kept) = if older {
            (
                When::Creation(Duration::from_secs(300)),
                Kept::Age(Duration::from_secs(24 * HOUR)),
            )
        } else {
            (When::Hours(12), Kept::Count(6))
        };
        let interval = interval.unwrap_or_else(|| Sourced::default(usual_interval));
        let when_by = match interval.value {
            When::Hours(_) => Id::IntervalHours,
            When::Creation(_) => Id::Creation,
            When::Cron(_) => Id::Cron,
        };
        let when = interval.schedule(layers, zone.value);
        let kept = retention.unwrap_or_else(|| Sourced::default(usual_kept));
        let kept = beside_tiers(layers, kept, tiers.as_ref());
        let longest = when
            .as_ref()
            .map(|when| when.map_ref(engine::Schedule::longest));
        if let Some(longest) = &longest
            && layers.knows(&[Id::IntervalHours, Id::Creation, Id::Cron, Id::Retention])
        {
            check_age(layers, longest, &kept);
        }
        // What is no timetable is a fault by now: what stands in its place is used by nobody.
        let half_a_day = engine::Schedule::Every(Duration::from_secs(12 * HOUR));
        let when = when.unwrap_or_else(|| Sourced::default(half_a_day));
        let every = when.value.longest();
        let said = tiers.as_ref().map(|said| said.value);
        Self {
            active: active(layers, file),
            when,
            when_by,
            zone,
            retention: kept.map(|kept| kept.over(every, said)),
            tiers,
            prune_foreign: prune_foreign(layers, file),
        }
    }
}

#[derive(Clone)]
enum When {
    Hours(u32),
    Creation(Duration),
    Cron(String),
}

impl Sourced<When> {
    /// None where it is no timetable, which is told.
    fn schedule(self, layers: &mut Layers<'_>, zone: Zone) -> Option<Sourced<engine::Schedule>> {
        let schedule = match &self.value {
            When::Hours(hours) => {
                engine::Schedule::Every(Duration::from_secs(u64::from(*hours) * HOUR))
            }
            When::Creation(duration) => engine::Schedule::Every(*duration),
            When::Cron(text) => match Timetable::new(text, zone) {
                Ok(timetable) => engine::Schedule::At(timetable),
                Err(error) => {
                    let cure = match &error {
                        TimetableError::Pattern(_) => {
                            "write minute, hour, day of the month, month and day of the week, such \
                             as \"0 */6 * * *\""
                        }
                        TimetableError::Never => "write one that does",
                    };
                    let wrong = Wrong::new(error.to_string(), cure);
                    layers.fault_of(Id::Cron, &self.origin, wrong);
                    return None;
                }
            },
        };
        Some(self.map(|_| schedule))
    }
}

#[derive(Clone, Copy)]
enum Kept {
    Count(u32),
    Age(Duration),
}

impl Kept {
    /// An age also keeps as many as it holds intervals, so that an outage empties no history.
    fn over(self, interval: Duration, tiers: Option<Tiers>) -> Retention {
        match (self, tiers) {
            (Self::Count(count), Some(tiers)) => Retention::Tiered {
                count: count as usize,
                tiers,
            },
            (Self::Count(count), None) => Retention::Count(count as usize),
            (Self::Age(limit), _) => {
                let floor = limit.as_nanos() / interval.as_nanos().max(1);
                Retention::Age {
                    limit,
                    floor: usize::try_from(floor).unwrap_or(usize::MAX).max(1),
                }
            }
        }
    }
}

fn prune_foreign(layers: &mut Layers<'_>, file: &ClusterYml) -> Sourced<PruneForeign> {
    let said = file.own.prune_foreign.clone();
    let said = layers.pick(Id::PruneForeign, cluster_yml::PruneForeign::parse, said);
    let rule = |word| match word {
        cluster_yml::PruneForeign::Never => PruneForeign::Never,
        cluster_yml::PruneForeign::Local => PruneForeign::Local,
        cluster_yml::PruneForeign::Everywhere => PruneForeign::Everywhere,
    };
    said.map_or_else(
        || Sourced::default(PruneForeign::default()),
        |said| said.map(rule),
    )
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

fn when_said(layers: &mut Layers<'_>, file: &ClusterYml) -> Option<Sourced<When>> {
    let hours = |text: &str| interval_hours(text).map(When::Hours);
    let creation = |text: &str| duration::parse(text).map(When::Creation);
    let cron = |text: &str| layers::text(text).map(When::Cron);
    let backup = file.backup_config.as_ref().map(|backup| &backup.value);
    let hours_there = backup.and_then(|backup| backup.interval_hours.clone());
    let cron_there = backup.and_then(|backup| backup.cron.clone());
    // All are read, so that a fault in one that is superseded is told too.
    let said = [
        [
            layers.flag(Id::IntervalHours, hours),
            layers.flag(Id::Creation, creation),
            layers.flag(Id::Cron, cron),
        ],
        [
            layers.environment(Id::IntervalHours, hours),
            layers.environment(Id::Creation, creation),
            layers.environment(Id::Cron, cron),
        ],
        [
            hours_there.map(|said| layers.located(said).map(When::Hours)),
            file.creation
                .clone()
                .map(|said| layers.located(said).map(When::Creation)),
            cron_there.map(|said| layers.located(said).map(When::Cron)),
        ],
    ];
    for [hours, creation, cron] in &said {
        let others = [("interval_hours", hours), ("creation", creation)];
        for (name, other) in others {
            if let (Some(cron), Some(other)) = (cron, other) {
                let what = format!("is given beside {name} ({})", other.origin);
                let wrong = Wrong::new(what, format!("keep cron or {name}"));
                layers.fault(&cron.origin, wrong);
            }
        }
    }
    said.into_iter().flatten().flatten().next()
}

fn zone(layers: &mut Layers<'_>, file: &ClusterYml) -> Sourced<Zone> {
    let backup = file.backup_config.as_ref().map(|backup| &backup.value);
    let there = backup.and_then(|backup| backup.zone.clone());
    let Some(said) = layers.pick(Id::Zone, layers::text, there) else {
        return Sourced::default(Zone::UTC);
    };
    let zone = said.value.parse().unwrap_or_else(|_| {
        let what = format!("is {:?}, of which no zone is known", shortened(&said.value));
        let cure = "write a name of the IANA database such as Europe/Berlin, or UTC";
        layers.fault_of(Id::Zone, &said.origin, Wrong::new(what, cure));
        Zone::UTC
    });
    said.map(|_| zone)
}

fn tiers(layers: &mut Layers<'_>, file: &ClusterYml, zone: Zone) -> Option<Sourced<Tiers>> {
    let backup = file.backup_config.as_ref().map(|backup| &backup.value);
    let there = backup.and_then(|backup| backup.retention_tiers.clone());
    let said = layers.pick(Id::RetentionTiers, cluster_yml::Tiers::parse, there)?;
    Some(said.map(|said| Tiers {
        counts: said.counts.map(|count| count as usize),
        zone,
    }))
}

/// Beside tiers a number of the newest is kept, never an age.
fn beside_tiers(
    layers: &mut Layers<'_>,
    kept: Sourced<Kept>,
    tiers: Option<&Sourced<Tiers>>,
) -> Sourced<Kept> {
    match (tiers, &kept.origin, kept.value) {
        (Some(_), Origin::Default, Kept::Age(_)) => Sourced::default(Kept::Count(6)),
        (Some(tiers), origin, Kept::Age(age)) => {
            let what = format!(
                "is {}, an age, but retention_tiers is given too ({})",
                GoDuration(age),
                tiers.origin
            );
            let cure = "write how many of the newest are kept beside the tiers, such as 6";
            layers.fault(origin, Wrong::new(what, cure));
            kept
        }
        _ => kept,
    }
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
