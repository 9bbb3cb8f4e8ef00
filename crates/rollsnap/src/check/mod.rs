//! Whether the set-up holds, tried out before trust is placed in it: etcd, the directory, the
//! bucket. `rollsnap check` tries everything; the daemon, beside its start, what changes nothing.

mod bucket;
mod directory;
mod etcd;
mod onset;

use std::fmt;

use chrono::{DateTime, Utc};
use rollsnap_engine::Kind;
use rollsnap_store::{Effort, Probe};

use crate::config::Settings;
use crate::report::Failure;

pub use onset::Onset;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Of what.
    pub part: Part,
    /// Where that is: an endpoint, a file, a directory, a bucket. Holds no secret.
    pub location: String,
    /// What, in a word or two that never change.
    pub what: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// A part of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The members that are asked.
    Etcd,
    /// The directory that keeps the snapshots.
    Directory,
    /// The bucket that they are copied to.
    Bucket,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Held(String),
    /// It works, but not as well as it could.
    Weak {
        /// What.
        message: String,
        /// The cure.
        hint: Option<String>,
    },
    /// It does not work.
    Failed(Failure),
    /// It was not tried; the text says why.
    Untried(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etcd => "etcd",
            Self::Directory => "directory",
            Self::Bucket => "bucket",
        })
    }
}

impl Trial {
    /// From where the keys of the bucket come, if this tells it.
    pub fn source_of_keys(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Held(source) if self.what == bucket::CREDENTIALS => Some(source),
            _ => None,
        }
    }

    fn new(part: Part, location: impl Into<String>, what: &'static str, outcome: Outcome) -> Self {
        Self {
            part,
            location: location.into(),
            what,
            outcome,
        }
    }

    /// What a store told of itself.
    fn of_probe(part: Part, location: &str, probe: Probe) -> Self {
        use rollsnap_store::Outcome as Told;
        let outcome = match probe.outcome {
            Told::Held(text) => Outcome::Held(text),
            Told::Weak { message, hint } => Outcome::Weak {
                message,
                hint: Some(hint),
            },
            Told::Failed(error) => Outcome::Failed(error.into()),
            Told::Untried(why) => Outcome::Untried(why),
        };
        Self::new(part, location, probe.what, outcome)
    }
}

impl Outcome {
    fn weak(message: impl Into<String>, hint: &str) -> Self {
        Self::Weak {
            message: message.into(),
            hint: Some(hint.to_owned()),
        }
    }

    fn failed(kind: Kind, message: impl Into<String>, hint: &str) -> Self {
        Self::Failed(Failure::new(kind, message).with_hint(hint))
    }
}

/// Tries everything that these settings speak of, in the order etcd, directory, bucket.
///
/// Nothing is left behind but, in a directory that is there, the folder of ours. Dropping the future may leave what was being tried.
pub async fn try_out(settings: &Settings, effort: Effort, now: DateTime<Utc>) -> Vec<Trial> {
    // Boxed: one of them alone is larger than a thread's worth of stack should hold.
    let (etcd, directory, bucket) = tokio::join!(
        Box::pin(etcd::try_out(settings, effort, now)),
        Box::pin(directory::try_out(settings, effort, now)),
        Box::pin(bucket::try_out(settings, effort)),
    );
    let mut trials = etcd.trials;
    trials.extend(directory.with_room_for(etcd.largest));
    trials.extend(bucket);
    trials
}
