//! How the log is written. Known before the config file is read, as reading it may be logged.

use rollsnap_rke::Wrong;

use super::layers::{self, Layers, shortened};
use super::options::Id;
use super::{ConfigError, Inputs, Sourced};

/// The log.
#[derive(Debug, Clone)]
pub struct Log {
    /// How lines are written.
    pub format: Sourced<LogFormat>,
    /// Whether debug lines are logged.
    pub debug: Sourced<bool>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `time="…" level=info msg="…" key=value`, as the old program wrote.
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }

    fn parse(word: &str) -> Result<Self, Wrong> {
        match word {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            other => Err(Wrong::new(
                format!("is {:?}", shortened(other)),
                "write logfmt or json",
            )),
        }
    }
}

impl Log {
    /// From flags and environment alone.
    pub fn resolve(inputs: Inputs<'_>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(inputs);
        let log = Self::of(&mut layers);
        ConfigError::unless_none(layers.take_faults(), log)
    }

    pub(super) fn of(layers: &mut Layers<'_>) -> Self {
        Self {
            format: layers
                .pick(Id::LogFormat, LogFormat::parse, None)
                .unwrap_or_else(|| Sourced::default(LogFormat::default())),
            debug: layers
                .pick(Id::Debug, layers::switch, None)
                .unwrap_or_else(|| Sourced::default(false)),
        }
    }
}
