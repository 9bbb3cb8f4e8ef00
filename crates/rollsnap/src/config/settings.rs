//! Everything that is in force, checked.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use rollsnap_engine::Codec;
use rollsnap_engine::debt::Namesakes;
use rollsnap_engine::manifest::Method;
use rollsnap_engine::name::TimeStyle;
use rollsnap_rke::cluster_yml::{ClusterYml, Compression, Verify};
use rollsnap_rke::{Wrong, bounds, duration, rate};

use super::layers::{self, Layers, located_path};
use super::options::Id;
use super::{Bucket, ConfigError, Etcd, Fault, Http, Inputs, Log, Notices, Schedule, Sourced};

/// Everything that is in force. Each value knows who said it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The config file, where one was named.
    pub config: Option<Sourced<PathBuf>>,
    /// The directory that keeps the snapshots.
    pub dir: Sourced<PathBuf>,
    /// The directory where snapshots are unpacked, if somebody named one.
    pub scratch: Option<Sourced<PathBuf>>,
    /// The etcd members to ask.
    pub etcd: Etcd,
    /// When snapshots are taken and how many are kept.
    pub schedule: Schedule,
    /// How a snapshot is made.
    pub making: Making,
    /// When a restore is rehearsed, and how.
    pub drill: Drill,
    /// The bucket they are copied to; none when no copies are wanted, and who said so.
    pub bucket: Sourced<Option<Bucket>>,
    /// What becomes in the bucket of one-offs of one name: what is usual, until the program runs
    /// under its old name.
    pub namesakes: Namesakes,
    /// Where the daemon answers.
    pub http: Http,
    /// Whom it tells how its backups go.
    pub notices: Notices,
    /// The log.
    pub log: Log,
}

/// When a restore is rehearsed, and how.
#[derive(Debug, Clone)]
pub struct Drill {
    /// The time between two drills; none where the daemon holds none.
    pub every: Option<Sourced<Duration>>,
    /// The program of the etcd that is started on what was restored.
    pub boot: Option<Sourced<PathBuf>>,
}

/// How a snapshot is made.
#[derive(Debug, Clone)]
pub struct Making {
    /// How it is stored.
    pub codec: Sourced<Codec>,
    /// How its name tells the time.
    pub time_style: Sourced<TimeStyle>,
    /// The longest that one attempt may take; none is no limit.
    pub timeout: Option<Sourced<Duration>>,
    /// How deep it is verified.
    pub verify: Sourced<Method>,
    /// How much that gives way to others, 0 to 19.
    pub verify_nice: Sourced<u32>,
    /// Whether it is compared with what the members hold.
    pub compare_members: Sourced<bool>,
    /// The most bytes that are read from etcd in a second; none is no limit.
    pub max_rate: Option<Sourced<NonZeroU64>>,
}

impl Settings {
    /// Flags over environment over file over defaults, for a command that asks no etcd: what is
    /// wrong about etcd waits in [`Etcd::faults`].
    ///
    /// Reads the config file, the files of keys, and the bucket's CA.
    ///
    /// # Errors
    /// Every fault of all three at once. What depends on several values is only judged when each
    /// of them is right by itself.
    pub fn resolve(inputs: Inputs<'_>) -> Result<Self, ConfigError> {
        let (settings, faults) = Self::read(inputs);
        ConfigError::unless_none(faults, settings)
    }

    /// As [`resolve`](Self::resolve), but what is wrong in words about etcd is an error too. Its
    /// certificates are not read.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn resolve_with_etcd(inputs: Inputs<'_>) -> Result<Self, ConfigError> {
        let (settings, mut faults) = Self::read(inputs);
        faults.extend(settings.etcd.faults.iter().cloned());
        ConfigError::unless_none(faults, settings)
    }

    /// What was said as far as it is right, and what is wrong with the rest, but for
    /// [`Etcd::faults`]. Only settings without faults are those that somebody wants.
    pub(crate) fn read(inputs: Inputs<'_>) -> (Self, Vec<Fault>) {
        let mut layers = Layers::new(inputs);
        let (config, file) = layers.open_file();
        let dir = layers.pick(Id::Dir, layers::path, located_path(file.own.dir.clone()));
        let scratch = layers.pick(Id::Scratch, layers::path, None);
        let making = Making::of(&mut layers, &file);
        let drill = Drill::of(&mut layers, &file);
        let http = Http::of(&mut layers, &file);
        let notices = Notices::of(&mut layers, &file);
        let log = Log::of(&mut layers);
        let schedule = Schedule::of(&mut layers, &file);
        let bucket = Bucket::of(&mut layers, &file);
        let faults = layers.take_faults();
        let settings = Self {
            config,
            dir: dir.unwrap_or_else(|| Sourced::default(Id::Dir.spec().default.into())),
            scratch,
            etcd: Etcd::of(&mut layers, &file),
            schedule,
            making,
            drill,
            bucket,
            namesakes: Namesakes::default(),
            http,
            notices,
            log,
        };
        (settings, faults)
    }
}

impl Drill {
    fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let own = &file.own;
        Self {
            every: layers.pick(Id::Drill, duration::parse, own.drill.clone()),
            boot: layers.pick(
                Id::DrillBoot,
                layers::path,
                located_path(own.drill_boot.clone()),
            ),
        }
    }
}

impl Making {
    fn of(layers: &mut Layers<'_>, file: &ClusterYml) -> Self {
        let backup = file
            .backup_config
            .as_ref()
            .map(|backup| backup.value.clone());
        let backup = backup.unwrap_or_default();
        let codec = |compression| match compression {
            Compression::None => Codec::None,
            Compression::Zstd => Codec::Zstd,
            Compression::Zip => Codec::Zip,
        };
        let method = |verify| match verify {
            Verify::Digest => Method::Digest,
            Verify::Deep => Method::Deep,
        };
        let style = |safe| {
            if safe {
                TimeStyle::Safe
            } else {
                TimeStyle::Rfc3339
            }
        };
        Self {
            codec: layers
                .pick(Id::Compression, Compression::parse, backup.compression)
                .map_or_else(
                    || Sourced::default(Codec::default()),
                    |said| said.map(codec),
                ),
            time_style: layers
                .pick(Id::SafeTimestamp, layers::switch, backup.safe_timestamp)
                .map_or_else(
                    || Sourced::default(TimeStyle::default()),
                    |said| said.map(style),
                ),
            timeout: layers.pick(Id::Timeout, duration::parse, backup.timeout),
            verify: layers
                .pick(Id::Verify, Verify::parse, file.own.verify.clone())
                .map_or_else(|| Sourced::default(Method::Deep), |said| said.map(method)),
            verify_nice: layers
                .pick(Id::VerifyNice, nice, file.own.verify_nice.clone())
                .unwrap_or_else(|| Sourced::default(10)),
            compare_members: layers
                .pick(
                    Id::CompareMembers,
                    layers::switch,
                    file.own.compare_members.clone(),
                )
                .unwrap_or_else(|| Sourced::default(false)),
            max_rate: layers.pick(Id::MaxRate, rate::parse, file.own.max_rate.clone()),
        }
    }
}

fn nice(text: &str) -> Result<u32, Wrong> {
    let number = text.parse().map_err(|_| {
        let (low, high) = bounds::NICE;
        Wrong::new(
            format!("is {:?}", layers::shortened(text)),
            format!("write a whole number, {low} to {high}"),
        )
    });
    bounds::nice(number?)
}
