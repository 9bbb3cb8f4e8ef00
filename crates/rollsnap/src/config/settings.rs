//! Everything that is in force, checked.

use std::path::PathBuf;
use std::time::Duration;

use rollsnap_engine::Codec;
use rollsnap_engine::name::TimeStyle;
use rollsnap_rke::cluster_yml::{ClusterYml, Compression};
use rollsnap_rke::duration;

use super::layers::{self, Layers, located_path};
use super::options::Id;
use super::{Bucket, ConfigError, Etcd, Inputs, Log, Schedule, Sourced};

/// Everything that is in force. Each value knows who said it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The config file, where one was named.
    pub config: Option<Sourced<PathBuf>>,
    /// The directory that keeps the snapshots.
    pub dir: Sourced<PathBuf>,
    /// The etcd members to ask.
    pub etcd: Etcd,
    /// When snapshots are taken and how many are kept.
    pub schedule: Schedule,
    /// How a snapshot is made.
    pub making: Making,
    /// The bucket they are copied to; none when no copies are wanted, and who said so.
    pub bucket: Sourced<Option<Bucket>>,
    /// The log.
    pub log: Log,
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
}

impl Settings {
    /// Flags over environment over file over defaults.
    ///
    /// Reads the config file and the files of keys; everything else is only named here.
    ///
    /// # Errors
    /// Every fault of all three at once. What depends on several values is only judged when each
    /// of them is right by itself.
    pub fn resolve(inputs: Inputs<'_>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(inputs);
        let (config, file) = layers.open_file();
        let dir = layers.pick(Id::Dir, layers::path, located_path(file.own.dir.clone()));
        let settings = Self {
            config,
            dir: dir.unwrap_or_else(|| Sourced::default(Id::Dir.spec().default.into())),
            making: Making::of(&mut layers, &file),
            log: Log::of(&mut layers),
            etcd: Etcd::of(&mut layers, &file),
            schedule: Schedule::of(&mut layers, &file),
            bucket: Bucket::of(&mut layers, &file),
        };
        layers.finish(settings)
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
        }
    }
}
