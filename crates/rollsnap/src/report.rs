//! How a failure is told: one line from verb to cause, and a hint on a line of its own.

use std::error::Error;
use std::fmt;

use rollsnap_engine::Kind;
use rollsnap_engine::name::SnapshotNameError;
use rollsnap_engine::plain::PlainError;
use rollsnap_engine::save_error::SaveError;
use rollsnap_etcd::SourceError;
use rollsnap_rke::LineError;
use rollsnap_store::StoreError;

use crate::config::ConfigError;

/// Why a command ends without having done its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means; decides the exit code.
    pub kind: Kind,
    /// What happened, from the verb down to the cause. May have several lines.
    pub message: String,
    /// What may be done about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure in words of our own.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    fn of(kind: Kind, error: &(dyn Error + 'static), hint: Option<&str>) -> Self {
        Self {
            kind,
            message: chain(error),
            hint: hint.map(str::to_owned),
        }
    }

    /// That of a store, told while the error itself goes elsewhere.
    pub fn store(error: &StoreError) -> Self {
        Self::of(error.kind().into(), error, error.hint())
    }

    /// Adds what may be done about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::store(&error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::of(error.kind().into(), &error, error.hint())
    }
}

impl From<LineError> for Failure {
    fn from(error: LineError) -> Self {
        Self::of(error.kind(), &error, error.hint())
    }
}

impl From<PlainError> for Failure {
    fn from(error: PlainError) -> Self {
        Self::of(error.kind(), &error, error.hint())
    }
}

impl From<SaveError> for Failure {
    fn from(error: SaveError) -> Self {
        Self::of(error.kind(), &error, error.hint())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Kind::Config, error.to_string())
    }
}

impl From<SnapshotNameError> for Failure {
    fn from(error: SnapshotNameError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

/// An error and all its causes, joined by colons: `save X: write /dir/X: no space left`.
///
/// A level that only repeats the one above is left out: libraries word the same fault twice.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let said = cause.to_string();
        let core = said
            .split(" (os error")
            .next()
            .unwrap_or_default()
            .to_lowercase();
        if !text.to_lowercase().contains(&core) {
            text.push_str(": ");
            text.push_str(&said);
        }
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Level(&'static str, #[source] Option<Box<Level>>);

    #[test]
    fn each_level_is_said_once() {
        let io = Level("No space left on device (os error 28)", None);
        let write = Level("write /d/x: no space left on device", Some(Box::new(io)));
        let save = Level("save x", Some(Box::new(write)));
        assert_eq!(chain(&save), "save x: write /d/x: no space left on device");
    }
}
